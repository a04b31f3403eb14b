"""Overload: several times what a worker takes; it refuses fast, serves those it took in as before, and stays flat.

    python -m bench.overload [--seconds S] [--check]

A gateway with one worker on a core of its own, which takes REQUESTS requests in flight and CONNECTIONS connections;
what sends and what answers share the other core. An answer takes ANSWER_SECONDS, so the worker takes REQUESTS /
ANSWER_SECONDS a second, however fast the machine is. Requests come at a fixed rate and at times of their own, whatever
the answers take (``bench.steady``), and their time runs from when they were due.

First half of the capacity, twice and three times as much, for STEP_SECONDS each: what the admitted and the refused
wait, and what a refusal costs in processor time. Then for S seconds all at once:

    requests three times the capacity
    idle     IDLE connections that say nothing, a good part of them beyond the limit; those turned away come back
    readers  READERS clients that ask for 100 MB and read a few bytes a second
    bodies   two clients that fetch 1 GB and two that send 1 GB, again and again, compared by SHA-256

What moves the bodies and opens the idle connections gives way to what measures the requests: times of connections that
are turned away have its waits in them. Memory of the worker is told every ten seconds. Afterwards a quiet client
measures how long it takes until everything is answered again.

``--check`` ends with status 1 where something of this is not as docs/operations.md says.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.churn import resident
from bench.clients import Load as Asking
from bench.clients import Tally, clients
from bench.moving import Moved, digest, keep_moving
from bench.processes import LOAD_CORE, PROXY_CORE, cpu_seconds, end_on_sigterm, list_family, move
from bench.running import Running, furnished, wait_until
from bench.steady import RETRY_AFTER, Load, Outcome, Plan, percentile, send_steadily
from coalmine.serve.descriptors import raise_limit

REQUESTS = 200
ANSWER_SECONDS = 0.2
CAPACITY = REQUESTS / ANSWER_SECONDS
STEPS = (0.5, 2.0, 3.0)  # times the capacity
STEP_SECONDS = 5.0
SENDERS = 700  # connections of the generator: those in flight, and many more for refusals
CONNECTIONS = 2_000
IDLE = 2_500
READERS = 20
GIGABYTE = 1 << 30
WAYS = ("down", "down", "up", "up")
BACK_SECONDS = 5.0  # until one who was turned away comes back
TELL_SECONDS = 10.0
# What --check demands.
MOST_MB = 300.0  # above what the worker has at rest
FLAT_MB = 20.0  # between the means of the last two fifths of the time
LONGEST_REFUSAL_MS = 100.0  # p99, while the worker does nothing else
LEAST_ADMITTED = 0.8  # of the capacity
RECOVERY_SECONDS = 5.0


@dataclass
class Step:
    """``cost``: seconds of the worker's processor time."""

    times: float
    seconds: float
    outcome: Outcome
    cost: float

    def rate(self, status: int) -> float:
        return len(self.outcome.of(status)) / self.seconds


@dataclass
class Seen:
    moved: dict[str, Moved] = field(default_factory=lambda: {"down": Moved(), "up": Moved()})
    turned_away: Counter[str] = field(default_factory=Counter)
    told: list[float] = field(default_factory=list)  # milliseconds from connecting until the 503
    open: int = 0


