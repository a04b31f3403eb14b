"""What each version of a canary did since the start: requests, errors, latency. This file performs no I/O.

Rule 1: workers count from their own start. What they had counted when the canary started is subtracted, worker by
    worker.
Rule 2: a control process that was restarted knows nothing of workers that ended while there was none; what others
    counted was kept. Figures then say that something is missing, and since when nothing is.
Rule 3: quantiles are estimated from buckets as Prometheus' histogram_quantile does: a bucket is evenly filled; above
    the last bound it is that bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coalmine.model import Canary, Destination
from coalmine.model.canary import Baseline, Tally
from coalmine.routing.canary_status import name_version

_FAILED = 500  # the service's own failures and those of the gateway to reach it (RFC 9110 section 15.6)

Row = Mapping[str, Any]  # of ``coalmine.feed.stats``
Tallies = dict[str, Tally]  # by the name of the version


@dataclass(frozen=True, slots=True)
class Counts:
    """What workers counted until now, by worker, those that ended included; under "" what can no more be told apart.

    ``control`` adds it up since ``since``. ``lost``: workers that ended while there was no control process, and when
    that was noticed.
    """

    control: str
    since: datetime
    workers: Mapping[str, Iterable[Row]]
    alive: frozenset[str]
    lost: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """One version. ``error_rate`` is the share of 5xx, 0 to 1; None stands where nothing was counted."""

    requests: int
    errors: int
    error_rate: float | None
    mean_seconds: float | None
    p50_seconds: float | None
    p99_seconds: float | None


@dataclass(frozen=True, slots=True)
class Period:
    """What was counted ``since`` (None: since the workers' own start); not all of it where ``note`` says so."""

    since: datetime | None
    versions: dict[str, Figures]
    note: str | None = None


def list_versions(canary: Canary) -> list[Destination]:
    """Old ones first, then the new one; each once, although several destinations may differ in parameters."""
    found = {name_version(one): one for one in (*canary.before.destinations, *canary.written.destinations)}
    found.pop(name_version(canary.destination), None)
    return [*found.values(), canary.destination]


def take_baseline(canary: Canary, counts: Counts) -> Baseline:
    workers = {name: _tally(canary, rows) for name, rows in counts.workers.items()}
    return Baseline(control=counts.control, alive=tuple(sorted(counts.alive)), workers=workers)


def find_figures(canary: Canary, counts: Counts) -> Period:
    """The figures of every version in ``list_versions``."""
    now = {name: _tally(canary, rows) for name, rows in counts.workers.items()}
    baseline = canary.baseline
    if baseline is None:
        return Period(None, _figures(canary, now, {}))
    if baseline.control == counts.control:
        return Period(canary.started, _figures(canary, now, baseline.workers))
    alive = set(baseline.alive)
    goes_on = bool(alive & now.keys())
    # Of whom nothing is known apart, and who is not lost, was counted together with others that are long gone.
    together = baseline.workers.keys() - now.keys() - counts.lost.keys() if goes_on and now.get("") else set()
    known = {
        name: tallies
        for name, tallies in baseline.workers.items()
        if (name and name in now) or name in together or (not name and goes_on)
    }
    versions = _figures(canary, now, known)
    lost = any(canary.started is None or when > canary.started for when in counts.lost.values())
    if goes_on and not lost and alive <= now.keys() | together:
        return Period(canary.started, versions)  # each lives on, or control saw it end and kept what it counted
    when = f"{counts.since:%Y-%m-%d %H:%M:%S} UTC"
    if goes_on:
        return Period(canary.started, versions, f"without workers that ended before {when}, when control was restarted")
    return Period(counts.since, versions, f"what was counted before {when} is lost: everything was restarted")


def _tally(canary: Canary, rows: Iterable[Row]) -> Tallies:
    routes = {canary.name} | ({canary.header_route.name} if canary.header_route else set())
    names = {(one.upstream, one.function or ""): name_version(one) for one in list_versions(canary)}
    found: Tallies = {}
    for row in rows:
        name = names.get((row["upstream"], row["function"]))
        if name is not None and row["virtual_service"] == canary.virtual_service and row["route"] in routes:
            found[name] = _add(found.get(name, Tally()), _read(row), 1)
    return found


def _read(row: Row) -> Tally:
    count = int(row["count"])
    return Tally(
        requests=count,
        errors=count if int(row["code"]) >= _FAILED else 0,
        seconds=row["seconds_sum"],
        buckets=tuple((bound, within) for bound, within in row["seconds_buckets"]),
    )


def _add(one: Tally, other: Tally, sign: int) -> Tally:
    within = dict(other.buckets)
    bounds = dict.fromkeys([*dict(one.buckets), *within])
    return Tally(
        requests=one.requests + sign * other.requests,
        errors=one.errors + sign * other.errors,
        seconds=one.seconds + sign * other.seconds,
        buckets=tuple((bound, dict(one.buckets).get(bound, 0) + sign * within.get(bound, 0)) for bound in bounds),
    )


def _figures(
    canary: Canary, now: Mapping[str, Tallies], before: Mapping[str, Mapping[str, Tally]]
) -> dict[str, Figures]:
    return {name: _describe(_sum(name, now, before)) for name in map(name_version, list_versions(canary))}


def _sum(name: str, now: Mapping[str, Tallies], before: Mapping[str, Mapping[str, Tally]]) -> Tally:
    total = Tally()
    for tallies, sign in [*((one, 1) for one in now.values()), *((one, -1) for one in before.values())]:
        total = _add(total, tallies.get(name, Tally()), sign)
    return total


def _describe(tally: Tally) -> Figures:
    if tally.requests <= 0:
        return Figures(0, 0, None, None, None, None)
    rate, mean = tally.errors / tally.requests, tally.seconds / tally.requests
    return Figures(tally.requests, tally.errors, rate, mean, _quantile(tally, 0.5), _quantile(tally, 0.99))


def _quantile(tally: Tally, share: float) -> float | None:
    wanted, lower, below = share * tally.requests, 0.0, 0
    for bound, within in tally.buckets:
        if within >= wanted and within > below:
            return lower + (bound - lower) * (wanted - below) / (within - below)
        lower, below = bound, within
    return lower if tally.buckets else None
