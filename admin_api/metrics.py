"""``/metrics``: what the workers counted and what the catalog holds, for Prometheus.

Rule 1: names and labels are a table here; figures come from ``feed.stats()`` and the catalog at the moment of the
scrape. Nothing is counted in this process.
Rule 2: labels are names of definitions, never paths or anything else that a client chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from admin_api.pages import walk
from admin_api.parts import HasParts, Parts
from admin_api.representations import unread_state
from coalmine import __version__
from coalmine.errors import CatalogError
from coalmine.feed.stats import LABELS

router = APIRouter(tags=["health"])

_HELP = "Requests that the gateway answered"
_SECONDS = "Seconds from the head of the request to the end of the answer"
_STATES = ("pending", "discovered", "empty", "not_found", "unreachable", "stale", "disabled")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(request: Request, parts: HasParts) -> Response:
    """Figures in Prometheus' or OpenMetrics' format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GatewayCollector(parts))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})


class GatewayCollector(Collector):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        stats = self._parts.feed.stats()
        yield from list_request_metrics(stats.get("requests", []))
        yield from list_plain_metrics(stats)
        yield from self._list_served()
        yield from self._list_catalog()

    def _list_served(self) -> Iterator[Metric]:
        snapshot, workers = self._parts.feed.current, self._parts.feed.workers()
        build = GaugeMetricFamily("coalmine_build_info", "The version of Coalmine", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        info = GaugeMetricFamily("coalmine_snapshot_info", "The snapshot that is served", labels=["version"])
        info.add_metric([snapshot.version], 1)
        yield info
        current = sum(worker.version == snapshot.version for worker in workers)
        yield _gauge("coalmine_workers", "Workers that are connected", len(workers))
        yield _gauge("coalmine_workers_current", "Workers that serve the current snapshot", current)
        problems = GaugeMetricFamily("coalmine_problems", "Definitions not served as written", labels=["severity"])
        for severity in ("error", "warning"):
            count = sum(problem.severity == severity for problem in snapshot.problems)
            problems.add_metric([severity], count)
        yield problems

    def _list_catalog(self) -> Iterable[Metric]:
        """Scrapes go on while the database does not: its figures are missing then, and ``up`` says so."""
        try:
            metrics = self._read_catalog()
        except CatalogError:
            return [_gauge("coalmine_catalog_up", "Whether the catalog can be read", 0)]
        return [*metrics, _gauge("coalmine_catalog_up", "Whether the catalog can be read", 1)]

    def _read_catalog(self) -> list[Metric]:
        objects = GaugeMetricFamily("coalmine_objects", "Definitions in the catalog", labels=["kind"])
        functions = GaugeMetricFamily("coalmine_functions", "Functions of an upstream", labels=["upstream"])
        success = GaugeMetricFamily(
            "coalmine_discovery_last_success_timestamp_seconds", "When a document was last read", labels=["upstream"]
        )
        state = GaugeMetricFamily("coalmine_discovery_state", "1 for the state it is in", labels=["upstream", "state"])
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


def list_request_metrics(rows: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    requests = CounterMetricFamily("coalmine_requests", _HELP, labels=LABELS)
    duration = HistogramMetricFamily("coalmine_request_duration_seconds", _SECONDS, labels=LABELS)
    upstream = CounterMetricFamily("coalmine_upstream_seconds", "Seconds spent waiting for upstreams", labels=LABELS)
    for row in rows:
        labels = [str(row.get(label) or "") for label in LABELS]
        requests.add_metric(labels, row["count"])
        buckets = [(_bound(bound), count) for bound, count in row.get("seconds_buckets", ())]
        if buckets:
            if buckets[-1][0] != "+Inf":
                buckets.append(("+Inf", row["count"]))
            duration.add_metric(labels, buckets, row.get("seconds_sum", 0.0))
        if "upstream_seconds_sum" in row:
            upstream.add_metric(labels, row["upstream_seconds_sum"])
    return iter((requests, duration, upstream))


def list_plain_metrics(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """The engines' own counters and gauges, under their names."""
    for name, value in sorted(stats.get("gauges", {}).items()):
        yield _gauge(f"coalmine_{name}", name.replace("_", " "), value)
    for name, value in sorted(stats.get("counters", {}).items()):
        counter = CounterMetricFamily(f"coalmine_{name.removesuffix('_total')}", name.replace("_", " "))
        counter.add_metric([], value)
        yield counter


def _bound(bound: Any) -> str:
    return "+Inf" if bound in ("+Inf", "inf", None) else str(float(bound))


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)
