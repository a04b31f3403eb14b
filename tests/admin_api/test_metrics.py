"""/metrics, read with the parsers of Prometheus' own client library."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from admin_api.process_figures import find_figures
from coalmine.feed.metric_names import METRICS, TOLD
from coalmine.feed.server import WorkerState
from coalmine.feed.stats import LABELS, Labels, Series, Told
from tests.admin_api.support import V1, Api, break_catalog

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
NASTY = 'a"b\\c\nd\u2028é{}=,'


def told() -> Told:
    """Something of everything."""
    made = Told()
    labels: list[Labels] = [("v", "r", "f", "u", 200), ("v", NASTY, NASTY, "u", 503), ("", "", "", "", 404)]
    for place, one in enumerate(labels):
        made.series[one] = series = Series()
        for seconds in (0.0001, 0.3, 77.0)[: place + 1]:
            series.add(seconds, seconds / 2 if place < 2 else None, 10, 20)
    values = {metric.key: dict.fromkeys(["one"], 3) if metric.labels else 7 for metric in TOLD}
    made.counters = {metric.key: values[metric.key] for metric in TOLD if metric.kind == "counter"}
    made.gauges = {metric.key: values[metric.key] for metric in TOLD if metric.kind == "gauge"}
    return made


@pytest.fixture
def counted(petstore: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(petstore.feed, "stats", told)
    states = [WorkerState(os.getpid(), 0, petstore.feed.current.version), WorkerState(os.getpid(), 1, "old")]
    monkeypatch.setattr(petstore.feed, "workers", lambda: states)
    return petstore


def scrape(api: Api, *, openmetrics: bool = False) -> dict[str, Metric]:
    answer = api.get("/metrics", headers=OPENMETRICS if openmetrics else {})
    parse: Any = parse_openmetrics if openmetrics else parse_text
    families = list(parse(answer.text))
    assert len({one.name for one in families}) == len(families)
    return {one.name: one for one in families}


def values(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {(sample.name, *sorted(sample.labels.values())): sample.value for one in families for sample in one.samples}


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "OpenMetrics"])
def test_figures_are_what_the_workers_counted_and_the_catalog_holds(counted: Api, openmetrics: bool) -> None:
    found = values(scrape(counted, openmetrics=openmetrics).values())
    labels = ("200", "f", "r", "u", "v")
    assert found["coalmine_requests_total", *labels] == 1
    assert found["coalmine_requests_total", "", "", "", "", "404"] == 3
    assert found["coalmine_request_duration_seconds_sum", *labels] == 0.0001
    assert found["coalmine_upstream_duration_seconds_count", *labels] == 1
    assert found["coalmine_response_bytes_total", *labels] == 20
    assert found["coalmine_problem_replies_total", "one"] == 3
    assert found["coalmine_client_connections",] == 7
    assert found["coalmine_retries_total",] == 7
    assert found["coalmine_objects", "upstream"] == 2
    assert found["coalmine_functions", V1] == 4
    assert found["coalmine_discovery_state", V1, "discovered"] == 1
    assert found["coalmine_catalog_up",] == 1
    assert found["coalmine_workers_current",] == 1
    assert found["coalmine_worker_snapshot_lag_seconds", "1"] == 0
    assert found["coalmine_worker_resident_memory_bytes", "1"] > 1_000_000


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "OpenMetrics"])
def test_names_kinds_meanings_and_labels_are_those_of_the_table(counted: Api, openmetrics: bool) -> None:
    families = scrape(counted, openmetrics=openmetrics)
    shown = {
        name: (one.type, one.documentation, {frozenset(sample.labels) - {"le"} for sample in one.samples})
        for name, one in families.items()
    }
    assert shown == {metric.name: (metric.kind, metric.help, {frozenset(metric.labels)}) for metric in METRICS}


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "OpenMetrics"])
@pytest.mark.parametrize("name", ["coalmine_request_duration_seconds", "coalmine_upstream_duration_seconds"])
def test_histograms_are_well_formed(counted: Api, name: str, openmetrics: bool) -> None:
    parts: dict[tuple[str, ...], dict[str, Any]] = defaultdict(lambda: {"buckets": []})
    for sample in scrape(counted, openmetrics=openmetrics)[name].samples:
        one = parts[tuple(sample.labels[label] for label in LABELS)]
        if sample.name == f"{name}_bucket":
            one["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            one[sample.name.removeprefix(f"{name}_")] = sample.value
    assert len(parts) == 3
    for one in parts.values():
        bounds, totals = zip(*one["buckets"], strict=True)
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf
        assert list(totals) == sorted(totals) and totals[-1] == one["count"]
        assert one["sum"] >= 0


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "OpenMetrics"])
def test_names_with_quotes_line_ends_and_letters_of_all_kinds_are_what_they_were(
    counted: Api, openmetrics: bool
) -> None:
    samples = scrape(counted, openmetrics=openmetrics)["coalmine_requests"].samples
    assert {sample.labels["route"] for sample in samples} == {"r", NASTY, ""}


def test_openmetrics_is_spoken_where_it_is_asked_for(counted: Api) -> None:
    answer = counted.get("/metrics", headers=OPENMETRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n") and answer.text.count("# EOF") == 1
    assert counted.get("/metrics").headers["content-type"].startswith("text/plain")


def test_nothing_counted_is_no_sample_and_still_metrics(api: Api) -> None:
    families = scrape(api, openmetrics=True)
    assert "coalmine_requests" not in families
    assert families["coalmine_workers"].samples[0].value == 0


def test_a_scrape_outlives_the_catalog(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    break_catalog(api, monkeypatch)
    assert "coalmine_catalog_up 0.0" in api.get("/metrics").text


def test_a_process_that_is_gone_has_no_figures() -> None:
    assert find_figures(2**30) is None


def test_the_pages_table_is_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(coalmine_[a-z_]+)` \| (\w+) \| (.*?) \| (.+?) \|$", page, re.MULTILINE)
    assert {name: (kind, labels.replace("`", ""), meaning) for name, kind, labels, meaning in rows} == {
        metric.sample: (metric.kind, ", ".join(metric.labels), metric.help) for metric in METRICS
    }
