"""What is counted, and what is dumped of it."""

from __future__ import annotations

from proxy.embedded.stats import BUCKETS, MAX_STALE_SERIES, Series, Stats


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    stats = Stats()
    series = stats.find(("main", "r", "f", "up", 200))
    for seconds in (0.001, 0.005, 0.006, 0.3):
        series.add(seconds)
    series.add(99.0, 0.02)
    (row,) = stats.dump()
    assert (row["virtual_service"], row["route"], row["function"], row["upstream"], row["code"]) == (
        "main", "r", "f", "up", 200,
    )  # fmt: skip
    assert row["count"] == 5
    assert abs(row["seconds_sum"] - 99.312) < 1e-9
    assert dict(map(tuple, row["seconds_buckets"])) == {
        0.005: 2, 0.01: 3, 0.025: 3, 0.05: 3, 0.1: 3, 0.25: 3, 0.5: 4, 1.0: 4, 2.5: 4, 5.0: 4, 10.0: 4,
    }  # fmt: skip
    assert (row["upstream_count"], row["upstream_seconds_buckets"][2]) == (1, [0.025, 1])
    assert len(row["seconds_buckets"]) == len(BUCKETS)


def test_series_of_routes_that_are_no_more_are_folded_when_there_are_too_many() -> None:
    stats = Stats()
    for number in range(MAX_STALE_SERIES + 1):
        stats.find(("main", f"r{number}", "", "up", 200)).add(0.01, 0.01)
    stats.fold({("main", "r7")})
    rows = {row["route"]: row["count"] for row in stats.dump()}
    assert rows == {"": MAX_STALE_SERIES, "r7": 1}
    stats.fold(set())
    assert len(stats.series) == 2


def test_counters_start_at_nothing() -> None:
    assert set(Stats().counters.dump().values()) == {0}
    assert Series().count == 0
