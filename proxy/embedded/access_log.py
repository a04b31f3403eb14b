"""The access log, written by a thread, so that a slow reader of it slows nothing else.

Rule 1: when lines come faster than they can be written, lines are dropped and counted, never requests.
Rule 2: whole lines are written at once, at most MAX_LINE_BYTES to what is no file, so that workers can share a pipe.
Rule 3: what was dropped is said in the log as soon as it can be written again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from proxy.embedded.log_file import LogFile
from proxy.embedded.log_lines import MAX_LINE_BYTES, Entry, LineWriter
from proxy.embedded.options import Queries
from proxy.embedded.stats import Counters

# About half a second of full load in memory; beyond, whoever reads the log is too slow anyway.
MAX_WAITING = 16_384
FLUSH_SECONDS = 0.2
# Lines per write to a file: enough to make the system call cheap, few enough to let other threads run.
BATCH = 64


class AccessLog:
    """``path``: a file, or ``-`` for standard output."""

    def __init__(
        self,
        path: str,
        counters: Counters,
        *,
        queries: Queries = "names",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = LogFile(path)
        self._lines = LineWriter(queries)
        self._counters = counters
        self._now = now
        self._waiting: deque[Entry] = deque()
        self._missing = 0  # dropped since that was last said
        self._dropping = threading.Lock()  # both threads drop, and none of it may be lost
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def has_room(self) -> bool:
        """Whether the next line will be kept; else it is counted as dropped now."""
        if len(self._waiting) < MAX_WAITING:
            return True
        self._drop(1)
        return False

    def add(self, entry: Entry) -> None:
        self._waiting.append(entry)

    def close(self) -> None:
        """Write what waits; a reader that does not read is left after a second."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _drop(self, count: int) -> None:
        with self._dropping:
            self._missing += count
            self._counters.access_log_dropped += count

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.look()
        while self._waiting:
            lines = [self._lines.write(self._waiting.popleft()) for _ in range(min(len(self._waiting), BATCH))]
            for piece in pack(lines, MAX_LINE_BYTES if self._file.shared else None):
                self._write(piece)

    def _write(self, lines: list[bytes]) -> None:
        if self._missing:
            self._tell_dropped()
        data = b"".join(lines)
        whole = data.count(b"\n", 0, self._file.write(data))
        self._counters.access_log_lines += whole
        if whole < len(lines):
            self._drop(len(lines) - whole)

    def _tell_dropped(self) -> None:
        missing = self._missing
        line = self._lines.tell_dropped(missing, self._now())
        if self._file.write(line) == len(line):
            with self._dropping:
                self._missing -= missing


def pack(lines: Iterable[bytes], limit: int | None) -> Iterator[list[bytes]]:
    """``lines`` in groups of at most ``limit`` bytes; None: all in one."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if group and limit is not None and size + len(line) > limit:
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line)
    if group:
        yield group
