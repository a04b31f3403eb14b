"""Whether proxied requests notice that 1,000 upstreams are probed meanwhile.

    python -m bench.probes_beside_proxy [upstreams] [rounds] [seconds a round]

A gateway with one worker proxies to one small service, which wrk asks over a fixed number of connections. Rounds
without other upstreams and rounds with them take turns, so that whatever else the machine does hits both. The services
that are probed are one process, as in ``bench.discovery_idle``; its work counts against the rounds with them.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.write_to_served import ask, gateway_on

CONNECTIONS = 8
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


def wrk(proxy: int, seconds: float) -> tuple[float, dict[str, float]]:
    """Requests a second, and milliseconds by percentile."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", f"http://127.0.0.1:{proxy}/"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert rate is not None
    found = re.findall(r"^\s+(50|75|90|99)%\s+([0-9.]+)(us|ms|s)$", told, re.MULTILINE)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    return float(rate[1]), {percent: float(value) * units[unit] for percent, value, unit in found}


def measure(upstreams: int, ports: list[int], service: int, seconds: float) -> tuple[float, dict[str, float]]:
    with TemporaryDirectory() as folder, gateway_on(Path(folder), workers=1) as (proxy, admin):
        own = {"name": "own", "endpoints": [f"http://127.0.0.1:{service}"], "discovery": {"enabled": False}}
        others = [
            {"name": f"other-{n}", "endpoints": [f"http://127.0.0.1:{ports[n % len(ports)]}"]} for n in range(upstreams)
        ]
        route = {"name": "all", "match": {"path": {"prefix": "/"}}, "destinations": [{"upstream": "own"}]}
        send(admin, "/api/v1/config/apply", {"upstreams": [own, *others], "routes": [route]})
        wrk(proxy, SETTLE_SECONDS if upstreams else 2.0)
        return wrk(proxy, seconds)


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    count, rounds, seconds = (float(one) for one in (*sys.argv[1:], *("1000", "3", "20")[len(sys.argv) - 1 :]))
    found: dict[int, list[tuple[float, dict[str, float]]]] = {0: [], int(count): []}
    with (
        services("bench.probes_beside_proxy", "serve") as (service,),
        services("bench.discovery_idle", "serve", str(max(1, int(count) // 10))) as ports,
    ):
        for _ in range(int(rounds)):
            for upstreams, results in found.items():
                results.append(measure(upstreams, ports, service, seconds))
                rate, times = results[-1]
                told = ", ".join(f"p{percent} {value:.2f} ms" for percent, value in times.items())
                print(f"{upstreams} upstreams: {rate:.0f} requests/s, {told}", flush=True)
    for upstreams, results in found.items():
        p99 = statistics.median(times["99"] for _, times in results)
        rate = statistics.median(rate for rate, _ in results)
        print(f"median of {len(results)} rounds, {upstreams} upstreams: {rate:.0f} requests/s, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main()
