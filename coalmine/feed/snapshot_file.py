"""The last published snapshot on disk, for workers that start while the control process is away.

    coalmine-snapshot 2 <SHA-256 of the body> <length of the body>\\n
    <the snapshot, as in coalmine.feed.change>

Rule 1: the file is replaced whole (write, fsync, rename): there is the old one or the new one.
Rule 2: a damaged file is as good as none, but never silent.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
from pathlib import Path

from coalmine.feed.change import read_change, write_change
from coalmine.routing.snapshot import Snapshot
from coalmine.routing.steps import finish

_MAGIC = "coalmine-snapshot"
_FORMAT = "2"
_log = logging.getLogger(__name__)


def write_snapshot_file(path: Path, snapshot: Snapshot, *, body: bytes | None = None) -> None:
    """Replace ``path``; raises OSError, and the old file stays. ``body`` is what is to be in it, if at hand."""
    body = write_change(None, snapshot) if body is None else body
    header = f"{_MAGIC} {_FORMAT} {hashlib.sha256(body).hexdigest()} {len(body)}\n"
    new = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        _write_durably(new, header.encode() + body)
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
        return _parse(data)
    except ValueError as error:
        _log.warning("the snapshot file %s is ignored: %s", path, error)
        return None


def _parse(data: bytes) -> Snapshot:
    header, _, body = data.partition(b"\n")
    words = header[:200].decode("latin-1").split(" ")
    if len(words) != 4 or words[0] != _MAGIC:
        raise ValueError("it is not a snapshot file")
    if words[1] != _FORMAT:
        raise ValueError(f"its format is {words[1]}, this version reads {_FORMAT}")
    if words[3] != str(len(body)) or words[2] != hashlib.sha256(body).hexdigest():
        raise ValueError("it is damaged: length or checksum is wrong")
    try:
        return finish(read_change(None, body))
    except ValueError as error:
        raise ValueError(f"it holds no snapshot of this version: {error}") from None
