"""What workers count, on its way to the control process and added up there. This file performs no I/O.

Rule 1: counters never go backwards. What a worker counted is kept when it dies; its gauges are not.
Rule 2: a worker tells the series that have changed since it told them last, each with all it ever counted, so that
    telling twice counts once. The first word of a connection is the whole, and so is the last.
Rule 3: series of routes that are no more are kept up to MAX_STALE_SERIES; beyond, all of them are counted together,
    under empty names, everywhere at once.
Rule 4: so are status codes beyond MAX_CODES of one route, function and upstream, under the x00 of their class.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from operator import add
from typing import Any

from coalmine.errors import Problem

LABELS = ("virtual_service", "route", "function", "upstream", "code")
Labels = tuple[str, str, str, str, int]
RouteKey = tuple[str, str]  # virtual service, route

# Seconds. From an answer of the next process to a slow report; as Prometheus' client libraries have them, and finer
# at the near end, where a gateway lives.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_STALE_SERIES = 5_000
# Status codes told apart for one route, function and upstream. Some seventy are registered; an upstream that makes up
# its own has the further ones counted as the x00 of their class (RFC 9110 section 15).
MAX_CODES = 64
_CLASSES = 9  # 100 to 900
_REGISTERED = frozenset(HTTPStatus)

Stats = dict[str, Any]
# A counter or gauge is a number, or numbers by the value of its label.
Figures = dict[str, Any]


class Series:
    """All requests with the same labels. ``buckets[i]`` counts those within ``BUCKETS[i]``; the last those above.

    ``told``: the count when the control process was told of it last.
    """

    __slots__ = (
        "buckets",
        "count",
        "request_bytes",
        "response_bytes",
        "seconds",
        "told",
        "upstream_buckets",
        "upstream_count",
        "upstream_seconds",
    )

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.upstream_count = 0
        self.upstream_seconds = 0.0
        self.upstream_buckets = [0] * (len(BUCKETS) + 1)
        self.request_bytes = 0
        self.response_bytes = 0
        self.told = 0

    def add(self, seconds: float, upstream: float | None = None, received: int = 0, sent: int = 0) -> None:
        """``upstream``: seconds until the upstream's response head was there, if one came; bytes are of content."""
        self.count += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        if upstream is not None:
            self.upstream_count += 1
            self.upstream_seconds += upstream
            self.upstream_buckets[bisect_left(BUCKETS, upstream)] += 1
        if received:
            self.request_bytes += received
        if sent:
            self.response_bytes += sent

    def add_whole(self, seconds: float, sent: int) -> None:
        """As ``add`` for an answer that came in one piece, to a request without content."""
        bucket = bisect_left(BUCKETS, seconds)
        self.count += 1
        self.seconds += seconds
        self.buckets[bucket] += 1
        self.upstream_count += 1
        self.upstream_seconds += seconds
        self.upstream_buckets[bucket] += 1
        self.response_bytes += sent

    def merge(self, other: Series) -> None:
        self.count += other.count
        self.seconds += other.seconds
        self.buckets = list(map(add, self.buckets, other.buckets))
        self.upstream_count += other.upstream_count
        self.upstream_seconds += other.upstream_seconds
        self.upstream_buckets = list(map(add, self.upstream_buckets, other.upstream_buckets))
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes
        self.told = -1


SeriesByLabels = dict[Labels, Series]


def pack_series(labels: Labels, series: Series) -> str:
    """One line of JSON; ``read_series`` reads it."""
    return json.dumps(
        (
            *labels,
            series.count,
            series.seconds,
            series.buckets,
            series.upstream_count,
            series.upstream_seconds,
            series.upstream_buckets,
            series.request_bytes,
            series.response_bytes,
        )
    )


def read_series(row: list[Any]) -> tuple[Labels, Series]:
    """Raises ValueError or TypeError where it is none."""
    virtual_service, route, function, upstream, code, *figures = row
    series = Series()
    (
        series.count,
        series.seconds,
        series.buckets,
        series.upstream_count,
        series.upstream_seconds,
        series.upstream_buckets,
        series.request_bytes,
        series.response_bytes,
    ) = figures
    if len(series.buckets) != len(BUCKETS) + 1 or len(series.upstream_buckets) != len(BUCKETS) + 1:
        raise ValueError("other buckets than ours")
    return (virtual_service, route, function, upstream, int(code)), series


