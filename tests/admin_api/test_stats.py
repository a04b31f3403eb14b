"""``/stats``: figures by destination, and workers."""

from __future__ import annotations

import os

import pytest

from coalmine.feed.server import WorkerState
from coalmine.feed.stats import BUCKETS, Labels, Series, Told, estimate_quantile
from tests.admin_api.support import Api


def told() -> Told:
    made = Told()
    rows: dict[Labels, tuple[float, ...]] = {
        ("v", "r", "f", "u", 200): (0.002,) * 98,
        ("v", "r", "f", "u", 500): (3.0, 20.0),
        ("v", "other", "", "u2", 200): (0.1,),
        ("", "", "", "", 404): (0.0,) * 2,
    }
    for labels, seconds in rows.items():
        made.series[labels] = series = Series()
        for one in seconds:
            series.add(one, one / 2 if labels[3] else None, 1, 2)
    made.counters, made.gauges = {"retries": 4}, {"client_connections": 5}
    return made


@pytest.fixture
def counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(api.feed, "stats", told)
    workers = [WorkerState(os.getpid(), 0, api.feed.current.version), WorkerState(2**30, 1, "old", True, "why")]
    monkeypatch.setattr(api.feed, "workers", lambda: workers)
    return api


def test_figures_are_told_by_destination_the_busiest_first(counted: Api) -> None:
    stats = counted.get("/api/v1/stats").json()
    assert (stats["requests"], stats["errors"]) == (103, 2)
    assert stats["seconds"] > 0
    assert (stats["counters"], stats["gauges"]) == ({"retries": 4}, {"client_connections": 5})
    busiest = stats["destinations"][0]
    names = [busiest[name] for name in ("virtual_service", "route", "function", "upstream")]
    assert (names, busiest["requests"], busiest["errors"]) == (["v", "r", "f", "u"], 100, 2)
    assert busiest["codes"] == {"200": 98, "500": 2}
    assert (busiest["request_bytes"], busiest["response_bytes"]) == (100, 200)
    assert busiest["seconds"]["mean"] == pytest.approx((98 * 0.002 + 23) / 100)
    assert 0.001 < busiest["seconds"]["p50"] <= busiest["seconds"]["p95"] <= 0.0025
    assert 2.5 < busiest["seconds"]["p99"] <= 5
    unrouted = next(one for one in stats["destinations"] if not one["route"])
    assert unrouted["upstream_seconds"] == {"mean": None, "p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ("route=other", 1),
        ("upstream=u", 100),
        ("virtual_service=v", 101),
        ("route=nobody", 0),
        ("route=r&upstream=u2", 0),
    ],
)
def test_a_part_can_be_asked_for(counted: Api, query: str, requests: int) -> None:
    assert counted.get(f"/api/v1/stats?{query}").json()["requests"] == requests


def test_workers_are_told_with_what_they_serve(counted: Api) -> None:
    first, second = counted.get("/api/v1/stats").json()["workers"]
    assert (first["number"], first["pid"], first["current"], first["hung"]) == (1, os.getpid(), True, False)
    assert first["uptime_seconds"] > 0 and first["resident_bytes"] > 1_000_000
    assert (second["current"], second["hung"], second["problem"], second["uptime_seconds"]) == (
        False,
        True,
        "why",
        None,
    )


def test_without_workers_there_is_nothing(api: Api) -> None:
    stats = api.get("/api/v1/stats").json()
    assert (stats["requests"], stats["destinations"], stats["workers"]) == (0, [], [])


def test_a_quantile_lies_in_its_bucket_and_not_beyond_the_last() -> None:
    series = Series()
    for seconds in (0.3,) * 10:
        series.add(seconds)
    assert estimate_quantile(series.buckets, 10, 0.5) == pytest.approx(0.375)
    for seconds in (60.0,) * 90:
        series.add(seconds)
    assert estimate_quantile(series.buckets, 100, 0.99) == BUCKETS[-1]
    assert estimate_quantile(Series().buckets, 0, 0.5) is None
