"""The last published snapshot on disk, for workers that start while the control process is away.

    coalmine-snapshot 3 <SHA-256 of the body> <length of the body> <CRC-32 of this line so far>\\n
    <the snapshot, as in coalmine.feed.change>
    coalmine-snapshot 3 ...\\n
    <what has changed since>
    ...

Rule 1: the file is replaced whole (write, fsync, rename): there is the old one or the new one. A change is put behind
    it (append, fsync): then there is what was before, or all of it.
Rule 2: a damaged file is as good as none, but never silent. Only the last change may be incomplete: it was being
    written when somebody pulled the plug, and no write had been answered by it.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import logging
import os
import zlib
from pathlib import Path

from coalmine.feed.change import read_change, write_change
from coalmine.routing.snapshot import Snapshot
from coalmine.routing.steps import finish

_MAGIC = "coalmine-snapshot"
_FORMAT = "3"
_BEFORE = "2"  # one record, without a CRC
_LONGEST_HEADER = 200
# Each has to be read and applied by whoever starts from the file, which takes a millisecond or a few.
_MOST_CHANGES = 64
_log = logging.getLogger(__name__)


class SnapshotFile:
    """The file at ``path``, as one process keeps it up to date."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._holds: str | None = None  # the version that is in it; None where that is not known
        self._changes = 0
        self._status: tuple[int, ...] = ()

    def save(self, snapshot: Snapshot, base: str, change: bytes) -> None:
        """Have it hold ``snapshot``, to which ``change`` leads from ``base``; raises OSError, and the old one stays."""
        fits = self._holds == base and self._changes < _MOST_CHANGES and self._status == _find_status(self.path)
        self._holds = None
        if fits:
            _append(self.path, _write_record(change))
            self._changes += 1
        else:
            write_snapshot_file(self.path, snapshot)
            self._changes = 0
        self._holds, self._status = snapshot.version, _find_status(self.path)


def _find_status(path: Path) -> tuple[int, ...]:
    """Another one where somebody else has had his hands on the file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _append(path: Path, record: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, record) != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _write_record(body: bytes) -> bytes:
    header = f"{_MAGIC} {_FORMAT} {hashlib.sha256(body).hexdigest()} {len(body)} ".encode()
    return b"%b%08x\n%b" % (header, zlib.crc32(header), body)


def write_snapshot_file(path: Path, snapshot: Snapshot) -> None:
    """Replace ``path``; raises OSError, and the old file stays."""
    new = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        _write_durably(new, _write_record(write_change(None, snapshot)))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    _sync_directory(path.parent)


def remove_leftovers(path: Path) -> None:
    """What processes that were killed while they wrote have left beside ``path``."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.new-*"):
        pid = left.name.rpartition("-")[2]
        if pid.isdecimal() and not _is_running(int(pid)):
            left.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor has no path
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_snapshot_file(path: Path) -> Snapshot | None:
    """The snapshot in ``path``; None, with a warning in the log, where there is none that can be trusted."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("the snapshot file %s cannot be read and is ignored: %s", path, error.strerror)
        return None
    try:
        return _parse(path, data)
    except ValueError as error:
        _log.warning("the snapshot file %s is ignored: %s", path, error)
        return None


def _parse(path: Path, data: bytes) -> Snapshot:
    snapshot, rest = None, memoryview(data)
    while snapshot is None or rest:
        record = _read_record(rest, first=snapshot is None)
        if record is None and snapshot is not None:
            _log.warning("the snapshot file %s ends within its last change, which is left out", path)
            return snapshot
        if record is None:
            raise ValueError("it is damaged: length or checksum is wrong")
        body, rest = record
        try:
            snapshot = finish(read_change(snapshot, bytes(body)))
        except ValueError as error:
            raise ValueError(f"it holds no snapshot of this version: {error}") from None
    return snapshot


def _read_record(data: memoryview, *, first: bool) -> tuple[memoryview, memoryview] | None:
    """The first body of ``data`` and what follows it; None where it is not all there; raises ValueError."""
    header, newline, _ = bytes(data[:_LONGEST_HEADER]).partition(b"\n")
    if not newline and not first and len(data) < _LONGEST_HEADER and _begins_record(header):
        return None
    digest, length = _read_header(header, first=first)
    start = len(header) + 1
    body = data[start : start + length]
    if len(body) < length:
        return None
    if digest != hashlib.sha256(body).hexdigest() or (_is_before(header) and len(data) > start + length):
        raise ValueError("it is damaged: length or checksum is wrong")
    return body, data[start + length :]


def _begins_record(header: bytes) -> bool:
    begin = f"{_MAGIC} {_FORMAT} ".encode()
    return begin.startswith(header[: len(begin)])


def _is_before(header: bytes) -> bool:
    return header.startswith(f"{_MAGIC} {_BEFORE} ".encode())


def _read_header(header: bytes, *, first: bool) -> tuple[str, int]:
    """Digest and length of the body that follows; raises ValueError."""
    words = header.decode("latin-1").split(" ")
    if len(words) not in (4, 5) or words[0] != _MAGIC:
        raise ValueError("it is not a snapshot file" if first else "it is damaged: what is behind a change is none")
    if words[1] not in (_FORMAT, _BEFORE):
        raise ValueError(f"its format is {words[1]}, this version reads {_FORMAT} and {_BEFORE}")
    said, _, crc = header.rpartition(b" ")
    sound = crc == b"%08x" % zlib.crc32(said + b" ") if words[1] == _FORMAT else first and len(words) == 4
    if not sound or not words[3].isdecimal():
        raise ValueError("it is damaged: length or checksum is wrong")
    return words[2], int(words[3])
