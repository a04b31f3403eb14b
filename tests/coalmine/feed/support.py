"""A feed server on a loop of its own, and clients in real processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coalmine.feed import FeedServer
from coalmine.routing.snapshot import ServedUpstream, Snapshot, make_snapshot


def snapshot_of(name: str) -> Snapshot:
    return make_snapshot(upstreams=(ServedUpstream(name, ("http://127.0.0.1:1",)),))


@contextmanager
def loop_in_thread() -> Iterator[Callable[[Any], Any]]:
    """Gives ``run(coroutine)``, which waits for the result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def running_server(path: Path, **options: Any) -> Iterator[FeedServer]:
    with loop_in_thread() as run:
        server = FeedServer(path, **options)
        run(server.start())
        try:
            yield server
        finally:
            run(server.close())


class Worker:
    """A process with a FeedClient; ``lines`` is what it has printed so far."""

    def __init__(self, path: Path, mode: str = "good", *, index: int = 0, version: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.coalmine.feed.worker", str(path), mode, str(index), version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, ""))

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def workers(*started: Worker) -> Iterator[tuple[Worker, ...]]:
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)
