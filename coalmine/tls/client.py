"""TLS towards upstreams: 1.2 and newer, verified unless the upstream's definition says otherwise in so many words.

Rule 1: authorities are those given, else the system's; the name is the one given, else the endpoint's host
        (RFC 9110 section 4.3.4).
Rule 2: files are read when they are first needed and again when they have changed; where they cannot be used, what was
        read before still counts, and the fault is told. Where nothing was, there is no connection.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from coalmine.errors import Fault
from coalmine.model import UpstreamTls
from coalmine.tls.files import Stamp, TlsError, list_certificates, read_text, take_stamps
from coalmine.tls.identity import Pair, find_fault_in_time, load_pair
from coalmine.tls.server import ALPN

DEFAULT = UpstreamTls()
_log = logging.getLogger(__name__)


class ClientTls:
    """The TLS of one upstream. Reading takes milliseconds: where that matters, ``read`` belongs in a thread."""

    def __init__(self, definition: UpstreamTls, where: str) -> None:
        """``where`` names the upstream in the log."""
        self.definition = definition
        self.problem: str | None = None
        self._where = where
        self._context: ssl.SSLContext | None = None
        self._paths = list_paths(definition)
        self._stamps: tuple[Stamp | None, ...] = ()
        self._reading = threading.Lock()
        # The system's authorities are a megabyte: whoever asks for no more than another name shares them.
        plain = definition.model_copy(update={"server_name": None}) == DEFAULT
        self._common = default_tls() if plain and definition is not DEFAULT else None

    def find_context(self) -> ssl.SSLContext | None:
        """The context, if what was read is still what is there."""
        if self._common is not None:
            return self._common.find_context()
        return self._context if self._context is not None and take_stamps(self._paths) == self._stamps else None

    def read(self) -> ssl.SSLContext:
        """The context, of the files as they are now; raises TlsError."""
        if self._common is not None:
            return self._common.read()
        with self._reading:
            found = self.find_context()
            if found is not None:
                return found
            stamps = take_stamps(self._paths)
            try:
                self._context, self.problem = make_context(self.definition), None
            except TlsError as error:
                self._keep(error)
            if self._context is None:
                raise TlsError(self.problem or "")
            self._stamps = stamps
            return self._context

    def server_name(self, host: str) -> str:
        return self.definition.server_name or host

    def _keep(self, error: TlsError) -> None:
        if str(error) != self.problem and self._context is not None:
            _log.warning("%s: %s; what was read before still counts", self._where, error)
        self.problem = str(error)


@lru_cache(maxsize=1)
def default_tls() -> ClientTls:
    """For upstreams whose definition says nothing: one context for all of them."""
    return ClientTls(DEFAULT, "upstreams")


def list_paths(definition: UpstreamTls) -> tuple[str, ...]:
    named = (definition.ca_file, definition.client_certificate_file, definition.client_key_file)
    return tuple(path for path in named if path is not None)


def make_context(definition: UpstreamTls) -> ssl.SSLContext:
    """Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    if not definition.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif definition.ca_file is None and definition.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, definition)
    pair = find_pair(definition)
    if pair is not None:
        load_pair(context, pair)
    return context


def _trust(context: ssl.SSLContext, definition: UpstreamTls) -> None:
    text = definition.ca if definition.ca_file is None else read_text(definition.ca_file)
    where = definition.ca_file or "ca"
    list_certificates(text or "", where)
    # Who names an authority below the root, or the certificate itself, means just that.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:  # a ValueError: it is no ASCII
        raise TlsError(f"{where} holds certificates that OpenSSL cannot read: {error}") from None


def find_pair(definition: UpstreamTls) -> Pair | None:
    certificate = definition.client_certificate_file
    return Pair(certificate, definition.client_key_file or certificate) if certificate is not None else None


def list_faults(definition: UpstreamTls) -> Iterator[Fault]:
    """What is wrong with the files and texts that ``definition`` names, with pointers into the upstream."""
    try:
        if definition.ca_file is not None or definition.ca is not None:
            _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), definition)
    except TlsError as error:
        yield _fault("ca" if definition.ca_file is None else "ca_file", error)
    pair = find_pair(definition)
    if pair is None:
        return
    try:
        certificate = load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair)
        late = find_fault_in_time(certificate, pair.certificate, datetime.now(UTC))
        if late is not None:
            yield _fault("client_certificate_file", late)
    except TlsError as error:
        own = definition.client_key_file is not None and definition.client_key_file in error.detail
        yield _fault("client_key_file" if own else "client_certificate_file", error)


def _fault(key: str, error: TlsError) -> Fault:
    return Fault(f"/tls/{key}", "invalid_value", error.detail, error.hint)


# What a handshake failed of, by OpenSSL's name for it.
_REASONS = {
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS 1.2 or newer",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "what answers there is not TLS; does it speak http?",
    "HTTP_REQUEST": "what answers there is not TLS; does it speak http?",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refused the handshake; it may want a client certificate, or other ciphers",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate (tls.client_certificate_file)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refused the client certificate, or the lack of one",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refused the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust who signed the client certificate",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "it speaks no HTTP/1.1",
    "TLSV1_UNRECOGNIZED_NAME": "it knows no such name (tls.server_name)",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "it knows no such name (tls.server_name)",
    "UNEXPECTED_EOF_WHILE_READING": "it ended the connection in the handshake",
}
# What verification says, and how to mend it.
_HINTS = {
    "mismatch": "name the one that it has: tls.server_name",
    "issuer": "name who has signed it: tls.ca_file",
    "self-signed": "if that is as it should be, name it or its authority: tls.ca_file",
}


def explain(error: ssl.SSLError) -> str:
    """Why a handshake failed, in a sentence without subject and full stop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = (error.verify_message or str(error)).rstrip(".")
        hint = next((hint for word, hint in _HINTS.items() if word in message), None)
        return f"its certificate is refused: {message}" + (f" ({hint})" if hint else "")
    reason = error.reason or ""
    return _REASONS.get(reason) or reason.replace("_", " ").lower() or str(error)
