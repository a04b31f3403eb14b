"""What each version did since the start of its canary, whoever was restarted meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coalmine.model import Canary, Destination, Route
from coalmine.routing.canary_figures import Counts, Figures, Period, find_figures, list_versions, take_baseline

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER, EARLIER = STARTED + timedelta(hours=1), STARTED - timedelta(hours=1)
OLD, NEW = Destination(upstream="v1", function="f"), Destination(upstream="v2", function="f")
BASE = Route(name="base", virtual_service="main", destinations=(OLD,))
CANARY = Canary(
    name="base",
    virtual_service="main",
    destination=NEW,
    percent=10,
    before=BASE,
    written=BASE.model_copy(update={"destinations": (OLD, NEW)}),
    header_route=BASE.model_copy(update={"name": "base-canary", "destinations": (NEW,)}),
    started=STARTED,
)
NOTHING = Figures(0, 0, None, None, None, None)


def row(upstream: str, requests: int, *, code: int = 200, seconds: float = 0.004, **more: Any) -> dict[str, Any]:
    buckets = [[bound, requests if seconds <= bound else 0] for bound in (0.005, 0.01, 0.1)]
    labels = {"virtual_service": "main", "route": "base", "function": "f", "upstream": upstream, "code": code}
    return labels | {"count": requests, "seconds_sum": requests * seconds, "seconds_buckets": buckets} | more


def counts(control: str = "first", since: datetime = STARTED, dead: tuple[str, ...] = (), **workers: Any) -> Counts:
    named = {name.replace("retired", ""): rows for name, rows in workers.items()}
    return Counts(control, since, named, frozenset(named) - {"", *dead})


def started_with(counted: Counts) -> Canary:
    return CANARY.model_copy(update={"baseline": take_baseline(CANARY, counted)})


def requests(period: Period) -> dict[str, int]:
    return {name: figures.requests for name, figures in period.versions.items()}


def test_what_was_counted_before_the_start_is_subtracted() -> None:
    canary = started_with(counts(one=[row("v1", 100), row("v2", 7)], two=[row("v1", 50)]))
    period = find_figures(canary, counts(one=[row("v1", 190), row("v2", 17)], two=[row("v1", 60)]))
    assert requests(period) == {"v1/f": 100, "v2/f": 10}
    assert (period.since, period.note) == (STARTED, None)


def test_the_new_version_is_counted_for_testers_and_for_others() -> None:
    rows = [row("v2", 1), row("v2", 2, route="base-canary"), row("v2", 4, code=404)]
    others = [row("v2", 100, route="other"), row("v2", 100, virtual_service="other"), row("v2", 100, function="g")]
    period = find_figures(started_with(counts()), counts(one=rows + others))
    assert requests(period) == {"v1/f": 0, "v2/f": 7}


def test_errors_are_answers_of_500_and_above() -> None:
    rows = [row("v2", 90), row("v2", 5, code=404), row("v2", 3, code=500), row("v2", 2, code=502)]
    figures = find_figures(started_with(counts()), counts(one=rows)).versions["v2/f"]
    assert (figures.requests, figures.errors, figures.error_rate) == (100, 5, 0.05)


def test_a_version_without_a_function_is_its_upstream() -> None:
    plain = CANARY.model_copy(update={"destination": Destination(upstream="v2")})
    period = find_figures(plain, counts(one=[row("v2", 3, function="")]))
    assert requests(period) == {"v1/f": 0, "v2/f": 0, "v2": 3}


@pytest.mark.parametrize(
    ("rows", "p50", "p99"),
    [
        ([row("v1", 100, seconds=0.004)], 0.0025, 0.00495),
        ([row("v1", 50, seconds=0.004), row("v1", 50, seconds=0.05)], 0.005, 0.0982),
        ([row("v1", 1, seconds=99)], 0.1, 0.1),
        ([row("v1", 1, seconds_buckets=[])], None, None),
    ],
    ids=["one bucket", "an empty bucket between two", "above the last bound", "no buckets"],
)
def test_latency_is_estimated_from_buckets(rows: Any, p50: float | None, p99: float | None) -> None:
    figures = find_figures(CANARY, counts(one=rows)).versions["v1/f"]
    assert figures.p50_seconds == (p50 and pytest.approx(p50))
    assert figures.p99_seconds == (p99 and pytest.approx(p99))


def test_the_mean_is_that_of_the_requests_since_the_start() -> None:
    canary = started_with(counts(one=[row("v1", 100, seconds=9)]))
    now = [row("v1", 102, seconds_sum=900 + 0.5, seconds_buckets=[[0.005, 0], [0.01, 0], [0.1, 2]])]
    figures = find_figures(canary, counts(one=now)).versions["v1/f"]
    assert figures.mean_seconds == pytest.approx(0.25)
    assert figures.p50_seconds == pytest.approx(0.055)


def test_without_a_baseline_everything_counts_and_nobody_knows_since_when() -> None:
    period = find_figures(CANARY, counts(one=[row("v1", 3)]))
    assert (requests(period), period.since) == ({"v1/f": 3, "v2/f": 0}, None)
    assert period.versions["v2/f"] == NOTHING


BEFORE = counts(one=[row("v1", 100)], two=[row("v1", 10)], dead=("three",), three=[row("v1", 5)])
NOTES = [
    pytest.param(
        counts(one=[row("v1", 101)], dead=("two",), two=[row("v1", 12)], three=[row("v1", 5)], four=[row("v1", 3)]),
        (6, STARTED, None),
        id="a worker died: what it counted is kept",
    ),
    pytest.param(
        counts(retired=[row("v1", 118)], one=[row("v1", 100)]),
        (103, STARTED, None),
        id="workers died long ago: what they counted is one sum",
    ),
    pytest.param(
        counts("second", LATER, one=[row("v1", 101)], two=[row("v1", 12)]),
        (3, STARTED, None),
        id="control was restarted: the workers went on",
    ),
    pytest.param(
        counts("second", LATER, one=[row("v1", 101)], four=[row("v1", 3)]),
        (4, STARTED, "without workers that ended before 2026-01-02 04:04:05 UTC, when control was restarted"),
        id="control was restarted, and a worker too",
    ),
    pytest.param(
        counts("second", LATER, retired=[row("v1", 37)], one=[row("v1", 101)]),
        (23, STARTED, None),
        id="control was restarted, and workers died long ago: what they counted before the start is in the sum",
    ),
    pytest.param(
        replace(counts("second", LATER, one=[row("v1", 101)], two=[row("v1", 12)]), lost={"five": LATER}),
        (3, STARTED, "without workers that ended before 2026-01-02 04:04:05 UTC, when control was restarted"),
        id="control was restarted, and a worker that came after the start has not come back",
    ),
    pytest.param(
        replace(counts("second", LATER, one=[row("v1", 101)], two=[row("v1", 12)]), lost={"zero": EARLIER}),
        (3, STARTED, None),
        id="control was restarted, and a worker is missing since before the start",
    ),
    pytest.param(
        counts("second", LATER, four=[row("v1", 3)]),
        (3, LATER, "what was counted before 2026-01-02 04:04:05 UTC is lost: everything was restarted"),
        id="everything was restarted",
    ),
]


@pytest.mark.parametrize(("now", "expected"), NOTES)
def test_restarts_are_told(now: Counts, expected: tuple[int, datetime, str | None]) -> None:
    canary = started_with(BEFORE)
    assert canary.baseline is not None
    assert canary.baseline.alive == ("one", "two")
    period = find_figures(canary, now)
    assert (period.versions["v1/f"].requests, period.since, period.note) == expected


def test_a_canary_that_started_while_no_worker_was_there_does_not_guess() -> None:
    period = find_figures(started_with(counts()), counts("second", LATER, one=[row("v1", 3)]))
    assert (period.versions["v1/f"].requests, period.since) == (3, LATER)


def test_counts_that_went_backwards_are_no_figures() -> None:
    canary = started_with(counts(one=[row("v1", 100)]))
    assert find_figures(canary, counts(one=[row("v1", 1)])).versions["v1/f"] == NOTHING


def test_versions_are_listed_once_the_new_one_last() -> None:
    assert [one.upstream for one in list_versions(CANARY)] == ["v1", "v2"]
