"""What a swap of the snapshot costs the requests that are under way meanwhile.

    python -m bench.swap [--check] [--routes N] [--times N]

Starts a gateway with one worker, and an upstream and a client of their own. Requests come at a fixed rate by random
gaps, and their time runs from when they were due (``bench.steady``): while nothing changes, while single routes are
written one after another, and while all routes are replaced at once. A write's time is from sending it to its answer,
which comes when the worker serves it. ``--check`` ends with status 1 where the p99 during swaps is more than 5 ms above
the quiet one, or a request is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvloop

from bench.report import table
from bench.steady import Load, Outcome, Plan, percentile
from bench.write_to_served import ask, free_port, gateway, wait_for_port

MOST_MS = 5.0
RATE = 2_000.0  # requests a second: a tenth of what a worker can take, so that a pause shows and no queue builds up
CONNECTIONS = 32
QUIET_SECONDS = 3.0
WRITES = 20
LONGEST_SECONDS = 600.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
QUIET, SINGLE, WHOLE = "nothing changes", "single routes are written", "all routes are replaced at once"


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def serve_upstream(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


@dataclass(frozen=True)
class Phase:
    """What happened when; seconds by the monotonic clock."""

    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Swaps:
    phases: list[Phase]
    outcome: Outcome

    def times(self, what: str) -> list[float]:
        """Milliseconds, of the requests that were due meanwhile."""
        return [
            taken
            for phase in self.phases
            if phase.what == what
            for taken in self.outcome.between(phase.began, phase.ended)
        ]

    def added(self, what: str) -> float:
        return percentile(self.times(what), 99) - percentile(self.times(QUIET), 99)


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


def write_one_by_one(admin: int, count: int, text: str) -> None:
    connection = connect(admin)
    for number in range(WRITES):
        route = routes_of(count, text)[number * count // WRITES]
        status, body = ask(connection, "PUT", f"/api/v1/routes/{route['name']}", route)
        assert status in (200, 201), body


def list_work(admin: int, count: int, number: int) -> list[tuple[str, Callable[[], None]]]:
    """What happens in one turn."""
    everything = routes_of(count, f"all {number}")
    return [
        (QUIET, lambda: time.sleep(QUIET_SECONDS)),
        (SINGLE, lambda: write_one_by_one(admin, count, f"single {number}")),
        (QUIET, lambda: time.sleep(QUIET_SECONDS)),
        (WHOLE, lambda: apply(admin, routes=everything)),
    ]


def measure(proxy: int, admin: int, upstream: int, count: int, times: int) -> Swaps:
    up = {"name": "up", "endpoints": [f"http://127.0.0.1:{upstream}"], "discovery": {"enabled": False}}
    to_up = {"name": "up", "match": {"path": {"exact": "/up"}}, "destinations": [{"upstream": "up"}]}
    apply(admin, upstreams=[up], routes=[to_up, *routes_of(count, "first")])
    load = Load(Plan(proxy, RATE, LONGEST_SECONDS, ("/up",), connections=CONNECTIONS), core="")
    phases = []
    try:
        time.sleep(2)
        for number in range(times):
            for what, work in list_work(admin, count, number):
                began = time.monotonic()
                work()
                phases.append(Phase(what, began, time.monotonic()))
                time.sleep(0.5)
    finally:
        outcome = load.finish(now=True)
    return Swaps(phases, outcome)


def measure_swaps_of(routes: int, times: int) -> Swaps:
    port = free_port()
    upstream = subprocess.Popen([sys.executable, "-m", "bench.swap", "--answer", str(port)])
    try:
        wait_for_port(port)
        with gateway(1) as (proxy, admin):
            return measure(proxy, admin, port, routes, times)
    finally:
        upstream.terminate()
        upstream.wait()


def describe(swaps: Swaps) -> list[str]:
    rows = []
    for what in (QUIET, SINGLE, WHOLE):
        taken = swaps.times(what)
        longest = max((phase.ended - phase.began for phase in swaps.phases if phase.what == what), default=0.0)
        times = [f"{percentile(taken, percent):.2f}" for percent in (50, 99, 99.9, 100)]
        added = "" if what == QUIET else f"{swaps.added(what):+.2f}"
        rows.append([what, f"{longest:.1f}", f"{len(taken):,}", *times, added])
    head = ["while", "s at most", "requests", "p50 ms", "p99 ms", "p99.9 ms", "longest ms", "added to p99"]
    lost = f"Requests lost: {swaps.outcome.lost}; answered with an error: {swaps.outcome.failed}."
    return [*table(head, rows), "", lost]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer:
        uvloop.run(serve_upstream(given.answer))
        return 0
    swaps = measure_swaps_of(given.routes, given.times)
    print("\n".join(describe(swaps)))
    lost = swaps.outcome.lost + swaps.outcome.failed
    return int(given.check and (lost > 0 or max(swaps.added(SINGLE), swaps.added(WHOLE)) > MOST_MS))


if __name__ == "__main__":
    sys.exit(main())
