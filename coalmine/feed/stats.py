"""Adding up what workers counted. This file performs no I/O.

Rule: counters never go backwards. What a worker counted is kept when it dies; its gauges are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LABELS = ("virtual_service", "route", "function", "upstream", "code")
Stats = dict[str, Any]


def merge_stats(parts: Iterable[Mapping[str, Any]]) -> Stats:
    """One stats object out of many: rows with equal labels, counters and gauges add up."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for part in parts:
        for row in part.get("requests", ()):
            _add_row(rows, row)
        _add(counters, part.get("counters", {}))
        _add(gauges, part.get("gauges", {}))
    return {"requests": list(rows.values()), "counters": counters, "gauges": gauges}


def without_gauges(stats: Mapping[str, Any]) -> Stats:
    """What stays of a worker that is gone."""
    return {**stats, "gauges": {}}


def _add_row(rows: dict[tuple[Any, ...], dict[str, Any]], row: Mapping[str, Any]) -> None:
    key = tuple(row.get(label) for label in LABELS)
    total = rows.setdefault(key, {label: row[label] for label in LABELS if label in row})
    for name, value in row.items():
        if name in LABELS:
            continue
        if isinstance(value, list):
            total[name] = _add_buckets(total.get(name, []), value)
        else:
            total[name] = total.get(name, 0) + value


def _add_buckets(total: list[list[Any]], buckets: Iterable[list[Any]]) -> list[list[Any]]:
    """``[upper bound, count]`` pairs; the bounds are those of the first."""
    counts: dict[Any, Any] = dict(total)
    for bound, count in buckets:
        counts[bound] = counts.get(bound, 0) + count
    return [[bound, count] for bound, count in counts.items()]


def _add(total: dict[str, float], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        total[name] = total.get(name, 0) + value
