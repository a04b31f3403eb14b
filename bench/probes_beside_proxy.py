"""Whether proxied requests notice that 1,000 upstreams are probed meanwhile.

    python -m bench.probes_beside_proxy [--upstreams N] [--rounds N] [--seconds S] [--rate R | --saturated]

A gateway with one worker proxies to one small service. Requests come at a fixed moderate rate by random gaps, and their
time runs from when they were due (``bench.steady``); ``--saturated`` asks by wrk as often as answers come, which shows
what is left for others when the cores are full. Rounds without other upstreams and rounds with them take turns, so that
whatever else the machine does hits both. The services that are probed are one process, as in ``bench.discovery_idle``;
its work counts against the rounds with them.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.report import describe_machine, describe_moment, table, write_part
from bench.steady import Plan, send_steadily
from bench.write_to_served import ask, gateway_on

CONNECTIONS = 16
RATE = 2_000.0  # requests a second: a tenth of what a worker can take
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"
# Before a round with upstreams is measured: until all were read, checked and are probed by turns.
SETTLE_SECONDS = 75.0


class Service(asyncio.Protocol):
    """Answers every request with an empty list, as quickly as Python can."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0)
    print(json.dumps([server.sockets[0].getsockname()[1]]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def services(*command: str) -> Iterator[list[int]]:
    """The ports of a process of services."""
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def send(admin: int, path: str, body: Any) -> None:
    status, told = ask(http.client.HTTPConnection("127.0.0.1", admin, timeout=60), "POST", path, body)
    assert status in (200, 201), told


@dataclass(frozen=True)
class Round:
    rate: float  # requests a second that were answered
    p50: float  # milliseconds
    p99: float
    lost: int  # or answered with an error


def ask_steadily(rate: float, proxy: int, seconds: float) -> Round:
    outcome = send_steadily(Plan(proxy, rate, seconds, connections=CONNECTIONS), core="")
    answered = len(outcome.taken) / seconds
    return Round(answered, outcome.percentile(50), outcome.percentile(99), outcome.lost + outcome.failed)


def ask_always(proxy: int, seconds: float) -> Round:
    """By wrk."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", f"http://127.0.0.1:{proxy}/"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert rate is not None
    found = re.findall(r"^\s+(50|75|90|99)%\s+([0-9.]+)(us|ms|s)$", told, re.MULTILINE)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    times = {percent: float(value) * units[unit] for percent, value, unit in found}
    return Round(float(rate[1]), times["50"], times["99"], 0)


Ask = Callable[[int, float], Round]


def measure(upstreams: int, ports: list[int], service: int, seconds: float, ask_proxy: Ask) -> Round:
    with TemporaryDirectory() as folder, gateway_on(Path(folder), workers=1) as (proxy, admin):
        own = {"name": "own", "endpoints": [f"http://127.0.0.1:{service}"], "discovery": {"enabled": False}}
        others = [
            {"name": f"other-{n}", "endpoints": [f"http://127.0.0.1:{ports[n % len(ports)]}"]} for n in range(upstreams)
        ]
        route = {"name": "all", "match": {"path": {"prefix": "/"}}, "destinations": [{"upstream": "own"}]}
        send(admin, "/api/v1/config/apply", {"upstreams": [own, *others], "routes": [route]})
        ask_proxy(proxy, SETTLE_SECONDS if upstreams else 2.0)
        return ask_proxy(proxy, seconds)


def measure_rounds(given: argparse.Namespace) -> dict[int, list[Round]]:
    ask_proxy: Ask = ask_always if given.saturated else partial(ask_steadily, given.rate)
    found: dict[int, list[Round]] = {0: [], given.upstreams: []}
    with (
        services("bench.probes_beside_proxy", "serve") as (service,),
        services("bench.discovery_idle", "serve", str(max(1, given.upstreams // 10))) as ports,
    ):
        for _ in range(given.rounds):
            for upstreams, rounds in found.items():
                rounds.append(measure(upstreams, ports, service, given.seconds, ask_proxy))
                print(f"{upstreams} upstreams: {rounds[-1]}", file=sys.stderr, flush=True)
    return found


def describe(found: dict[int, list[Round]]) -> list[str]:
    rows = []
    for upstreams, rounds in found.items():
        rate, p50, p99 = (
            statistics.median(values) for values in zip(*((r.rate, r.p50, r.p99) for r in rounds), strict=True)
        )
        each = ", ".join(f"{one.p99:.2f}" for one in rounds)
        lost = sum(one.lost for one in rounds)
        rows.append([f"{upstreams:,}", f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}", each, lost])
    head = ["upstreams probed", "requests/s", "p50 ms", "p99 ms", "p99 of each round", "lost or failed"]
    return table(head, rows)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstreams", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--saturated", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    given, before = read_arguments(), os.getloadavg()[0]
    lines = describe(measure_rounds(given))
    moment = f"{describe_moment('make bench-probes-beside-proxy', before)} ({describe_machine()})"
    print("\n".join([moment, "", *lines]))
    if given.write and not given.saturated:
        write_part("probes beside the proxy", [moment, "", *lines])


if __name__ == "__main__":
    main()