def show_series(labels: Labels, series: Series) -> dict[str, Any]:
    """For people and for sums by name; buckets are ``[[upper bound, how many within], ...]``."""
    return {
        **dict(zip(LABELS, labels, strict=True)),
        "count": series.count,
        "seconds_sum": series.seconds,
        "seconds_buckets": list(cumulate(series.buckets)),
        "upstream_count": series.upstream_count,
        "upstream_seconds_sum": series.upstream_seconds,
        "upstream_seconds_buckets": list(cumulate(series.upstream_buckets)),
        "request_bytes": series.request_bytes,
        "response_bytes": series.response_bytes,
    }


def cumulate(buckets: Iterable[int]) -> Iterator[list[float]]:
    """``[upper bound, count at most that]``; what is above the last bound shows in the count."""
    total = 0
    for bound, count in zip(BUCKETS, buckets, strict=False):
        total += count
        yield [bound, total]


def estimate_quantile(buckets: list[int], count: int, share: float) -> float | None:
    """As Prometheus does it: a bucket is evenly filled; above the last bound, that is the answer. None: no requests."""
    wanted, lower, below = share * count, 0.0, 0
    if not count:
        return None
    for bound, within in cumulate(buckets):
        if within >= wanted and within > below:
            return lower + (bound - lower) * (wanted - below) / (within - below)
        lower, below = bound, int(within)
    return lower


def fold(series: SeriesByLabels, stale: Collection[RouteKey]) -> SeriesByLabels:
    """``series`` with those of ``stale`` routes counted together, by virtual service and code."""
    kept = {labels: one for labels, one in series.items() if labels[:2] not in stale}
    sums: SeriesByLabels = {}
    for labels, one in series.items():
        if labels[:2] in stale:
            sums.setdefault((labels[0], "", "", "", labels[4]), Series()).merge(one)
    for labels, one in sums.items():
        if labels in kept:
            one.merge(kept[labels])
    return {**kept, **sums}


def fold_codes(series: SeriesByLabels) -> None:
    """Each worker tells its first MAX_CODES apart, and no two of them the same ones: here are those that all tell.

    Which stay is a matter of the codes alone, registered ones first: one that had to go never comes back, whatever is
    added later, and so no sum of a class goes backwards.
    """
    codes: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for labels in series:
        codes[labels[:4]].append(labels[4])
    for names, known in codes.items():
        if len(known) > MAX_CODES + _CLASSES:
            for code in sorted(known, key=_rank)[MAX_CODES:]:
                series.setdefault((*names, code - code % 100), Series()).merge(series.pop((*names, code)))


def _rank(code: int) -> tuple[bool, bool, int]:
    return code % 100 != 0, code not in _REGISTERED, code


class Told:
    """All that one worker has told so far."""

    __slots__ = ("counters", "gauges", "problems", "series")

    def __init__(self) -> None:
        self.series: SeriesByLabels = {}
        self.counters: Figures = {}
        self.gauges: Figures = {}
        self.problems: tuple[Problem, ...] = ()  # here and now, which no definition can tell

    def take(self, stats: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError where it is nothing that a worker says."""
        told = dict(map(read_series, stats.get("series", ())))
        self.series = told if stats.get("whole") else {**self.series, **told} if told else self.series
        self.counters = dict(stats.get("counters", {}))
        self.gauges = dict(stats.get("gauges", {}))
        self.problems = tuple(Problem(**one) for one in stats.get("problems", ()))

    def without_gauges(self) -> Told:
        """What stays of a worker that is gone."""
        kept = Told()
        kept.series, kept.counters = self.series, self.counters
        return kept

    def dump(self) -> Iterator[str]:
        """As JSON, in pieces, for ``take``."""
        yield '{"whole":true,"counters":' + json.dumps(self.counters) + ',"series":['
        yield ",".join(pack_series(labels, series) for labels, series in self.series.items())
        yield "]}"


def merge_told(parts: Iterable[Told]) -> Told:
    """One out of many: series with equal labels, counters and gauges add up. The parts stay as they are."""
    total = Told()
    for part in parts:
        for labels, series in part.series.items():
            found = total.series.get(labels)
            if found is None:
                found = total.series[labels] = Series()
            found.merge(series)
        _add(total.counters, part.counters)
        _add(total.gauges, part.gauges)
        total.problems = tuple(dict.fromkeys((*total.problems, *part.problems)))
    fold_codes(total.series)
    return total


# What is no amount: of these the least counts.
_LEAST = frozenset({"certificate_expiry_timestamp_seconds"})


def _add(total: Figures, values: Mapping[str, Any], join: Callable[[Any, Any], Any] = add) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _add(total.setdefault(name, {}), value, min if name in _LEAST else add)
        else:
            total[name] = join(total[name], value) if name in total else value
