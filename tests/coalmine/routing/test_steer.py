"""Weights and sticky users: shares that hold, and nobody who moves back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.model import CookieKey, Sticky
from coalmine.routing.decision import RequestHead
from coalmine.routing.snapshot import CallPlan, ServedDestination
from coalmine.routing.steer import Choice, compile_steering, shares

HEAD = RequestHead("GET", "/")
USERS = [f"user-{number}" for number in range(2_000)]


def destinations(**weights: int) -> tuple[ServedDestination, ...]:
    return tuple(ServedDestination(name, weight) for name, weight in weights.items())


def head_of(user: str) -> RequestHead:
    return RequestHead("GET", "/", headers=((b"x-user", user.encode()),))


def sticky_choices(*given: ServedDestination) -> dict[str, str]:
    choose = compile_steering(given, Sticky(header="X-User"))
    return {user: given[choose(head_of(user), random.random).position].upstream for user in USERS}


def test_weights_hold_over_ten_thousand_draws() -> None:
    draw = random.Random(1).random
    choose = compile_steering(destinations(a=1, b=0, c=90, d=9), None)
    counts = [0, 0, 0, 0]
    for _ in range(10_000):
        counts[choose(HEAD, draw).position] += 1
    # Four standard deviations of a binomial: sqrt(10,000 * 0.09 * 0.91) = 29 for 9 percent.
    assert counts[1] == 0
    assert 60 <= counts[0] <= 140
    assert 785 <= counts[3] <= 1_015


@given(st.floats(0, 1, exclude_max=True), st.lists(st.integers(0, 1_000_000), min_size=1).filter(any))
def test_a_weight_of_zero_is_never_chosen(point: float, weights: list[int]) -> None:
    given_ = tuple(ServedDestination(str(number), weight) for number, weight in enumerate(weights))
    assert weights[compile_steering(given_, None)(HEAD, lambda: point).position] > 0
    assert weights[compile_steering(given_, Sticky(header="x-user"))(head_of(str(point)), lambda: point).position] > 0


def test_a_draw_that_rounds_up_to_the_total_takes_the_last() -> None:
    choose = compile_steering(destinations(a=1, b=1, c=0), None)
    assert choose(HEAD, lambda: 1.0).position == 1


def test_sticky_users_are_shared_out_by_weight() -> None:
    counts = list(sticky_choices(*destinations(a=90, b=10, c=0)).values())
    assert counts.count("c") == 0
    assert 140 <= counts.count("b") <= 260


@pytest.mark.parametrize(("old", "new"), [((90, 10), (50, 50)), ((90, 10), (90, 50)), ((99, 1), (0, 100))])
def test_raising_a_weight_moves_nobody_back(old: tuple[int, int], new: tuple[int, int]) -> None:
    before, after = sticky_choices(*destinations(a=old[0], b=old[1])), sticky_choices(*destinations(a=new[0], b=new[1]))
    assert [user for user in USERS if before[user] == "b" and after[user] == "a"] == []
    moved = sum(before[user] != after[user] for user in USERS) / len(USERS)
    expected = new[1] / sum(new) - old[1] / sum(old)
    assert moved == pytest.approx(expected, abs=0.04)


def test_raising_one_of_three_moves_nobody_between_the_others() -> None:
    before, after = sticky_choices(*destinations(a=1, b=1, c=1)), sticky_choices(*destinations(a=1, b=1, c=3))
    assert {after[user] for user in USERS if before[user] != after[user]} == {"c"}


def test_the_place_in_the_list_does_not_matter() -> None:
    a, b, c = destinations(a=1, b=1, c=1)
    assert sticky_choices(a, b, c) == sticky_choices(c, a, b)


def test_a_new_destination_takes_users_only_for_itself() -> None:
    before, after = sticky_choices(*destinations(a=1, b=1)), sticky_choices(*destinations(a=1, b=1, c=1))
    assert {after[user] for user in USERS if before[user] != after[user]} == {"c"}


def test_two_functions_of_one_upstream_are_two_destinations() -> None:
    plans = [CallPlan(name, "GET", "/") for name in ("one", "two")]
    given_ = tuple(ServedDestination("a", 1, plan) for plan in plans)
    choose = compile_steering(given_, Sticky(header="x-user"))
    chosen = [choose(head_of(user), random.random).position for user in USERS]
    assert 850 <= sum(chosen) <= 1_150


def test_even_equal_destinations_share() -> None:
    choose = compile_steering(destinations(a=1) + destinations(a=1), Sticky(header="x-user"))
    assert 850 <= sum(choose(head_of(user), random.random).position for user in USERS) <= 1_150


def test_the_choice_is_the_same_in_every_process() -> None:
    # Written down once: a change of the hash would move every sticky user of every gateway.
    assert [sticky_choices(*destinations(a=1, b=1))[user] for user in USERS[:8]] == list("abababbb")


def test_a_cookie_is_minted_and_leads_back() -> None:
    choose = compile_steering(destinations(a=1, b=1), Sticky(cookie=CookieKey(name="c", ttl_seconds=5)))
    draw = random.Random(2).random
    for _ in range(50):
        position, headers = choose(HEAD, draw)
        ((name, value),) = headers
        assert name == "set-cookie"
        cookie, _, attributes = value.partition("; ")
        assert attributes == "Path=/; Max-Age=5; HttpOnly; SameSite=Lax"
        again = RequestHead("GET", "/", headers=((b"cookie", f"x=1; {cookie}".encode()),))
        assert choose(again, draw) == Choice(position)


def test_a_cookie_of_a_secure_page_is_secure() -> None:
    choose = compile_steering(destinations(a=1), Sticky(cookie=CookieKey()))
    headers = choose(RequestHead("GET", "/", scheme="https"), lambda: 0.5).headers
    assert headers[0][1].endswith("; SameSite=Lax; Secure")


@pytest.mark.parametrize("sticky", [Sticky(header="x-user"), Sticky(source_address=True)])
@pytest.mark.parametrize(("point", "position"), [(0.2, 0), (0.7, 1)])
def test_without_a_key_chance_decides(sticky: Sticky, point: float, position: int) -> None:
    assert compile_steering(destinations(a=1, b=1), sticky)(HEAD, lambda: point).position == position


def test_one_destination_needs_no_key() -> None:
    choose = compile_steering(destinations(a=0, b=1), Sticky(source_address=True))
    assert choose(RequestHead("GET", "/", source="127.0.0.1"), lambda: 0.0).position == 1


def test_shares_are_percent() -> None:
    assert shares(destinations(a=1, b=3, c=0)) == [25, 75, 0]
