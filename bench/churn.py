"""Configuration churn under load: routes change 20 times a second, and no request fails.

    python -m bench.churn [--seconds S] [--rate N] [--routes N] [--check]

A gateway with two workers and ROUTES routes; clients ask for a route whose answer changes with every write, and for a
service behind it. After each write is answered, its answer is asked for over a new connection: it must be there. Memory
of every process is read after the first tenth and at the end, both at rest. ``--check`` ends with status 1 where a
request fails, or an answer is stale.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from pathlib import Path

from bench.clients import Load, clients
from bench.running import Running, furnished
from bench.write_to_served import ask

REST_SECONDS = 2.0


def resident(pid: int) -> float:
    """Megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def weigh(running: Running) -> dict[str, tuple[float, int]]:
    """Megabytes and descriptors of each process."""
    kinds = running.children()
    return {f"{kind} {n + 1}": (resident(p), descriptors(p)) for kind in kinds for n, p in enumerate(kinds[kind])}


class Writer:
    """Writes at a rate over one connection, and looks whether each write is served."""

    def __init__(self, running: Running) -> None:
        self.writes = 0
        self.stale = 0
        self.worst = 0.0
        self._running = running
        self._admin = http.client.HTTPConnection("127.0.0.1", running.admin, timeout=30)

    def write_for(self, seconds: float, rate: float) -> None:
        end = time.monotonic() + seconds
        due = time.monotonic()
        while time.monotonic() < end:
            self._write()
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _write(self) -> None:
        self.writes += 1
        text = f"{'ab'[self.writes % 2]}"
        route = {"match": {"path": {"exact": "/changing"}}, "direct_response": {"status": 200, "body": text}}
        started = time.perf_counter()
        status, body = ask(self._admin, "PUT", "/api/v1/routes/changing", route)
        self.worst = max(self.worst, time.perf_counter() - started)
        if status >= 300:
            raise SystemExit(f"PUT: {status} {body.decode()}")
        proxy = http.client.HTTPConnection("127.0.0.1", self._running.proxy, timeout=10)
        self.stale += ask(proxy, "GET", "/changing") != (200, text.encode())
        proxy.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--routes", type=int, default=100)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, furnished(Path(directory)) as running:
        others = [
            {"name": f"other-{n}", "match": {"path": {"prefix": f"/other/{n}"}}, "direct_response": {}}
            for n in range(given.routes)
        ]
        running.write("POST", "/config/apply", {"routes": others})
        writer = Writer(running)
        with (
            clients(Load(running.proxy, keep=12, fresh=4, pause=0.002)) as plain,
            clients(Load(running.proxy, "/changing", expected=(b"a", b"b", b"ok"), keep=4, pause=0.002)) as changing,
        ):
            writer.write_for(given.seconds / 10, given.rate)
            time.sleep(REST_SECONDS)
            before = weigh(running)
            writer.write_for(given.seconds * 9 / 10, given.rate)
            time.sleep(REST_SECONDS)
            after = weigh(running)
    lost = plain.lost + changing.lost
    print(f"{writer.writes} writes in {given.seconds:g} s beside {given.routes} routes,", end=" ")
    print(f"worst {writer.worst * 1000:.0f} ms, {writer.stale} not served when answered")
    print(f"{plain.sent + changing.sent:,} requests, {lost} lost {plain.words + changing.words}", end=" ")
    print(f"(p99 {plain.percentile(0.99):.1f} ms, longest {plain.longest * 1000:.0f} ms)")
    for name, (memory, files) in after.items():
        print(f"{name}: {before[name][0]:.1f} MB, {before[name][1]} files -> {memory:.1f} MB, {files} files")
    return int(given.check and (lost > 0 or writer.stale > 0))


if __name__ == "__main__":
    sys.exit(main())
