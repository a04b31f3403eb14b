"""Overload: several times what the gateway takes, slow readers, large bodies both ways; it refuses fast and stays flat.

    python -m bench.overload [--seconds S] [--check]

A gateway with two workers that each take REQUESTS requests in flight and CONNECTIONS connections. For S seconds:

    flood    4 x REQUESTS clients on two workers' worth of places, each asking for an answer that takes 0.2 s
    idle     4 x CONNECTIONS idle connections, most of which have to be turned away
    readers  clients that ask for 100 MB and read a few bytes a second
    bodies   1 GB down and 1 GB up, one after the other, again and again

Memory of each worker is read every second. Afterwards a quiet client measures how long it takes until everything is
answered again.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.churn import resident
from bench.clients import Load, clients
from bench.running import Running, furnished, wait_until
from coalmine.serve.descriptors import raise_limit

REQUESTS = 200
CONNECTIONS = 2_000
FLOOD = 4 * 2 * REQUESTS
IDLE = 4 * CONNECTIONS
READERS = 20
GIGABYTE = 1 << 30
_PIECE = bytes(262_144)


@dataclass
class Seen:
    statuses: Counter[str] = field(default_factory=Counter)
    refused: list[float] = field(default_factory=list)  # seconds until a 503
    taken: list[float] = field(default_factory=list)  # seconds until a 200
    gigabytes: Counter[str] = field(default_factory=Counter)
    idle: int = 0
    no_retry_after: int = 0


async def flood(port: int, seen: Seen) -> None:
    """One client: asks again and again, without mercy for a 503."""
    request = b"GET /after/0.2 HTTP/1.1\r\nhost: bench\r\n\r\n"
    while True:
        with suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                while True:
                    await _ask(reader, writer, request, seen)
            finally:
                writer.close()
        seen.statuses["closed"] += 1
        await asyncio.sleep(0.2)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, seen: Seen) -> None:
    started = time.perf_counter()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(next(int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"content-length:"))
    seconds = time.perf_counter() - started
    status = head[9:12].decode()
    seen.statuses[status] += 1
    if status == "503":
        seen.refused.append(seconds)
        seen.no_retry_after += b"\r\nretry-after:" not in head
        await asyncio.sleep(0.05)
    else:
        seen.taken.append(seconds)


async def idle(port: int, seen: Seen) -> None:
    """One connection that says nothing; opened again when it is closed."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            seen.idle += 1
            try:
                await reader.read()
            finally:
                seen.idle -= 1
                writer.close()
        await asyncio.sleep(1.0)


async def read_slowly(port: int) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
            writer.write(b"GET /bytes/100000000 HTTP/1.1\r\nhost: bench\r\n\r\n")
            while await reader.read(16):
                await asyncio.sleep(0.25)
            writer.close()
        await asyncio.sleep(0.5)


async def move_bodies(port: int, seen: Seen) -> None:
    while True:
        for way, move in (("down", _download), ("up", _upload)):
            try:
                seen.gigabytes[way if await move(port) else f"{way} refused"] += 1
            except (OSError, EOFError):
                seen.gigabytes[f"{way} broken"] += 1
            await asyncio.sleep(0.1)


async def _download(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /bytes/%d HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n" % GIGABYTE)
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    while data := await reader.read(1 << 20):
        size += len(data)
    writer.close()
    return head[9:12] == b"200" and size == GIGABYTE


async def _upload(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /up HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % GIGABYTE)
    for _ in range(GIGABYTE // len(_PIECE)):
        writer.write(_PIECE)
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head[9:12] == b"200"


async def overload(port: int, seconds: float, seen: Seen) -> None:
    loads = [flood(port, seen) for _ in range(FLOOD)]
    tasks = [asyncio.create_task(load) for load in (*loads, move_bodies(port, seen))]
    tasks += [asyncio.create_task(read_slowly(port)) for _ in range(READERS)]
    for _ in range(IDLE):
        tasks.append(asyncio.create_task(idle(port, seen)))
        if len(tasks) % 200 == 0:
            await asyncio.sleep(0.01)
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def watch(running: Running, until: threading.Event, weights: list[float]) -> None:
    """Megabytes of both workers, every second."""
    workers = running.children()["worker"]
    while not until.wait(1.0):
        weights.append(sum(map(resident, workers)))


def milliseconds(times: list[float]) -> str:
    if not times:
        return "none"
    times = sorted(times)
    return f"p50 {statistics.median(times) * 1000:.0f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    raise_limit()
    limits = ("--max-requests", str(REQUESTS), "--max-connections", str(CONNECTIONS))
    seen, weights, until = Seen(), [], threading.Event()
    with tempfile.TemporaryDirectory() as directory, furnished(Path(directory), *limits) as running:
        before = running.children()
        at_rest = sum(map(resident, before["worker"]))
        watcher = threading.Thread(target=watch, args=(running, until, weights))
        watcher.start()
        uvloop.run(overload(running.proxy, given.seconds, seen))
        until.set()
        watcher.join()
        recovered = wait_until(lambda: _is_well(running), "an answer")
        with clients(Load(running.proxy, keep=8, fresh=2, pause=0.01)) as after:
            time.sleep(2)
        same = running.children() == before
        ready = running.ready()
    half = weights[len(weights) // 2 :]
    print(f"{given.seconds:g} s; the flood: {dict(seen.statuses)}; 503 without Retry-After: {seen.no_retry_after}")
    print(f"answered: {milliseconds(seen.taken)}; refused: {milliseconds(seen.refused)}")
    print(f"bodies of 1 GB: {dict(seen.gigabytes)}")
    print(f"both workers: {at_rest:.0f} MB at rest, {max(weights):.0f} MB at most;", end=" ")
    print(f"second half {half[0]:.0f} -> {half[-1]:.0f} MB; the same processes: {same}")
    print(
        f"afterwards: an answer after {recovered:.1f} s, {after.sent} requests, {after.lost} lost; readyz {ready[:3]}"
    )
    return int(given.check and not (same and after.lost == 0 and recovered < 5 and max(weights) - at_rest < 300))


def _is_well(running: Running) -> bool:
    with clients(Load(running.proxy, keep=1, fresh=0, patience=1.0)) as tally:
        time.sleep(0.2)
    return tally.answered > 0 and tally.lost == 0


if __name__ == "__main__":
    sys.exit(main())
