"""What a swap of the snapshot costs the requests that are under way meanwhile.

    python -m bench.swap [--check] [--routes N]

Starts a gateway with one worker, an upstream and a client of their own. The client keeps four connections, asks at a
steady pace and notes how long each proxied request takes: while nothing changes, while single routes are written one
after another, and while all routes are replaced at once. ``--check`` ends with status 1 where the p99 during swaps is
more than 5 ms above the quiet one.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvloop

from bench.write_to_served import ask, free_port, gateway

MOST_MS = 5.0
CONNECTIONS = 4
PACE_SECONDS = 0.004  # between two requests of a connection: a thousand a second, so that no queue builds up
QUIET_SECONDS = 5.0
WRITES = 20
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def serve_upstream(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


async def ask_steadily(port: int) -> None:
    """Prints a line per request: when it began, and its milliseconds."""

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            started = time.monotonic()
            writer.write(b"GET /up HTTP/1.1\r\nhost: a.test\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            print(started, (time.monotonic() - started) * 1000, flush=True)
            await asyncio.sleep(PACE_SECONDS)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


@dataclass
class Client:
    """The process that asks."""

    process: subprocess.Popen[str]
    taken: list[tuple[float, float]] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            started, milliseconds = line.split()
            self.taken.append((float(started), float(milliseconds)))

    def during(self, work: Callable[[], None]) -> list[float]:
        began = time.monotonic()
        work()
        ended = time.monotonic()
        time.sleep(0.5)
        return sorted(taken for started, taken in list(self.taken) if began <= started <= ended)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.swap", *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def routes_of(count: int, text: str) -> list[dict[str, Any]]:
    return [
        {"name": f"other-{n}", "match": {"path": {"prefix": f"/other/{n}"}}, "direct_response": {"body": text}}
        for n in range(count)
    ]


def apply(admin: int, **sections: Any) -> None:
    status, body = ask(connect(admin), "POST", "/api/v1/config/apply", sections)
    assert status in (200, 201), body


def connect(admin: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", admin, timeout=120)


def write_one_by_one(admin: int, count: int) -> None:
    connection = connect(admin)
    for number in range(WRITES):
        route = routes_of(count, str(number))[number * count // WRITES]
        status, body = ask(connection, "PUT", f"/api/v1/routes/{route['name']}", route)
        assert status in (200, 201), body


def report(name: str, times: list[float]) -> float:
    p99 = times[int(len(times) * 0.99)]
    median = times[len(times) // 2]
    print(f"{name:22} {len(times):7} requests, median {median:6.2f} ms, p99 {p99:6.2f} ms, worst {times[-1]:6.2f} ms")
    return p99


def measure(proxy: int, admin: int, upstream: int, count: int) -> float:
    """Milliseconds by which the worse p99 during swaps is above the quiet one."""
    up = {"name": "up", "endpoints": [f"http://127.0.0.1:{upstream}"], "discovery": {"enabled": False}}
    to_up = {"name": "up", "match": {"path": {"exact": "/up"}}, "destinations": [{"upstream": "up"}]}
    apply(admin, upstreams=[up], routes=[to_up, *routes_of(count, "first")])
    client = Client(start("--ask", proxy))
    threading.Thread(target=client.read, daemon=True).start()
    try:
        time.sleep(2)
        quiet = report("quiet", client.during(lambda: time.sleep(QUIET_SECONDS)))
        single = report(f"{WRITES} single writes", client.during(lambda: write_one_by_one(admin, count)))
        everything = routes_of(count, "second")
        whole = report("all replaced at once", client.during(lambda: apply(admin, routes=everything)))
    finally:
        client.process.terminate()
        client.process.wait()
    return max(single, whole) - quiet


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask or given.answer:
        uvloop.run(ask_steadily(given.ask) if given.ask else serve_upstream(given.answer))
        return 0
    port = free_port()
    upstream = start("--answer", port)
    try:
        with gateway(1) as (proxy, admin):
            added = measure(proxy, admin, port, given.routes)
    finally:
        upstream.terminate()
        upstream.wait()
    print(f"swaps add {added:.2f} ms to the p99")
    return int(given.check and added > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
