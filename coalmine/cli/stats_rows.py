"""What the proxy counted, as tables and lines. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Told = Mapping[str, Any]

_NAMES = ("virtual_service", "route", "function", "upstream")
_COLUMNS = ("VIRTUAL SERVICE", "ROUTE", "FUNCTION", "UPSTREAM", "REQUESTS", "PER SECOND", "ERRORS", "P50", "P95", "P99")
_WORKER_COLUMNS = ("WORKER", "PID", "SNAPSHOT", "STATE", "UP", "MEMORY")


def destination_rows(told: Told, before: Told | None) -> tuple[Sequence[str], list[Sequence[object]]]:
    """``before``: what was told last, for the rate since then; None: the average since the gateway's start."""
    known = {} if before is None else {_key(one): one["requests"] for one in before["destinations"]}
    seconds = find_period(told, before)
    return _COLUMNS, [_row(one, known.get(_key(one), 0), seconds) for one in told["destinations"]]


def _row(one: Told, known: int, seconds: float | None) -> Sequence[object]:
    rate = f"{(one['requests'] - known) / seconds:.3g}" if seconds else "-"
    latency = one["seconds"]
    quantiles = [say_duration(latency[name]) for name in ("p50", "p95", "p99")]
    return (*(one[name] or "-" for name in _NAMES), one["requests"], rate, _say_errors(one), *quantiles)


def worker_rows(told: Told) -> tuple[Sequence[str], list[Sequence[object]]]:
    return _WORKER_COLUMNS, [
        (
            one["number"],
            one["pid"],
            one["version"] or "-",
            _say_state(one),
            "-" if one["uptime_seconds"] is None else say_period(one["uptime_seconds"]),
            "-" if one["resident_bytes"] is None else f"{one['resident_bytes'] / 1_048_576:.0f} MB",
        )
        for one in told["workers"]
    ]


def list_sums(told: Told, before: Told | None) -> Iterator[str]:
    """What stands above the tables."""
    gauges, counters = told["gauges"], told["counters"]
    in_flight = gauges.get("requests_in_flight", 0)
    yield f"requests       {told['requests']} ({told['errors']} errors), {in_flight} in flight"
    yield f"clients        {gauges.get('client_connections', 0)} connections"
    yield (
        f"upstreams      {gauges.get('upstream_connections', 0)} connections,"
        f" {gauges.get('upstream_connections_idle', 0)} of them idle; {counters.get('retries', 0)} retries,"
        f" {counters.get('ejections', 0)} ejections, {counters.get('timeouts', 0)} timeouts"
    )
    seconds = find_period(told, before)
    if seconds:
        kind = "since the gateway's start" if before is None else "since the last look"
        yield f"per second     {kind}, {say_period(seconds)} ago"


def find_period(told: Told, before: Told | None) -> float | None:
    """Seconds that the rates are about; None: unknown."""
    if before is None:
        return told["seconds"] or None
    return (datetime.fromisoformat(told["time"]) - datetime.fromisoformat(before["time"])).total_seconds() or None


def say_duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def say_period(seconds: float) -> str:
    """The two largest units: ``3 h 12 min``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours < 1:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def _say_errors(one: Told) -> str:
    return f"{one['errors']} ({100 * one['errors'] / one['requests']:.3g}%)" if one["errors"] else "0"


def _say_state(worker: Told) -> str:
    if worker["hung"]:
        return "does not answer"
    if worker["problem"]:
        return f"refuses the snapshot: {worker['problem']}"
    return "current" if worker["current"] else "behind"


def _key(one: Told) -> tuple[str, ...]:
    return tuple(one[name] for name in _NAMES)
