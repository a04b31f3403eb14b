"""The access log: one JSON line per request, written by a thread, so that a slow reader of it slows nothing else.

Rule 1: when lines come faster than they can be written, lines are dropped and counted, never requests.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from typing import Any

from proxy.embedded.stats import Counters

# About half a second of full load in memory; beyond, whoever reads the log is too slow anyway.
MAX_WAITING = 16_384
FLUSH_SECONDS = 0.2
# Lines per write: enough to make the system call cheap, few enough to let other threads run.
BATCH = 256


class AccessLog:
    def __init__(self, descriptor: int, counters: Counters) -> None:
        self._descriptor = descriptor
        self._counters = counters
        self._waiting: deque[dict[str, Any]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def add(self, entry: dict[str, Any]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._counters.access_log_dropped += 1
            return
        entry["time"] = time.time()
        self._waiting.append(entry)

    def close(self) -> None:
        """Write what waits; a reader that does not read is left after a second."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), BATCH)
            lines = [json.dumps(self._waiting.popleft(), separators=(",", ":")) for _ in range(count)]
            try:
                _write_all(self._descriptor, ("\n".join(lines) + "\n").encode())
            except OSError:
                self._counters.access_log_dropped += count


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
