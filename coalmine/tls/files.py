"""Files that hold certificates and keys: read within limits, and noticed when they change.

Rule 1: what is wrong is a TlsError with the file, the fault and the remedy. Nothing of a file's content is ever told.
Rule 2: whoever names a file may name any, so only regular files of a sensible size are read.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Iterable
from pathlib import Path

from coalmine.tls.certificate import Certificate, parse_certificate

# The system's own bundle of authorities has 200 to 300 kB.
MAX_BYTES = 4 * 1024 * 1024
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----")
_ENCRYPTED = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)

# What tells that a file is another one than before. With the time of the last change of its rights: a file that could
# not be read is worth another look once somebody has mended that.
Stamp = tuple[int, int, int, int, int]


class TlsError(Exception):
    """Something given for TLS cannot be used: ``detail`` says which and why, ``hint`` how to mend it."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.detail} ({self.hint})" if self.hint else self.detail


def take_stamps(paths: Iterable[str]) -> tuple[Stamp | None, ...]:
    """None for each that is not there."""
    return tuple(map(_take_stamp, paths))


def _take_stamp(path: str) -> Stamp | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_text(path: str) -> str:
    """The file's text; raises TlsError."""
    try:
        # Not to wait for the writer of a pipe that somebody has put there.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise TlsError(f"{path} is not a regular file")
        if found.st_size > MAX_BYTES:
            raise TlsError(f"{path} has {found.st_size} bytes, which no certificate needs")
        return os.read(descriptor, MAX_BYTES).decode("latin-1")  # of a regular file, all of it
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)


def _unreadable(path: str, error: Exception) -> TlsError:
    if isinstance(error, FileNotFoundError):
        return TlsError(f"the file {path} does not exist", "check the path; it is one of the machine that serves")
    if isinstance(error, PermissionError):
        return TlsError(f"the file {path} may not be read", "give the user that runs coalmine the right to read it")
    return TlsError(f"the file {path} cannot be read: {getattr(error, 'strerror', None) or error}")


def list_certificates(text: str, where: str) -> list[Certificate]:
    """The certificates in a PEM text (RFC 7468), of which there is at least one; raises TlsError."""
    blocks = _CERTIFICATE.findall(text)
    if not blocks:
        raise TlsError(f"{where} holds no certificate", "it should be PEM text that begins -----BEGIN CERTIFICATE-----")
    try:
        return [parse_certificate(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]
    except ValueError as error:
        raise TlsError(f"{where} holds a certificate that cannot be read: {error}") from None


def check_key(text: str, where: str) -> None:
    """Raises TlsError where there is no key, or one that only a person could open."""
    if _ENCRYPTED.search(text):
        hint = f"nobody is there to type its passphrase; store it without: openssl pkey -in {where} -out NEW_FILE"
        raise TlsError(f"the private key in {where} is encrypted", hint)
    if not _KEY.search(text):
        raise TlsError(f"{where} holds no private key", "it should be PEM text that has -----BEGIN PRIVATE KEY-----")
