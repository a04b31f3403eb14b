"""Adding up."""

from __future__ import annotations

from coalmine.feed.stats import LABELS, merge_stats, without_gauges
from proxy.embedded.stats import Stats


def row(route: str, count: int, **more: object) -> dict[str, object]:
    return {"route": route, "code": 200, "count": count, "seconds_buckets": [[0.1, count], ["+Inf", count]], **more}


def test_rows_with_equal_labels_add_up_and_others_stand_apart() -> None:
    merged = merge_stats([{"requests": [row("a", 1), row("b", 2)]}, {"requests": [row("a", 3)]}])
    assert merged["requests"] == [row("a", 4), row("b", 2)]


def test_a_bucket_that_only_one_worker_has_is_kept() -> None:
    merged = merge_stats([{"requests": [{"seconds_buckets": [[1, 1]]}]}, {"requests": [{"seconds_buckets": [[2, 5]]}]}])
    assert merged["requests"] == [{"seconds_buckets": [[1, 1], [2, 5]]}]


def test_the_parts_are_not_changed() -> None:
    part = {"requests": [row("a", 1)], "counters": {"x": 1}, "gauges": {"g": 1}}
    merge_stats([part, part])
    assert part == {"requests": [row("a", 1)], "counters": {"x": 1}, "gauges": {"g": 1}}


def test_counters_and_gauges_add_up_and_gauges_of_the_dead_do_not() -> None:
    part = {"counters": {"x": 2}, "gauges": {"g": 3}}
    assert merge_stats([part, without_gauges(part)]) == {"requests": [], "counters": {"x": 4}, "gauges": {"g": 3}}


def test_labels_are_those_that_the_engine_counts_by() -> None:
    stats = Stats()
    stats.find(("coalmine", "find-pets", "findPets", "petstore", 200)).add(0.1)
    (row,) = stats.dump()
    assert tuple(name for name in row if name in LABELS) == LABELS
    assert "method" not in row  # whoever sends a request chooses it
