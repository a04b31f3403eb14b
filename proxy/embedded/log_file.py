"""Where log lines go: a file that may be renamed or cut while it is written, a pipe, or standard output.

Rule 1: a file that was moved away or deleted is opened anew within LOOK_SECONDS; one that was cut goes on at its end,
        because it is written by appending. Both ways to rotate work, without a signal.
Rule 2: nothing here raises: what cannot be written now may be written later.
"""

from __future__ import annotations

import os
import select
import stat
import time
from contextlib import suppress
from pathlib import Path

LOOK_SECONDS = 1.0
# Standard output that somebody made non-blocking and nobody reads is waited for so long before lines are dropped.
WAIT_SECONDS = 0.2
STANDARD_OUTPUT = "-"
# Others may not read who asked for what.
_MODE = 0o640


def open_log(path: str) -> int:
    """A descriptor that appends; raises OSError. A named pipe that nobody reads is ENXIO, and not waited for."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, _MODE)
    os.set_blocking(descriptor, True)  # the thread may wait, and lines shall not be torn
    return descriptor


class LogFile:
    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = 1 if path == STANDARD_OUTPUT else -1
        self._next_look = 0.0
        self._torn = False  # the last line was not written to its end
        self.look()

    @property
    def shared(self) -> bool:
        """Whether it is no file on a disk, so that what others write may come in between."""
        try:
            return not stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        except OSError:
            return True

    def look(self) -> None:
        """Open it, where it is not open, or is not what the path names any more."""
        now = time.monotonic()
        if self._path == STANDARD_OUTPUT or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if self._descriptor < 0 or not self._is_current():
            self.close()
            with suppress(OSError):
                self._descriptor = open_log(self._path)
                self._torn = False

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(Path(self._path).stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def write(self, data: bytes) -> int:
        """How many bytes of ``data`` were written: all, but for an error; blocks while a pipe is full."""
        left = b"\n" + data if self._torn else data
        with suppress(OSError):
            while left:
                left = left[self._write_some(left) :]
        written = len(data) - len(left)
        if written >= 0:  # else not even the end of the torn line was
            self._torn = data[:written][-1:] not in (b"", b"\n")
        return max(0, written)

    def _write_some(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            if not select.select([], [self._descriptor], [], WAIT_SECONDS)[1]:
                raise
            return 0

    def close(self) -> None:
        if self._descriptor > 2:
            os.close(self._descriptor)
            self._descriptor = -1