@dataclass
class Weights:
    """Megabytes of the worker, second by second."""

    at_rest: float
    found: list[float] = field(default_factory=list)

    def drift(self) -> float:
        """From the last fifth but one to the last."""
        fifth = max(1, len(self.found) // 5)
        last, before = self.found[-fifth:], self.found[-2 * fifth : -fifth] or self.found
        return sum(last) / len(last) - sum(before) / len(before)


def send_step(running: Running, times: float, seconds: float) -> Step:
    worker = running.children()["worker"]
    used = cpu_seconds(worker)
    outcome = send_steadily(make_plan(running.proxy, times, seconds), LOAD_CORE)
    return Step(times, seconds, outcome, cpu_seconds(worker) - used)


def make_plan(port: int, times: float, seconds: float) -> Plan:
    return Plan(port, CAPACITY * times, seconds, paths=(f"/after/{ANSWER_SECONDS}",), connections=SENDERS)


async def stay_idle(port: int, seen: Seen) -> None:
    """One connection that says nothing; opened again when it is closed."""
    while True:
        with suppress(OSError):
            started = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            seen.open += 1
            try:
                answer = await reader.read(65_536)
                if answer.startswith(b"HTTP/1.1 503 "):
                    seen.told.append((time.perf_counter() - started) * 1000)
                seen.turned_away[_judge(answer)] += 1
            except OSError:
                seen.turned_away["reset"] += 1
            finally:
                seen.open -= 1
                writer.close()
        await asyncio.sleep(BACK_SECONDS)


def _judge(answer: bytes) -> str:
    if answer.startswith(b"HTTP/1.1 503 "):
        return "told" if RETRY_AFTER.search(answer) else "told, without Retry-After"
    return "ended by a limit of time" if answer[:12] in (b"", b"HTTP/1.1 408") else repr(answer[:40])


async def read_slowly(port: int) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
            writer.write(b"GET /bytes/100000000 HTTP/1.1\r\nhost: bench\r\n\r\n")
            while await reader.read(16):
                await asyncio.sleep(0.25)
            writer.close()
        await asyncio.sleep(0.5)


async def disturb(port: int, seconds: float, seen: Seen) -> None:
    """Everything but the requests, for ``seconds`` and as long as the last bodies take."""
    stop = asyncio.Event()
    moving = [asyncio.create_task(keep_moving(port, way, GIGABYTE, seen.moved[way], stop)) for way in WAYS]
    others = [asyncio.create_task(read_slowly(port)) for _ in range(READERS)]
    for number in range(IDLE):
        others.append(asyncio.create_task(stay_idle(port, seen)))
        if number % 100 == 0:
            await asyncio.sleep(0.05)
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*moving)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def weighed(running: Running, weights: Weights, seen: Seen) -> Iterator[None]:
    """The worker's memory every second, told every TELL_SECONDS, while the block runs."""
    worker, until, begun = running.children()["worker"], threading.Event(), time.monotonic()

    def watch() -> None:
        told = begun
        while not until.wait(1.0):
            weights.found.append(sum(map(resident, worker)))
            if time.monotonic() - told >= TELL_SECONDS:
                told += TELL_SECONDS
                bodies = ", ".join(f"{len(moved.seconds)} GB {way}" for way, moved in seen.moved.items())
                print(f"{told - begun:4.0f} s: {weights.found[-1]:.0f} MB, {seen.open} idle, {bodies}", flush=True)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        until.set()
        thread.join()


def describe_step(step: Step) -> str:
    cells = [f"{step.times:g} x {CAPACITY:,.0f}/s"]
    for status in (200, 503):
        taken = step.outcome.of(status)
        cells += [f"{step.rate(status):,.0f}/s", *(f"{percentile(taken, p):.1f}" if taken else "" for p in (50, 99))]
    cells += [f"{step.cost / step.seconds:.0%}", f"{step.outcome.late_p99_ms:.1f} ms, {step.outcome.share:.0%}"]
    return f"| {' | '.join(cells)} |"


def report_steps(steps: list[Step]) -> None:
    print(
        "| requests | admitted | p50 ms | p99 ms | refused | p50 ms | p99 ms | worker's core | generator: late, core |"
    )
    print("| --- " * 9 + "|")
    for step in steps:
        print(describe_step(step))
    least, _, most = steps
    normal = least.cost / max(1, len(least.outcome.taken))
    refusal = (most.cost - steps[1].cost) / max(1, len(most.outcome.of(503)) - len(steps[1].outcome.of(503)))
    print(
        f"processor time of the worker: {normal * 1e6:.0f} us for a request that is admitted, at half of the", end=" "
    )
    print(f"capacity; {refusal * 1e6:.0f} us for each refusal more", flush=True)


def report_all(outcome: Outcome, seen: Seen, weights: Weights) -> None:
    print(f"requests: {dict(Counter(outcome.statuses))}, {outcome.lost} lost;", end=" ")
    for status, name in ((200, "admitted"), (503, "refused")):
        taken = outcome.of(status)
        print(f"{name} p50 {percentile(taken, 50):.1f} ms, p99 {percentile(taken, 99):.1f} ms", end="; ")
    print(f"503 without Retry-After: {outcome.no_retry_after}; generator late p99 {outcome.late_p99_ms:.1f} ms")
    print(f"connections beyond the limit: {dict(seen.turned_away)},", end=" ")
    print(f"told after p50 {percentile(seen.told, 50):.1f} ms, p99 {percentile(seen.told, 99):.1f} ms")
    for way, moved in seen.moved.items():
        print(f"1 GB {way}: {moved.tell(GIGABYTE)}")
    print(f"worker: {weights.at_rest:.0f} MB at rest, {max(weights.found):.0f} MB at most,", end=" ")
    print(f"{weights.drift():+.1f} MB from the last fifth but one to the last")


