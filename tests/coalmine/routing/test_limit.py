"""Token buckets, with a clock that stands where the test puts it."""

from __future__ import annotations

import pytest

from coalmine.model import RateKey, RateLimit
from coalmine.routing import limit as limit_module
from coalmine.routing.build import build_snapshot
from coalmine.routing.decide import decide
from coalmine.routing.decision import Reply
from coalmine.routing.explain import explain
from coalmine.routing.limit import RateLimits, describe_limit
from coalmine.routing.table import RouteTable
from tests.support.case import define, get, route, to
from tests.support.dry import make_head


class Clock:
    now = 100.0

    def read(self) -> float:
        return self.now


def test_a_bucket_is_filled_again_at_the_rate_of_the_limit() -> None:
    clock = Clock()
    limits = RateLimits(clock.read)
    limit = RateLimit(requests=2, per_seconds=10)
    assert [limits.take("r", limit, "") for _ in range(3)] == [0, 0, 5]
    clock.now += 4
    assert limits.take("r", limit, "") == pytest.approx(1)
    clock.now += 1
    assert [limits.take("r", limit, "") for _ in range(2)] == [0, 5]
    clock.now += 1_000
    assert [limits.take("r", limit, "") for _ in range(3)] == [0, 0, 5]


def test_workers_share_a_limit() -> None:
    limits = RateLimits(lambda: 0.0, workers=4)
    limit = RateLimit(requests=8, per_seconds=8)
    assert [limits.take("r", limit, "") for _ in range(3)] == [0, 0, 4]
    assert [limits.take("s", RateLimit(requests=1), "") for _ in range(2)] == [0, 4]


def test_keys_have_buckets_of_their_own_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_module, "MAX_KEYS", 2)
    limits = RateLimits(lambda: 0.0)
    limit = RateLimit(requests=1)
    assert [limits.take("r", limit, key) for key in "abac"] == [0, 0, 1, 0]
    assert [limits.take("r", limit, key) for key in "ab"] == [1, 0]  # b was unused for longest when c came


def test_what_is_not_served_any_more_is_forgotten() -> None:
    limits = RateLimits(lambda: 0.0)
    limit = RateLimit(requests=1)
    assert [limits.take(route, limit, "") for route in "aabb"] == [0, 1, 0, 1]
    limits.keep({"b"})
    assert [limits.take(route, limit, "") for route in "ab"] == [0, 1]


def test_a_limit_that_is_lowered_takes_what_was_saved() -> None:
    limits = RateLimits(lambda: 0.0)
    assert limits.take("r", RateLimit(requests=100), "") == 0
    assert [limits.take("r", RateLimit(requests=1), "") for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (RateLimit(requests=1), "1 request in 1 s"),
        (RateLimit(requests=10, per_seconds=0.5, by=RateKey(header="X-User")), "10 requests in 0.5 s for each X-User"),
        (RateLimit(requests=2, by=RateKey(source_address=True)), "2 requests in 1 s for each source address"),
    ],
)
def test_a_limit_in_words(limit: RateLimit, text: str) -> None:
    assert describe_limit(limit) == text


@pytest.mark.parametrize("by", [{}, {"header": "a", "source_address": True}], ids=["nothing", "both"])
def test_a_key_is_one_thing(by: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one of header and source_address"):
        RateLimit.model_validate({"requests": 1, "by": by})


def test_without_somebody_who_counts_nothing_is_limited() -> None:
    definitions = define(route("r", "/", to("v1", "findPets"), rate_limit={"requests": 1, "by": {"header": "x-user"}}))
    table = RouteTable.compile(build_snapshot(definitions))
    limits = RateLimits(lambda: 0.0)

    def ask(user: str, limits: RateLimits | None) -> bool:
        return isinstance(decide(table, make_head(get("/", x_user=user)), lambda: 0.5, limits=limits), Reply)

    assert [ask(user, limits) for user in ("ann", "ann", "bob")] == [False, True, False]
    assert not any(ask("ann", None) for _ in range(3))


def test_an_explanation_says_that_there_is_a_limit() -> None:
    table = RouteTable.compile(build_snapshot(define(route("r", "/", to("v1"), rate_limit={"requests": 5}))))
    assert explain(table, make_head(get("/"))).notes == ("rate limit: 5 requests in 1 s; beyond that 429",)
