"""Whether proxied requests notice that somebody watches: scrapes of /metrics, and a large document that is read.

    python -m bench.visible [--routes N] [--workers N] [--rounds N] [--seconds S] [--rate R] [--write]

A gateway whose routes have all been asked, so that a scrape tells a series of each. Requests come at a fixed rate by
random gaps, and their time runs from when they were due (``bench.steady``). Rounds take turns, so that whatever else
the machine does hits all kinds:

    nobody                    nothing else happens
    a scrape a second         as Prometheus does it at its most eager
    scrapes without a pause   the next one begins when the last one is read
    a document                4 MB of YAML, another one each time, probed again as soon as it has been read
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.large_documents import make
from bench.report import describe_machine, describe_moment, table, write_part
from bench.running import ROOT, Running, environment, run, service, wait_until
from bench.steady import Plan, send_steadily

OPERATIONS = 1_620  # make 4 MB of YAML
CONNECTIONS = 32
BATCH = 250  # routes in one write
SETTLE_SECONDS = 2.0
VERSION = b"version: '1'"  # in the document; another one each time


@dataclass(frozen=True)
class Round:
    rate: float  # requests a second that were answered
    p50: float  # milliseconds
    p99: float
    lost: int  # or answered with an error
    times: int  # that somebody watched
    seconds: float  # that it took once, at the median
    megabytes: float


class Watcher:
    """Does ``once`` again and again, with so many seconds from one beginning to the next; gives bytes."""

    def __init__(self, once: Callable[[], int], every: float) -> None:
        self._once, self._every = once, every
        self.seconds: list[float] = []
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.bytes = self._once()
            self.seconds.append(time.monotonic() - began)
            self._stop.wait(max(0.0, began + self._every - time.monotonic()))

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


def scrape(running: Running) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.admin, timeout=60)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return len(answer.read())
    finally:
        connection.close()


def probe(running: Running) -> int:
    """Until the document has been read, compared and stored."""
    status, told = running.call("POST", "/api/v1/upstreams/documented/probe", {}, seconds=120)
    attempt = json.loads(told)["attempts"][0]
    assert status == 200 and attempt["outcome"] == "taken", told
    return int(attempt["size_bytes"])


Kinds = dict[str, Callable[[Running], Watcher] | None]
KINDS: Kinds = {
    "nobody": None,
    "a scrape a second": lambda running: Watcher(lambda: scrape(running), 1.0),
    "scrapes without a pause": lambda running: Watcher(lambda: scrape(running), 0.0),
    "a document": lambda running: Watcher(lambda: probe(running), 0.0),
}


# The service that has the document ---------------------------------------------------------------------------


async def serve_document() -> None:
    """Tells its port and the document's size; ends when its standard input does."""
    text = yaml.dump(yaml.safe_load(make(OPERATIONS)), Dumper=yaml.CSafeDumper).encode()
    assert VERSION in text
    count = 1

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        body = text.replace(VERSION, b"version: '%d'" % count, 1)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/yaml\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], len(text), flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def documented() -> Iterator[tuple[int, int]]:
    """Port and size in bytes."""
    command = [sys.executable, "-m", "bench.visible", "serve"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment(), **pipes) as process:
        try:
            port, size = map(int, process.stdout.readline().split())
            yield port, size
        finally:
            process.kill()


# Rounds ------------------------------------------------------------------------------------------------------


def furnish(running: Running, own: int, document: int, routes: int) -> tuple[str, ...]:
    """Paths, each with a route of its own; all have been asked afterwards."""
    off, never = {"enabled": False}, {"interval_seconds": 86_400}
    origin = f"http://127.0.0.1:{document}"
    discovery = {**never, "document_url": f"{origin}/openapi.yaml"}
    upstreams = [
        {"name": "own", "endpoints": [f"http://127.0.0.1:{own}"], "discovery": off},
        {"name": "documented", "endpoints": [origin], "discovery": discovery},
    ]
    running.write("POST", "/config/apply", {"upstreams": upstreams})
    paths = [f"/service-{number}" for number in range(routes)]
    made = [
        {"name": path[1:], "match": {"path": {"prefix": path}}, "destinations": [{"upstream": "own"}]} for path in paths
    ]
    for begin in range(0, routes, BATCH):
        running.write("POST", "/config/apply", {"routes": made[begin : begin + BATCH]})
    return tuple(paths)


def measure(running: Running, kind: str, paths: tuple[str, ...], given: argparse.Namespace) -> Round:
    plan = Plan(running.proxy, given.rate, given.seconds, paths=paths, connections=CONNECTIONS)
    make_watcher = KINDS[kind]
    if make_watcher is None:
        outcome, seconds, told = send_steadily(plan, core=""), [0.0], 0
    else:
        with make_watcher(running).watching() as watcher:
            outcome = send_steadily(plan, core="")
        seconds, told = watcher.seconds, watcher.bytes
    times = 0 if make_watcher is None else len(seconds)
    return Round(
        len(outcome.taken) / given.seconds,
        outcome.percentile(50),
        outcome.percentile(99),
        outcome.lost + outcome.failed,
        times,
        statistics.median(seconds),
        told / 1e6,
    )


def measure_rounds(given: argparse.Namespace) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with TemporaryDirectory() as folder, service() as own, documented() as (port, size):
        print(f"the document has {size / 1e6:.1f} MB", file=sys.stderr)
        with run(Path(folder), workers=given.workers) as running:
            wait_until(lambda: running.ready().startswith("200"), "ready", 120)
            paths = furnish(running, own, port, given.routes)
            send_steadily(Plan(running.proxy, given.rate, SETTLE_SECONDS + given.routes / given.rate, paths), core="")
            for _ in range(given.rounds):
                for kind, rounds in found.items():
                    rounds.append(measure(running, kind, paths, given))
                    print(f"{kind}: {rounds[-1]}", file=sys.stderr, flush=True)
    return found


def describe(found: dict[str, list[Round]]) -> list[str]:
    rows = []
    for kind, rounds in found.items():
        rate, p50, p99, seconds = (
            statistics.median(values)
            for values in zip(*((r.rate, r.p50, r.p99, r.seconds) for r in rounds), strict=True)
        )
        times = sum(one.times for one in rounds)
        watched = f"{times} times, {seconds:.2f} s each" if times else ""
        each = ", ".join(f"{one.p99:.2f}" for one in rounds)
        lost = sum(one.lost for one in rounds)
        rows.append([kind, watched, f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}", each, lost])
    return table(["who watches", "how often", "requests/s", "p50 ms", "p99 ms", "p99 of each round", "lost"], rows)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=3_000.0)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve_document())
        return
    given, before = read_arguments(), os.getloadavg()[0]
    lines = describe(measure_rounds(given))
    moment = f"{describe_moment('make bench-visible', before)} ({describe_machine()})"
    print("\n".join([moment, "", *lines]))
    if given.write:
        write_part("watched", [moment, "", *lines])


if __name__ == "__main__":
    main()