def list_faults(steps: list[Step], outcome: Outcome, seen: Seen, weights: Weights) -> Iterator[str]:
    every = [*(step.outcome for step in steps), outcome]
    if unknown := {status for one in every for status in one.statuses} - {200, 503}:
        yield f"answered {sorted(unknown)}"
    yield from (f"{one.lost} lost" for one in every if one.lost)
    yield from (f"{one.no_retry_after} times 503 without Retry-After" for one in every if one.no_retry_after)
    for step in steps[1:]:
        if (longest := percentile(step.outcome.of(503), 99)) > LONGEST_REFUSAL_MS:
            yield f"refusals took {longest:.0f} ms at {step.times:g} times the capacity"
        if step.rate(200) < LEAST_ADMITTED * CAPACITY:
            yield f"only {step.rate(200):.0f}/s admitted at {step.times:g} times the capacity"
    yield from (f"connections: {count} {what}" for what, count in seen.turned_away.items() if what not in _EXPECTED)
    for way, moved in seen.moved.items():
        if not moved.seconds or moved.wrong or moved.broken:
            yield f"bodies {way}: {moved.tell(GIGABYTE)}"
    if max(weights.found) - weights.at_rest > MOST_MB or weights.drift() > FLAT_MB:
        yield "memory grows"


_EXPECTED = ("told", "ended by a limit of time")


def observe_recovery(running: Running) -> tuple[float, Tally]:
    recovered = wait_until(lambda: _is_well(running), "an answer")
    with clients(Asking(running.proxy, keep=8, fresh=2, pause=0.01)) as after:
        time.sleep(2)
    return recovered, after


def _is_well(running: Running) -> bool:
    with clients(Asking(running.proxy, keep=1, fresh=0, patience=1.0)) as tally:
        time.sleep(0.2)
    return tally.answered > 0 and tally.lost == 0


def overload(running: Running, seconds: float) -> list[str]:
    """Prints what it sees; what is not as it should be."""
    move(list_family(running.process.pid), PROXY_CORE)
    before, worker = running.children(), running.children()["worker"]
    weights, seen = Weights(sum(map(resident, worker))), Seen()
    steps = [send_step(running, times, STEP_SECONDS) for times in STEPS]
    report_steps(steps)
    digest(GIGABYTE)  # worked out before anybody waits for it
    with weighed(running, weights, seen):
        load = Load(make_plan(running.proxy, STEPS[-1], seconds), LOAD_CORE)
        os.nice(10)  # this process moves the bodies, and shall not be in the way of those who measure
        uvloop.run(disturb(running.proxy, seconds, seen))
        outcome = load.finish()
    report_all(outcome, seen, weights)
    recovered, after = observe_recovery(running)
    same, ready = running.children() == before, running.ready()[:3]
    print(f"afterwards: an answer after {recovered:.1f} s, {after.sent} requests, {after.lost} lost;", end=" ")
    print(f"readyz {ready}; the same processes: {same}; load average {os.getloadavg()[0]:.1f}")
    faults = list(list_faults(steps, outcome, seen, weights))
    well = same and after.lost == 0 and recovered < RECOVERY_SECONDS and ready == "200"
    return faults if well else [*faults, "it did not recover"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()
    raise_limit()
    move([os.getpid()], LOAD_CORE)
    limits = ("--max-requests", str(REQUESTS), "--max-connections", str(CONNECTIONS))
    with tempfile.TemporaryDirectory() as directory, furnished(Path(directory), *limits, workers=1) as running:
        running.write("PATCH", "/upstreams/svc", {"max_requests": REQUESTS})
        faults = overload(running, given.seconds)
    print(f"check: {'; '.join(faults) or 'passed'}")
    return int(given.check and bool(faults))


if __name__ == "__main__":
    sys.exit(main())
