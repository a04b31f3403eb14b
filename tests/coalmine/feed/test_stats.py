"""Telling and adding up."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from coalmine.feed.stale import SECONDS, StaleRoutes
from coalmine.feed.stats import (
    BUCKETS,
    MAX_CODES,
    MAX_STALE_SERIES,
    Labels,
    Series,
    Told,
    fold,
    merge_told,
    show_series,
)
from coalmine.routing.snapshot import EMPTY
from coalmine.routing.steps import finish
from proxy.embedded.stats import Stats

ONE: Labels = ("main", "one", "f", "up", 200)
TWO: Labels = ("main", "two", "f", "up", 200)


def series(*seconds: float) -> Series:
    made = Series()
    for one in seconds:
        made.add(one, one / 2, 3, 5)
    return made


def told(counters: dict[str, object] | None = None, gauges: dict[str, object] | None = None, **rows: Series) -> Told:
    made = Told()
    made.series = {("main", name, "f", "up", 200): one for name, one in rows.items()}
    made.counters, made.gauges = counters or {}, gauges or {}
    return made


def counts(one: Told) -> dict[str, int]:
    return {labels[1]: series.count for labels, series in one.series.items()}


def test_series_with_equal_labels_add_up_and_others_stand_apart() -> None:
    first, second = told(one=series(0.1), two=series(0.1, 0.2)), told(one=series(0.3, 0.0001, 99.0))
    merged = merge_told([first, second])
    assert counts(merged) == {"one": 4, "two": 2}
    shown = show_series(ONE, merged.series[ONE])
    assert (shown["seconds_sum"], shown["request_bytes"], shown["response_bytes"]) == (pytest.approx(99.4001), 12, 20)
    assert dict(map(tuple, shown["seconds_buckets"]))[0.5] == 3
    assert (counts(first), counts(second)) == ({"one": 1, "two": 2}, {"one": 3})


def coded(*codes: int) -> Told:
    made = Told()
    made.series = {("main", "one", "f", "up", code): series(0.1) for code in codes}
    return made


def test_codes_of_all_workers_together_are_as_few_as_those_of_one_and_none_is_lost() -> None:
    merged = merge_told([coded(200, *range(600, 664)), coded(404, *range(700, 764)), coded(200, 201)])
    shown = {labels[4]: one.count for labels, one in merged.series.items()}
    assert len(shown) <= MAX_CODES + 9
    assert (shown[200], shown[404], shown[201]) == (2, 1, 1)
    assert sum(shown.values()) == 132


def test_no_class_of_codes_goes_backwards_when_further_codes_come() -> None:
    parts, before = [coded(*range(900, 964))], 0
    for more in range(120, 900, 3):
        parts.append(coded(more))
        counts = {labels[4]: one.count for labels, one in merge_told(parts).series.items()}
        assert sum(counts.values()) == 64 + len(parts) - 1
        assert counts.get(900, 0) >= before
        before = counts.get(900, 0)
    assert before > 1


def test_counters_and_gauges_add_up_by_label_and_gauges_of_the_dead_do_not() -> None:
    part = told({"x": 2, "by": {"a": 1}}, {"g": 3})
    merged = merge_told([part, told({"by": {"a": 2, "b": 5}}), part.without_gauges()])
    assert (merged.counters, merged.gauges) == ({"x": 4, "by": {"a": 4, "b": 5}}, {"g": 3})
    assert part.counters == {"x": 2, "by": {"a": 1}}


def test_of_the_ends_of_certificates_the_first_counts() -> None:
    ends = [told(gauges={"certificate_expiry_timestamp_seconds": {"a.pem": one}}) for one in (9, 7, 8)]
    assert merge_told(ends).gauges == {"certificate_expiry_timestamp_seconds": {"a.pem": 7}}


def tell(stats: Stats, *, whole: bool = False) -> dict[str, object]:
    told: dict[str, object] = json.loads(finish(stats.tell_by_steps({}, {}, whole=whole)))
    return told


def routes(stats: dict[str, object]) -> list[object]:
    assert isinstance(stats["series"], list)
    return [row[1] for row in stats["series"]]


def test_only_what_has_changed_is_told_and_everything_where_the_whole_is_asked_for() -> None:
    stats = Stats()
    stats.find(ONE).add(0.1)
    stats.find(TWO).add(0.1)
    assert routes(tell(stats)) == ["one", "two"]
    stats.find(TWO).add(0.1)
    assert routes(tell(stats)) == ["two"]
    assert routes(tell(stats)) == []
    assert routes(tell(stats, whole=True)) == ["one", "two"]


def test_what_is_told_in_pieces_is_what_was_counted() -> None:
    stats, heard = Stats(), Told()
    for labels, seconds in ((ONE, 0.1), (TWO, 3.0), (ONE, 0.001)):
        stats.find(labels).add(seconds, seconds, 7, 9)
        heard.take(tell(stats))
    assert [show_series(*item) for item in heard.series.items()] == stats.dump()


def test_what_a_worker_was_is_read_back_as_it_was_written() -> None:
    first, again = told({"x": 2, "by": {"a": 1}}, one=series(0.1, 7.5)), Told()
    again.take(json.loads("".join(first.dump())))
    assert (again.counters, [show_series(*item) for item in again.series.items()]) == (
        first.counters,
        [show_series(*item) for item in first.series.items()],
    )


def test_folding_loses_no_request_and_leaves_the_others_alone() -> None:
    before = {ONE: series(0.1), TWO: series(0.2, 0.3), ("other", "one", "", "up", 404): series(1.0)}
    after = fold(fold(before, {("main", "one")}), {("main", "two")})
    assert {labels: one.count for labels, one in after.items()} == {
        ("main", "", "", "", 200): 3,
        ("other", "one", "", "up", 404): 1,
    }
    assert sum(one.seconds for one in after.values()) == pytest.approx(1.6)
    assert before[ONE].count == 1


def many(number: int) -> Iterable[dict[Labels, Series]]:
    return [{("main", f"r{n}", "", "up", 200): Series() for n in range(number)}]


def test_routes_that_are_no_more_are_folded_when_there_are_too_many_and_have_been_gone_for_a_while() -> None:
    clock = [0.0]
    stale = StaleRoutes(lambda: clock[0])
    assert stale.find(EMPTY, many(MAX_STALE_SERIES)) == frozenset()
    assert stale.find(EMPTY, many(MAX_STALE_SERIES + 1)) == frozenset()  # seen for the first time
    clock[0] += SECONDS / 2
    assert stale.find(EMPTY, many(MAX_STALE_SERIES + 1)) == frozenset()
    clock[0] += SECONDS
    assert stale.find(EMPTY, many(MAX_STALE_SERIES + 2)) == {("main", f"r{n}") for n in range(MAX_STALE_SERIES + 1)}


def test_bounds_go_up() -> None:
    assert list(BUCKETS) == sorted(set(BUCKETS))
