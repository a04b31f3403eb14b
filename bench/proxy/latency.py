"""How long requests take when a proxy is well used but not full: at 70 % of what each can take.

The rate is fixed, the gaps between requests are random and the same for all, and a request's time runs from when it was
due (``bench.steady``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.processes import LOAD_CORE, PROXY_CORE, busy_seconds, cpu_seconds, list_family
from bench.proxy.cases import NOTABLE, SMALL, run_wrk
from bench.proxy.field import Field, attempt, list_absent, median, say
from bench.proxy.peers import OURS, PATH, Proxy
from bench.report import table
from bench.steady import Outcome, Plan, send_steadily

SHARE = 0.7
OTHER = "Envoy"  # whose rate Coalmine is measured at besides its own
CAPACITY_SECONDS = 2
LATE_MS = 1.0  # beyond, the generator is part of what was measured
BUSY = 0.85  # of their core: generator and upstream wait for each other then
HEAD = ("", "requests/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "longest ms", "us of processor", "remarks")


@dataclass(frozen=True)
class Sample:
    outcome: Outcome
    cost: float  # microseconds of processor time per request
    load: float  # share of their core that generator and upstream took
    others: float  # share of the proxy's core that was neither idle nor the proxy's


def measure_latency(field: Field) -> list[str]:
    problems: dict[str, str] = {}
    plans = plan_rates(field, problems)
    found: dict[str, list[Sample]] = {}
    for number in range(field.effort.rounds):
        for label, (proxy, rate) in plans.items():
            say(f"latency of {label}, round {number + 1}")
            run = attempt(label, lambda proxy=proxy, rate=rate: measure_once(field, proxy, rate), problems)
            if run:
                found.setdefault(label, []).append(run)
    rows = [_row(label, plans[label][1], runs) for label, runs in found.items()]
    return [*table(HEAD, rows), *([""] if problems else []), *list_absent(problems)]


def plan_rates(field: Field, problems: dict[str, str]) -> dict[str, tuple[Proxy, float]]:
    """By label: a proxy and 70 % of its capacity, as measured in this run."""
    plans: dict[str, tuple[Proxy, float]] = {}
    for proxy in field.list_running():
        if proxy.name not in field.rates:
            told = attempt(
                proxy.name,
                lambda port=proxy.port: run_wrk(SMALL, port, CAPACITY_SECONDS, field.folder)[0].rate,
                problems,
            )
            if told:
                field.rates[proxy.name] = told
        if proxy.name in field.rates:
            plans[proxy.name] = (proxy, SHARE * field.rates[proxy.name])
    if OURS.name in plans and OTHER in plans:
        plans[f"{OURS.name} at {OTHER}'s rate"] = (plans[OURS.name][0], plans[OTHER][1])
    return plans


def measure_once(field: Field, proxy: Proxy, rate: float) -> Sample:
    pids, upstream = list_family(proxy.process.pid), list_family(field.upstream)
    used, answering, busy = cpu_seconds(pids), cpu_seconds(upstream), busy_seconds(PROXY_CORE)
    began = time.monotonic()
    outcome = send_steadily(Plan(proxy.port, rate, field.effort.seconds, (PATH,)), LOAD_CORE)
    elapsed = time.monotonic() - began
    used, busy = cpu_seconds(pids) - used, busy_seconds(PROXY_CORE) - busy
    load = outcome.share + (cpu_seconds(upstream) - answering) / elapsed
    if not outcome.taken:
        raise RuntimeError(f"no request was answered, {outcome.lost} lost")
    others = max(0.0, (busy - used) / elapsed)
    return Sample(outcome, used / len(outcome.taken) * 1e6, load, others)


def _row(label: str, rate: float, runs: list[Sample]) -> list[object]:
    times = [median(run.outcome.percentile(percent) for run in runs) for percent in (50, 90, 99, 99.9, 100)]
    cost = median(run.cost for run in runs)
    return [label, f"{rate:,.0f}", *(f"{one:.2f}" for one in times), f"{cost:.1f}", "; ".join(_remarks(runs))]


def _remarks(runs: list[Sample]) -> list[str]:
    lost = sum(run.outcome.lost + run.outcome.failed for run in runs)
    late = median(run.outcome.late_p99_ms for run in runs)
    load = median(run.load for run in runs)
    others = median(run.others for run in runs)
    remarks = [f"{lost} lost or failed"] if lost else []
    if late > LATE_MS or load > BUSY:
        remarks.append(
            f"the generator was {late:.1f} ms late at p99, it and the upstream took {load:.0%} of their core"
        )
    if others >= NOTABLE:
        remarks.append(f"other programs took {others:.0%} of its core")
    return remarks
