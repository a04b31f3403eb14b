"""``/metrics``: what the workers counted and what the catalog holds, for Prometheus.

Rule 1: names, labels and meanings are a table, ``coalmine.feed.metric_names``; figures come from ``feed.stats()`` and
        the catalog at the moment of the scrape.
Rule 2: labels are names of definitions, never paths or anything else that a client chooses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from admin_api.exposition import render_requests
from admin_api.pages import walk
from admin_api.parts import HasParts, Parts
from admin_api.process_figures import find_figures
from admin_api.representations import unread_state
from coalmine import __version__
from coalmine.errors import CatalogError
from coalmine.feed import metric_names as names
from coalmine.feed.metric_names import MetricName
from coalmine.feed.stats import Told

router = APIRouter(tags=["health"])

_STATES = ("pending", "discovered", "empty", "not_found", "unreachable", "stale", "disabled")
_OPENMETRICS_END = b"# EOF\n"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(request: Request, parts: HasParts) -> Response:
    """Figures in Prometheus' or OpenMetrics' format, of this moment: the workers are asked now."""
    told = parts.feed.stats()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GatewayCollector(parts, told))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    openmetrics = content_type.startswith("application/openmetrics-text")
    requests = "".join(render_requests(told.series, openmetrics=openmetrics)).encode()
    rest = encode(registry)
    if openmetrics:
        return _answer(rest.removesuffix(_OPENMETRICS_END) + requests + _OPENMETRICS_END, content_type)
    return _answer(requests + rest, content_type)


def _answer(body: bytes, content_type: str) -> Response:
    return Response(body, headers={"content-type": content_type})


class GatewayCollector(Collector):
    """Everything but the series of requests."""

    def __init__(self, parts: Parts, told: Told) -> None:
        self._parts = parts
        self._told = told

    def collect(self) -> Iterator[Metric]:
        yield from list_told_metrics(self._told)
        yield from self._list_served()
        yield from self._list_processes()
        yield _labelled(names.PROBES, self._parts.prober.outcomes())
        yield from self._list_catalog()

    def _list_served(self) -> Iterator[Metric]:
        feed = self._parts.feed
        snapshot, workers = feed.current, feed.workers()
        age = max(0.0, (self._parts.now() - feed.current_since).total_seconds())
        yield _labelled(names.BUILD_INFO, {__version__: 1})
        yield _labelled(names.SNAPSHOT_INFO, {snapshot.version: 1})
        yield _plain(names.SNAPSHOT_AGE, age)
        yield _plain(names.WORKERS, len(workers))
        yield _plain(names.WORKERS_CURRENT, sum(worker.version == snapshot.version for worker in workers))
        info, lag = _family(names.WORKER_INFO), _family(names.WORKER_LAG)
        for worker in workers:
            number = str(worker.index + 1)
            info.add_metric([number, str(worker.pid), worker.version or ""], 1)
            lag.add_metric([number], 0 if worker.version == snapshot.version else age)
        yield from (info, lag)
        severities = [problem.severity for problem in (*snapshot.problems, *self._told.problems)]
        yield _labelled(names.PROBLEMS, {one: severities.count(one) for one in ("error", "warning")})

    def _list_processes(self) -> Iterator[Metric]:
        memory, files = _family(names.WORKER_RSS), _family(names.WORKER_FDS)
        for worker in self._parts.feed.workers():
            if (found := find_figures(worker.pid)) is not None:
                memory.add_metric([str(worker.index + 1)], found.resident_bytes)
                files.add_metric([str(worker.index + 1)], found.open_fds)
        yield from (memory, files, _plain(names.CONTROL_CPU, time.process_time()))
        if (own := find_figures(os.getpid())) is not None:
            yield _plain(names.CONTROL_RSS, own.resident_bytes)
            yield _plain(names.CONTROL_FDS, own.open_fds)

    def _list_catalog(self) -> Iterable[Metric]:
        """Scrapes go on while the database does not: its figures are missing then, and ``up`` says so."""
        try:
            metrics = self._read_catalog()
        except CatalogError:
            return [_plain(names.CATALOG_UP, 0)]
        return [*metrics, _plain(names.CATALOG_UP, 1)]

    def _read_catalog(self) -> list[Metric]:
        objects, functions = _family(names.OBJECTS), _family(names.FUNCTIONS)
        success, state = _family(names.LAST_SUCCESS), _family(names.DISCOVERY_STATE)
        with self._parts.catalog.read() as reader:
            for kind in ("upstream", "virtual_service", "route"):
                objects.add_metric([kind], len(reader.names(kind)))
            for upstream in walk(reader.list_upstreams):
                report = reader.find_report(upstream.name)
                found = report.state if report else unread_state(upstream)
                functions.add_metric([upstream.name], report.functions if report else 0)
                for one in _STATES:
                    state.add_metric([upstream.name, one], one == found)
                if report and report.last_success_at:
                    success.add_metric([upstream.name], report.last_success_at.timestamp())
        return [objects, functions, success, state]


def list_told_metrics(told: Told) -> Iterator[Metric]:
    """The workers' own counters and gauges."""
    for metric in names.TOLD:
        values = told.counters if metric.kind == "counter" else told.gauges
        if metric.key in values:
            value = values[metric.key]
            yield _labelled(metric, value) if isinstance(value, Mapping) else _plain(metric, value)


def _family(metric: MetricName) -> Any:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)


def _plain(metric: MetricName, value: float) -> Metric:
    family = _family(metric)
    family.add_metric([], value)
    made: Metric = family
    return made


def _labelled(metric: MetricName, values: Mapping[str, float]) -> Metric:
    """``values`` by the metric's only label."""
    family = _family(metric)
    for label, value in values.items():
        family.add_metric([label], value)
    made: Metric = family
    return made
