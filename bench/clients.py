"""Clients that count what they lose: every request has to be answered as expected, whatever happens meanwhile.

``keep`` clients keep their connection for as long as the proxy lets them; ``fresh`` ones open a connection for every
request. Nothing is ever sent a second time.

    failed   no answer, or another one than expected; the ones below are not in it
    stale    a kept connection that the proxy closed while the next request was on its way (RFC 9112 section 9.3.1): the
             one loss that a client has to expect of any server. It counts as lost nevertheless
    stuck    no answer within the patience of a client
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvloop

FEW = 5  # failures that are kept in words


@dataclass
class Tally:
    sent: int = 0
    answered: int = 0
    failed: int = 0
    stale: int = 0
    stuck: int = 0
    reopened: int = 0  # connections that ended with an answer that said so
    words: list[str] = field(default_factory=list)
    longest: float = 0.0
    times: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.failed + self.stale + self.stuck

    def fail(self, word: str) -> None:
        self.failed += 1
        if len(self.words) < FEW:
            self.words.append(word)

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        times = sorted(self.times)
        return times[int(share * (len(times) - 1))] * 1000 if times else 0.0


@dataclass(frozen=True)
class Load:
    """What clients ask for, and how many there are. ``pause``: seconds between two requests of one client."""

    port: int
    path: str = "/ok"
    expected: tuple[bytes, ...] = (b"ok",)
    keep: int = 16
    fresh: int = 4
    pause: float = 0.0
    patience: float = 20.0


class Clients:
    """``load`` on a loop of its own thread, until ``stop``."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.tally = Tally()
        self._stop = asyncio.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> Tally:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        return self.tally

    async def _run(self) -> None:
        clients = [self._client(kept=True) for _ in range(self.load.keep)]
        await asyncio.gather(*clients, *(self._client(kept=False) for _ in range(self.load.fresh)))

    async def _client(self, *, kept: bool) -> None:
        while not self._stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.load.port)
            except OSError as error:
                self.tally.sent += 1
                self.tally.fail(f"connect: {error!r}")
                await asyncio.sleep(0.05)
                continue
            try:
                await self._converse(reader, writer, kept=kept)
            finally:
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, kept: bool) -> None:
        load = self.load
        request = _request(load.path, kept=kept)
        first = True
        while not self._stop.is_set():
            again = await self._ask(reader, writer, request, first=first)
            first = False
            if not (again and kept):
                return
            if load.pause:
                await asyncio.sleep(load.pause)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, *, first: bool
    ) -> bool:
        """One request; whether the connection can take another."""
        tally, started = self.tally, time.perf_counter()
        tally.sent += 1
        writer.write(request)
        try:
            status, body, last = await asyncio.wait_for(_read_answer(reader), self.load.patience)
        except TimeoutError:
            tally.stuck += 1
            return False
        except asyncio.IncompleteReadError as error:
            self._broken(first, error, nothing=not error.partial)
            return False
        except OSError as error:
            self._broken(first, error, nothing=True)
            return False
        seconds = time.perf_counter() - started
        tally.times.append(seconds)
        tally.longest = max(tally.longest, seconds)
        if status == b"200" and body in self.load.expected:
            tally.answered += 1
        else:
            tally.fail(f"{status.decode()} {body[:200]!r}")
        tally.reopened += last
        return not last

    def _broken(self, first: bool, error: Exception, *, nothing: bool) -> None:
        if nothing and not first:
            self.tally.stale += 1
        else:
            self.tally.fail(repr(error))


def _request(path: str, *, kept: bool) -> bytes:
    close = "" if kept else "connection: close\r\n"
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\n{close}\r\n".encode()


async def _read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bool]:
    """Status, body, and whether the proxy closes the connection after it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head[9:12], await reader.readexactly(length), b"\r\nconnection: close" in head


@contextmanager
def clients(load: Load) -> Iterator[Tally]:
    """The tally of clients that ask while the block runs; complete after it."""
    running = Clients(load)
    running.start()
    try:
        yield running.tally
    finally:
        running.stop()
