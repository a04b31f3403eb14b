"""What is counted, and what is dumped of it."""

from __future__ import annotations

from coalmine.feed.metric_names import TOLD
from proxy.embedded import Engine
from proxy.embedded.stats import BUCKETS, MAX_CODES, Series, Stats
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import free_port

LABELS = ("main", "r", "f", "up", 200)


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    stats = Stats()
    series = stats.find(LABELS)
    for seconds in (0.001, 0.005, 0.006, 0.3):
        series.add(seconds)
    series.add(99.0, 0.02)
    (row,) = stats.dump()
    assert (row["virtual_service"], row["route"], row["function"], row["upstream"], row["code"]) == LABELS
    assert row["count"] == 5
    assert abs(row["seconds_sum"] - 99.312) < 1e-9
    assert dict(map(tuple, row["seconds_buckets"])) == {
        0.0005: 0, 0.001: 1, 0.0025: 1, 0.005: 2, 0.01: 3, 0.025: 3, 0.05: 3, 0.1: 3, 0.25: 3, 0.5: 4, 1.0: 4, 2.5: 4,
        5.0: 4, 10.0: 4,
    }  # fmt: skip
    assert (row["upstream_count"], dict(map(tuple, row["upstream_seconds_buckets"]))[0.025]) == (1, 1)
    assert len(row["seconds_buckets"]) == len(BUCKETS)


def test_an_upstream_that_makes_up_codes_makes_no_end_of_series() -> None:
    stats = Stats()
    for _ in range(2):
        for code in range(100, 1000):
            stats.find((*LABELS[:4], code)).add(0.01)
    assert MAX_CODES < len(stats.series) <= MAX_CODES + 9
    assert sum(row["count"] for row in stats.dump()) == 1800
    assert stats.find((*LABELS[:4], 999)) is stats.series[(*LABELS[:4], 900)]
    assert stats.find((*LABELS[:4], 101)) is stats.series[(*LABELS[:4], 101)]


def test_folding_frees_the_places_of_codes() -> None:
    stats = Stats()
    for code in range(200, 200 + MAX_CODES):
        stats.find((*LABELS[:4], code)).add(0.01)
    stats.fold({("main", "r")})
    stats.find((*LABELS[:4], 599)).add(0.01)
    assert {row["code"] for row in stats.dump() if row["route"] == "r"} == {599}
    assert sum(row["count"] for row in stats.dump()) == MAX_CODES + 1


def test_counters_start_at_nothing() -> None:
    assert [value for value in Stats().counters.dump().values() if value] == []
    assert Series().count == 0


def test_every_counter_and_gauge_has_a_name_and_a_meaning() -> None:
    stats = Engine().stats()
    apart = {"worker_cpu_seconds", "certificate_expiry_timestamp_seconds"}  # of the process and of its files
    named = {metric.key for metric in TOLD} - apart
    assert named == {*stats["counters"], *stats["gauges"]}


def test_a_connection_that_cannot_be_made_takes_time() -> None:
    with Gateway(define(route(), up=f"http://127.0.0.1:{free_port()}")) as gateway, gateway.client() as client:
        assert client.ask(request()).status == 502
        (row,) = gateway.stats()["requests"]
        assert row["seconds_sum"] > 0
