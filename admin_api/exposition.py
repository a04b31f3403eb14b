"""The series of requests as Prometheus' text format and OpenMetrics have them.

Rule 1: the client library would write the same, and takes 0.6 seconds for 1,000 routes, because it looks at the labels
        of each line anew. Here they are written once for each series. Everything else is left to the library, and tests
        read all of it with the library's parsers.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from coalmine.feed.metric_names import (
    DURATION,
    REQUEST_BYTES,
    REQUESTS,
    RESPONSE_BYTES,
    UPSTREAM_DURATION,
    MetricName,
)
from coalmine.feed.stats import BUCKETS, LABELS, Labels, Series, SeriesByLabels

_COUNTERS: tuple[tuple[MetricName, Callable[[Series], int]], ...] = (
    (REQUESTS, lambda series: series.count),
    (REQUEST_BYTES, lambda series: series.request_bytes),
    (RESPONSE_BYTES, lambda series: series.response_bytes),
)
_HISTOGRAMS: tuple[tuple[MetricName, Callable[[Series], tuple[list[int], int, float]]], ...] = (
    (DURATION, lambda series: (series.buckets, series.count, series.seconds)),
    (UPSTREAM_DURATION, lambda series: (series.upstream_buckets, series.upstream_count, series.upstream_seconds)),
)
_ENDS = [f',le="{bound}"}} ' for bound in (*BUCKETS, "+Inf")]
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def render_requests(series: SeriesByLabels, *, openmetrics: bool) -> Iterator[str]:
    """Lines, each with its end; nothing where nothing was counted."""
    if not series:
        return
    labelled = [(_label(labels), one) for labels, one in series.items()]
    for metric, read in _COUNTERS:
        yield from _head(metric, metric.name if openmetrics else metric.sample)
        for labels, one in labelled:
            yield f"{metric.sample}{{{labels}}} {read(one)}\n"
    for metric, parts in _HISTOGRAMS:
        yield from _head(metric, metric.name)
        for labels, one in labelled:
            yield from _render_histogram(metric.name, labels, *parts(one))


def _head(metric: MetricName, name: str) -> Iterable[str]:
    return f"# HELP {name} {metric.help}\n", f"# TYPE {name} {metric.kind}\n"


def _render_histogram(name: str, labels: str, buckets: list[int], count: int, seconds: float) -> Iterator[str]:
    start, total = f"{name}_bucket{{{labels}", 0
    for end, within in zip(_ENDS, buckets, strict=True):
        total += within
        yield f"{start}{end}{total}\n"
    yield f"{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}\n"


def _label(labels: Labels) -> str:
    return ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in zip(LABELS, labels, strict=True))
