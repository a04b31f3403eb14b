"""Whether two workers do twice the work of one, on a machine whose two cores also have to send and to answer.

All at fixed rates that leave room, so what is compared is the processor time of a request and not who gets a core: one
worker at a rate, two at the same, and two at twice the rate, where each is as busy as the one was. Twice the ratio of
the costs is by how much two workers on cores of their own outdo one.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.processes import LOAD_CORE, cpu_seconds
from bench.proxy.cases import CONNECTIONS, SMALL, run_wrk
from bench.proxy.field import Field, list_absent, median, say
from bench.proxy.gateway import ROUTES, Gateway, make_routes
from bench.proxy.peers import OURS, PATH
from bench.proxy.upstream import free_port, wait_for
from bench.report import table
from bench.steady import Load, Plan

SHARE = 0.15  # of one worker's capacity: twice that, the generator and the upstream fit on two cores
CAPACITY_SECONDS = 2
SETTINGS = ((1, 1), (2, 1), (2, 2))  # workers, times the rate
HEAD = ("workers", "requests/s", "us of the workers", "p99 ms", "of one worker", "processor by worker", "connections")


@dataclass(frozen=True)
class Run:
    cost: float  # microseconds of the workers' processor time per request; what stands beside them does not grow
    p99: float
    lost: int
    shares: tuple[float, ...]  # of the workers' processor time
    connections: tuple[int, ...]


def measure_scaling(field: Field) -> list[str]:
    runs: dict[tuple[int, int], list[Run]] = {setting: [] for setting in SETTINGS}
    with ExitStack() as stack:
        gateways = {count: start(field, count, stack) for count in (1, 2)}
        rate = SHARE * find_capacity(field, gateways[1])
        for number in range(2 * field.effort.rounds):  # a low rate is a small sample
            for workers, times in SETTINGS if number % 2 else SETTINGS[::-1]:
                say(f"{workers} workers at {times * rate:.0f} requests/s, round {number + 1}")
                runs[workers, times].append(measure_once(field, gateways[workers], times, rate))
    lost = sum(run.lost for rows in runs.values() for run in rows)
    problems = {"requests": f"{lost} lost or failed"} if lost else {}
    rows = [_row(workers, times * rate, runs[workers, times], runs[1, 1]) for workers, times in SETTINGS]
    return [*table(HEAD, rows), *([""] if problems else []), *list_absent(problems)]


def start(field: Field, workers: int, stack: ExitStack) -> Gateway:
    """A gateway whose workers have a core each; the load core is the last one's, too."""
    gateway = Gateway(field.make_folder(f"workers-{workers}"), free_port(), cores=_all_cores(), workers=workers)
    process = gateway.start(stack)
    for number, pid in enumerate(gateway.workers()):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                os.sched_setaffinity(int(thread.name), {number % (os.cpu_count() or 1)})
    gateway.define(field.upstream_port, make_routes(ROUTES))
    wait_for(process, gateway.port, PATH)
    return gateway


def _all_cores() -> str:
    return f"0-{(os.cpu_count() or 1) - 1}"


def find_capacity(field: Field, gateway: Gateway) -> float:
    if OURS.name in field.rates:
        return field.rates[OURS.name]
    return run_wrk(SMALL, gateway.port, CAPACITY_SECONDS, field.folder)[0].rate


def measure_once(field: Field, gateway: Gateway, times: int, rate: float) -> Run:
    """``times`` the rate, from as many times the clients."""
    workers = gateway.workers()
    each = [cpu_seconds([pid]) for pid in workers]
    plan = Plan(gateway.port, times * rate, field.effort.seconds, (PATH,), connections=times * CONNECTIONS)
    load = Load(plan, LOAD_CORE)
    connections = tuple(count_connections(gateway.port, workers, load))
    outcome = load.finish()
    each = [cpu_seconds([pid]) - before for pid, before in zip(workers, each, strict=True)]
    cost = sum(each) / max(1, len(outcome.taken)) * 1e6
    shares = tuple(one / max(sum(each), 1e-9) for one in each)
    return Run(cost, outcome.percentile(99), outcome.lost + outcome.failed, shares, connections)


def count_connections(port: int, workers: list[int], load: Load) -> list[int]:
    """Of each worker, once all of the load's are accepted; what is there after a while where they are not."""
    found = [0] * len(workers)
    for _ in range(20):
        established = list_inodes(Path("/proc/net/tcp").read_text(), port)
        found = [len(established & _list_sockets(pid)) for pid in workers]
        if sum(found) >= load.plan.connections:
            break
        with suppress(Exception):
            load.process.wait(0.05)
    return found


def list_inodes(text: str, port: int) -> set[str]:
    """Of established connections to a local port, by the kernel's table (man 5 proc)."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}


def _list_sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if match := re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink())):
                found.add(match[1])
    return found


def _row(workers: int, rate: float, runs: list[Run], alone: list[Run]) -> list[object]:
    times = median(workers * one.cost / max(run.cost, 1e-9) for one, run in zip(alone, runs, strict=True))
    shares = [median(values) for values in zip(*(sorted(run.shares) for run in runs), strict=True)]
    return [
        workers,
        f"{rate:,.0f}",
        f"{median(run.cost for run in runs):.1f}",
        f"{median(run.p99 for run in runs):.2f}",
        f"{times:.2f}x",
        " / ".join(f"{share:.0%}" for share in shares),
        ", ".join(" / ".join(map(str, run.connections)) for run in runs),
    ]
