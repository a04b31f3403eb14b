"""What a worker counts: plain integers on objects, told when the control process asks.

Rule 1: labels come from definitions, never from requests, so their number is bounded by the configuration; the codes
        of one upstream's answers are bounded by MAX_CODES.
This file performs no I/O and reads no clock.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from coalmine.errors import Problem
from coalmine.feed.stats import BUCKETS, MAX_CODES, Labels, RouteKey, Series, fold, pack_series, show_series

__all__ = ["BUCKETS", "MAX_CODES", "Counters", "Labels", "Series", "Stats"]


class Counters:
    """What is not counted per route; every one only grows."""

    __slots__ = (
        "access_log_dropped",
        "access_log_lines",
        "bad_requests",
        "connect_failures",
        "connections",
        "connections_refused",
        "ejections",
        "health_checks",
        "health_checks_failed",
        "mirrors",
        "mirrors_dropped",
        "problem_replies",
        "requests_refused",
        "retries",
        "retries_refused",
        "spans_dropped",
        "spans_exported",
        "spans_undelivered",
        "stale_connections",
        "timeouts",
        "tls_handshakes_failed",
        "tunnels",
        "upstream_connections_opened",
        "upstream_connections_reused",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
        self.connect_failures: dict[str, int] = defaultdict(int)  # by reason, see ``connector``
        self.problem_replies: dict[str, int] = defaultdict(int)  # by the problem's code

    access_log_dropped: int
    access_log_lines: int
    bad_requests: int
    connections: int
    connections_refused: int
    ejections: int
    health_checks: int
    health_checks_failed: int
    mirrors: int
    mirrors_dropped: int
    requests_refused: int
    retries: int
    retries_refused: int
    spans_dropped: int
    spans_exported: int
    spans_undelivered: int
    stale_connections: int
    timeouts: int
    tls_handshakes_failed: int
    tunnels: int
    upstream_connections_opened: int
    upstream_connections_reused: int

    def dump(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}


class Stats:
    """Every series of a worker."""

    def __init__(self) -> None:
        self.series: dict[Labels, Series] = {}
        self.counters = Counters()
        self._codes: dict[tuple[str, ...], int] = defaultdict(int)

    def find(self, labels: Labels) -> Series:
        series = self.series.get(labels)
        return self._make(labels) if series is None else series

    def _make(self, labels: Labels) -> Series:
        code = labels[4]
        if self._codes[labels[:4]] >= MAX_CODES and code % 100:
            return self.find((*labels[:4], code - code % 100))
        self._codes[labels[:4]] += 1
        series = self.series[labels] = Series()
        return series

    def fold(self, stale: Collection[RouteKey]) -> None:
        """Bound memory under endless churn: series of routes that are no more are counted together."""
        self.series = fold(self.series, stale)
        self._codes = defaultdict(int)
        for labels in self.series:
            self._codes[labels[:4]] += 1

    def dump(self) -> list[dict[str, Any]]:
        return [show_series(*item) for item in self.series.items()]

    def tell_by_steps(
        self, counters: Mapping[str, Any], gauges: Mapping[str, Any], problems: Iterable[Problem] = (), *, whole: bool
    ) -> Generator[None, None, str]:
        """JSON for ``coalmine.feed.stats.Told``, made by steps: requests are served in between."""
        lines: list[str] = []
        for labels, series in list(self.series.items()):
            if whole or series.told != series.count:
                series.told = series.count
                lines.append(pack_series(labels, series))
            yield
        told = {"whole": whole, "counters": {**self.counters.dump(), **counters}, "gauges": gauges}
        head = json.dumps({**told, "problems": list(map(asdict, problems))})
        return f'{head[:-1]},"series":[{",".join(lines)}]}}'
