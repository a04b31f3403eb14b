"""``/api/v1/stats``: what ``/metrics`` says, for people and for ``coalmine proxy stats``.

Rule 1: figures are of this moment: the workers are asked now. All of them count from the gateway's start:
        what workers that are gone have counted is in them.
Rule 2: quantiles are estimated from buckets, as Prometheus' histogram_quantile does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.documented import READING
from admin_api.parts import HasParts, Parts
from admin_api.process_figures import find_figures
from coalmine.feed.server import WorkerState
from coalmine.feed.stats import Labels, Series, SeriesByLabels, estimate_quantile

router = APIRouter(prefix="/api/v1", tags=["served"])

_FAILED = 500  # RFC 9110 section 15.6


class WorkerFigures(BaseModel):
    number: int
    pid: int
    version: str | None = Field(description="of the snapshot that it serves")
    current: bool = Field(description="whether that is the one that is published")
    hung: bool = Field(description="it does not answer")
    problem: str | None = Field(description="why it refused the last snapshot")
    uptime_seconds: float | None = Field(description="null where the system does not tell")
    resident_bytes: int | None


class Latency(BaseModel):
    """null where nothing was counted; above the longest bucket, that is the figure."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class DestinationFigures(BaseModel):
    """All requests of one route that went to one function or upstream; empty names where there is none."""

    virtual_service: str
    route: str
    function: str
    upstream: str
    requests: int
    errors: int = Field(description="answers with status 500 and above")
    codes: dict[str, int] = Field(description="requests by status code; 499: the client left before its answer")
    request_bytes: int
    response_bytes: int
    seconds: Latency = Field(description="of whole requests")
    upstream_seconds: Latency = Field(description="until the head of the upstream's answer")


class StatsView(BaseModel):
    time: datetime
    seconds: float | None = Field(description="that have been counted: since the gateway's start, reloads included")
    version: str = Field(description="of the snapshot that is published")
    published: datetime
    workers: list[WorkerFigures]
    requests: int
    errors: int
    counters: dict[str, Any] = Field(description="as in /metrics, without coalmine_ and _total")
    gauges: dict[str, Any]
    destinations: list[DestinationFigures] = Field(description="the busiest first")


@router.get("/stats", response_model=StatsView, responses=READING)
def get_stats(
    request: Request,
    parts: HasParts,
    virtual_service: Annotated[str | None, Query()] = None,
    route: Annotated[str | None, Query()] = None,
    upstream: Annotated[str | None, Query()] = None,
) -> Response:
    """What the workers counted since the gateway was started, and how they are."""
    told = parts.feed.stats()
    asked = (virtual_service, route, None, upstream)
    wanted = {labels: one for labels, one in told.series.items() if _matches(labels, asked)}
    destinations = sorted(list_destinations(wanted), key=lambda one: -one["requests"])
    shown = {
        "time": _show_time(parts.now()),
        "seconds": _find_period(),
        "version": parts.feed.current.version,
        "published": _show_time(parts.feed.current_since),
        "workers": [_show_worker(parts, worker) for worker in parts.feed.workers()],
        "requests": sum(one["requests"] for one in destinations),
        "errors": sum(one["errors"] for one in destinations),
        "counters": told.counters,
        "gauges": told.gauges,
        "destinations": destinations,
    }
    return answer(request, shown)


def list_destinations(series: SeriesByLabels) -> Iterator[dict[str, Any]]:
    """One for all codes of the same names."""
    groups: dict[tuple[str, ...], SeriesByLabels] = {}
    for labels, one in series.items():
        groups.setdefault(labels[:4], {})[labels] = one
    for names, group in groups.items():
        yield _show_destination(names, group)


def _show_destination(names: tuple[str, ...], group: SeriesByLabels) -> dict[str, Any]:
    total = Series()
    for one in group.values():
        total.merge(one)
    return {
        **dict(zip(("virtual_service", "route", "function", "upstream"), names, strict=True)),
        "requests": total.count,
        "errors": sum(one.count for labels, one in group.items() if labels[4] >= _FAILED),
        "codes": {str(labels[4]): one.count for labels, one in sorted(group.items(), key=lambda item: item[0][4])},
        "request_bytes": total.request_bytes,
        "response_bytes": total.response_bytes,
        "seconds": _show_latency(total.buckets, total.count, total.seconds),
        "upstream_seconds": _show_latency(total.upstream_buckets, total.upstream_count, total.upstream_seconds),
    }


def _show_latency(buckets: list[int], count: int, seconds: float) -> dict[str, float | None]:
    quantiles = {f"p{share}": estimate_quantile(buckets, count, share / 100) for share in (50, 95, 99)}
    return {"mean": seconds / count if count else None, **quantiles}


def _matches(labels: Labels, asked: Iterable[str | None]) -> bool:
    return all(wanted in (None, label) for label, wanted in zip(labels, asked, strict=False))


def _show_worker(parts: Parts, worker: WorkerState) -> dict[str, Any]:
    figures = find_figures(worker.pid)
    return {
        "number": worker.index + 1,
        "pid": worker.pid,
        "version": worker.version,
        "current": worker.version == parts.feed.current.version,
        "hung": worker.hung,
        "problem": worker.problem,
        "uptime_seconds": None if figures is None else round(figures.uptime_seconds, 1),
        "resident_bytes": None if figures is None else figures.resident_bytes,
    }


def _find_period() -> float | None:
    """Figures outlive workers and this process, but not the one that started them."""
    supervisor = find_figures(os.getppid())
    return None if supervisor is None else round(supervisor.uptime_seconds, 1)


def _show_time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
