"""Configuration churn under load: routes change 20 times a second, and no request fails.

    python -m bench.churn [--seconds S] [--rate N] [--load N] [--routes N] [--check]

A gateway with two workers and ROUTES routes. Two writers, each with a route of its own whose answer changes with every
write, make RATE changes a second between them. After each write is answered, its answer is asked for over a new
connection: it must be there. Meanwhile LOAD requests a second are sent at times of their own, to a service behind the
gateway and to the routes that change, and a few clients open a connection for each request: a load that leaves the
writers room, so that their rate is reached; it is told, and so is the load's. Memory and files of every process are
read after the first tenth and at the end, both at rest.

``--check`` ends with status 1 where a request fails or is lost, an answer is stale, a process has grown by more than
GROWTH_MB or GROWTH_FILES, or fewer changes were made than 95 % of RATE.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import clients as asking
from bench.processes import cpu_seconds, end_on_sigterm
from bench.running import Running, furnished
from bench.steady import Load, Outcome, Plan
from bench.write_to_served import ask

WRITERS = 2
ENOUGH = 0.95  # of the rate that is wanted
GROWTH_MB = 8.0  # what a process may differ by: the allocators of a few thousand writes, not a leak of each
GROWTH_FILES = 64  # connections that happen to be open; a thousand writes that each leave one behind are more
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
    """Writes a route of its own at a rate over one connection, and looks whether each write is served."""

    def __init__(self, running: Running, name: str) -> None:
        self.name = name
        self.writes = 0
        self.stale = 0
        self.worst = 0.0
        self.problem = ""
        self._running = running
        self._admin = http.client.HTTPConnection("127.0.0.1", running.admin, timeout=30)

    def write_for(self, seconds: float, rate: float) -> None:
        end = time.monotonic() + seconds
        due = time.monotonic()
        while time.monotonic() < end and not self.problem:
            self.write()
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def write(self) -> None:
        self.writes += 1
        text = f"{self.writes}"
        route = {"match": {"path": {"exact": f"/{self.name}"}}, "direct_response": {"status": 200, "body": text}}
        started = time.perf_counter()
        status, body = ask(self._admin, "PUT", f"/api/v1/routes/{self.name}", route)
        self.worst = max(self.worst, time.perf_counter() - started)
        if status >= 300:
            self.problem = f"PUT: {status} {body.decode()}"
        proxy = http.client.HTTPConnection("127.0.0.1", self._running.proxy, timeout=10)
        self.stale += ask(proxy, "GET", f"/{self.name}") != (200, text.encode())
        proxy.close()


def write_all(writers: list[Writer], seconds: float, rate: float) -> float:
    """All writers together make ``rate`` changes a second; what they reached."""
    threads = [threading.Thread(target=writer.write_for, args=(seconds, rate / len(writers))) for writer in writers]
    begun, before = time.monotonic(), sum(writer.writes for writer in writers)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problem := next((writer.problem for writer in writers if writer.problem), ""):
        raise SystemExit(problem)
    return (sum(writer.writes for writer in writers) - before) / (time.monotonic() - begun)


def list_grown(before: dict[str, tuple[float, int]], after: dict[str, tuple[float, int]]) -> list[str]:
    """Processes that are not what they were."""
    return [
        name
        for name, (memory, files) in after.items()
        if name not in before or memory - before[name][0] > GROWTH_MB or files - before[name][1] > GROWTH_FILES
    ]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="changes a second")
    parser.add_argument("--load", type=float, default=2_000.0, help="requests a second")
    parser.add_argument("--routes", type=int, default=100)
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def prepare(running: Running, routes: int) -> list[Writer]:
    others = [
        {"name": f"other-{n}", "match": {"path": {"prefix": f"/other/{n}"}}, "direct_response": {}}
        for n in range(routes)
    ]
    running.write("POST", "/config/apply", {"routes": others})
    writers = [Writer(running, f"changing-{n + 1}") for n in range(WRITERS)]
    for writer in writers:
        writer.write()
    return writers


@dataclass
class Churn:
    """What came of it. ``before`` and ``after``: megabytes and files by process."""

    rate: float  # reached, of changes
    writers: list[Writer]
    control: float  # seconds of processor time that the control process took
    steady: Outcome
    fresh: asking.Tally
    before: dict[str, tuple[float, int]]
    after: dict[str, tuple[float, int]]

    @property
    def writes(self) -> int:
        return sum(writer.writes for writer in self.writers)

    @property
    def lost(self) -> int:
        return self.steady.lost + self.fresh.lost

    @property
    def stale(self) -> int:
        return sum(writer.stale for writer in self.writers)

    @property
    def load(self) -> float:
        """Requests a second."""
        return len(self.steady.due) / (max(self.steady.due) - min(self.steady.due))

    def list_faults(self, rate: float) -> list[str]:
        counts = (("lost", self.lost), ("failed", self.steady.failed), ("stale", self.stale))
        return [
            *(["too few changes a second"] if self.rate < ENOUGH * rate else []),
            *(f"{name} has grown" for name in list_grown(self.before, self.after)),
            *(f"{count} {word}" for word, count in counts if count),
        ]


def churn(running: Running, given: argparse.Namespace, stack: ExitStack) -> Churn:
    writers = prepare(running, given.routes)
    paths = ("/ok", "/direct", *(f"/{writer.name}" for writer in writers))
    steady = Load(Plan(running.proxy, given.load, given.seconds * 2 + 60, paths=paths), "")
    stack.callback(steady.process.kill)
    with asking.clients(asking.Load(running.proxy, keep=4, fresh=4, pause=0.05)) as fresh:
        time.sleep(1)  # the generator has to start, too
        write_all(writers, given.seconds / 10, given.rate)
        time.sleep(REST_SECONDS)
        before, used = weigh(running), cpu_seconds(running.children()["control"])
        reached = write_all(writers, given.seconds * 9 / 10, given.rate)
        used = cpu_seconds(running.children()["control"]) - used
        time.sleep(REST_SECONDS)
        after = weigh(running)
        outcome = steady.finish(now=True)
    return Churn(reached, writers, used, outcome, fresh, before, after)


def report(found: Churn, given: argparse.Namespace) -> None:
    steady, changes = found.steady, found.rate * given.seconds * 0.9
    print(f"{found.rate:.1f} changes a second of {given.rate:g} wanted, for {given.seconds * 0.9:g} s, beside", end=" ")
    print(f"{given.routes} routes; {found.writes:,} in all, the slowest", end=" ")
    print(
        f"{max(writer.worst for writer in found.writers) * 1000:.0f} ms, {found.stale} not served when answered;",
        end="",
    )
    print(f" {found.control / changes * 1000:.1f} ms of processor time of the control process for each")
    print(f"{len(steady.due) + found.fresh.sent:,} requests, {found.lost} lost {found.fresh.words},", end=" ")
    print(f"{steady.failed} failed; {found.load:,.0f} a second of {given.load:g} wanted,", end=" ")
    print(f"p50 {steady.percentile(50):.1f} ms, p99 {steady.percentile(99):.1f} ms,", end=" ")
    print(f"p99.9 {steady.percentile(99.9):.1f} ms, longest {max(steady.taken):.0f} ms")
    for name, (memory, files) in found.after.items():
        began = found.before.get(name, (0.0, 0))
        print(f"{name}: {began[0]:.1f} MB, {began[1]} files -> {memory:.1f} MB, {files} files")


def main() -> int:
    given = read_arguments()
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as directory, furnished(Path(directory)) as running, ExitStack() as stack:
        found = churn(running, given, stack)
    report(found, given)
    faults = found.list_faults(given.rate)
    print(f"check: {', '.join(faults) or 'passed'}")
    return int(given.check and bool(faults))


if __name__ == "__main__":
    sys.exit(main())
