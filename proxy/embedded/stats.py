"""What a worker counts: plain integers on objects, exported when somebody asks.

Rule 1: labels come from definitions, never from requests, so their number is bounded by the configuration.
This file performs no I/O and reads no clock.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

# Seconds. From a local hop to a slow report, as Prometheus' client libraries have them, without the finest.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Series kept although their routes may be gone; beyond, a snapshot swap folds the stale ones together.
MAX_STALE_SERIES = 5_000

Labels = tuple[str, str, str, str, int]  # virtual service, route, function, upstream, status


class Series:
    """All requests with the same labels. ``buckets[i]`` counts those within ``BUCKETS[i]``; the last those above."""

    __slots__ = ("buckets", "count", "seconds", "upstream_buckets", "upstream_count", "upstream_seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.upstream_count = 0
        self.upstream_seconds = 0.0
        self.upstream_buckets = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float, upstream: float | None = None) -> None:
        """``upstream``: seconds until the upstream's response head was there, if one came."""
        self.count += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        if upstream is not None:
            self.upstream_count += 1
            self.upstream_seconds += upstream
            self.upstream_buckets[bisect_left(BUCKETS, upstream)] += 1

    def merge(self, other: Series) -> None:
        self.count += other.count
        self.seconds += other.seconds
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.upstream_count += other.upstream_count
        self.upstream_seconds += other.upstream_seconds
        self.upstream_buckets = [a + b for a, b in zip(self.upstream_buckets, other.upstream_buckets, strict=True)]


class Counters:
    """What is not counted per route; every one only grows."""

    __slots__ = (
        "access_log_dropped",
        "bad_requests",
        "connections",
        "connections_refused",
        "ejections",
        "health_checks",
        "health_checks_failed",
        "mirrors",
        "mirrors_dropped",
        "retries",
        "retries_refused",
        "stale_connections",
        "timeouts",
        "tls_handshakes_failed",
        "tunnels",
        "upstream_connections",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    access_log_dropped: int
    bad_requests: int
    connections: int
    connections_refused: int
    ejections: int
    health_checks: int
    health_checks_failed: int
    mirrors: int
    mirrors_dropped: int
    retries: int
    retries_refused: int
    stale_connections: int
    timeouts: int
    tls_handshakes_failed: int
    tunnels: int
    upstream_connections: int

    def dump(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


class Stats:
    """Every series of a worker."""

    def __init__(self) -> None:
        self.series: dict[Labels, Series] = {}
        self.counters = Counters()

    def find(self, labels: Labels) -> Series:
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Series()
        return series

    def fold(self, routes: set[tuple[str, str]]) -> None:
        """Bound memory under endless churn: routes that are no more are counted together, with empty names."""
        if len(self.series) <= MAX_STALE_SERIES:
            return
        for labels in [labels for labels in self.series if labels[1] and labels[:2] not in routes]:
            self.find((labels[0], "", "", "", labels[4])).merge(self.series.pop(labels))

    def dump(self) -> list[dict[str, Any]]:
        return [_dump_series(labels, series) for labels, series in self.series.items()]


def _dump_series(labels: Labels, series: Series) -> dict[str, Any]:
    return {
        "virtual_service": labels[0],
        "route": labels[1],
        "function": labels[2],
        "upstream": labels[3],
        "code": labels[4],
        "count": series.count,
        "seconds_sum": series.seconds,
        "seconds_buckets": _cumulate(series.buckets),
        "upstream_count": series.upstream_count,
        "upstream_seconds_sum": series.upstream_seconds,
        "upstream_seconds_buckets": _cumulate(series.upstream_buckets),
    }


def _cumulate(buckets: list[int]) -> list[list[float]]:
    """``[[le, count at most le], ...]``; what is above the last bound shows in ``count``."""
    total, rows = 0, []
    for bound, count in zip(BUCKETS, buckets, strict=False):
        total += count
        rows.append([bound, total])
    return rows
