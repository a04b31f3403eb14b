"""Large bodies through a gateway, both ways, over and over; what arrives is compared by its SHA-256.

The service behind it is ``bench.service``: it makes the bodies that are fetched, and tells the digest of those it gets.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from functools import lru_cache

from bench.service import pattern

_BUFFER = 1 << 20
PATIENCE_SECONDS = 180.0  # for one body; on a busy machine one of 1 GB may well take a minute
AGAIN_SECONDS = 0.1  # after a refusal: somebody who needs it, and does not wait for as long as he is told to


@dataclass
class Moved:
    """``seconds`` of those that arrived as they were sent, from being admitted until the last byte."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    wrong: int = 0  # arrived, and differ
    broken: list[str] = field(default_factory=list)

    def tell(self, size: int) -> str:
        told = f"{len(self.seconds)} arrived as they were sent"
        if self.seconds:
            told += f" ({size / 1e6 / (sum(self.seconds) / len(self.seconds)):,.0f} MB/s)"
        return f"{told}, {self.wrong} differ, {len(self.broken)} broke {self.broken[:3]}, refused {self.refused} times"


@lru_cache
def digest(size: int) -> str:
    found = hashlib.sha256()
    for piece in pattern(size):
        found.update(piece)
    return found.hexdigest()


async def keep_moving(port: int, way: str, size: int, moved: Moved, stop: asyncio.Event) -> None:
    """One after the other, until ``stop``; what is under way then is finished."""
    move = {"down": fetch, "up": send}[way]
    while not stop.is_set():
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found, seconds = await move(port, size)
        except (OSError, EOFError, ValueError) as error:
            moved.broken.append(repr(error))
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if found is None:
            moved.refused += 1
            await asyncio.sleep(AGAIN_SECONDS)
        elif found == digest(size):
            moved.seconds.append(seconds)
        else:
            moved.wrong += 1


async def fetch(port: int, size: int) -> tuple[str | None, float]:
    """The digest of what came, None where it was refused; and the seconds that it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_BUFFER)
    try:
        writer.write(b"GET /pattern/%d HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n" % size)
        status = (await reader.readuntil(b"\r\n\r\n"))[9:12]
        if status != b"200":
            return _refused(status), 0.0
        started, found = time.monotonic(), hashlib.sha256()
        while data := await reader.read(_BUFFER):
            found.update(data)
        return found.hexdigest(), time.monotonic() - started
    finally:
        writer.close()


async def send(port: int, size: int) -> tuple[str | None, float]:
    """As ``fetch``, the other way; the digest is the service's. Only an answer of 100 has the body sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = b"POST /digest HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\nexpect: 100-continue\r\n"
        writer.write(head % size + b"connection: close\r\n\r\n")
        status = (await reader.readuntil(b"\r\n\r\n"))[9:12]
        if status != b"100":
            return _refused(status), 0.0
        started = time.monotonic()
        for piece in pattern(size):
            writer.write(piece)
            await writer.drain()
        status = (await reader.readuntil(b"\r\n\r\n"))[9:12]
        if status != b"200":
            raise ValueError(f"answered {status.decode()} after the whole body")
        return (await reader.readexactly(64)).decode(), time.monotonic() - started
    finally:
        writer.close()


def _refused(status: bytes) -> None:
    if status != b"503":
        raise ValueError(f"answered {status.decode()}")
