"""The effective order, pair by pair."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.order import order_routes
from tests.coalmine.routing.definitions import route

X = {"name": "x", "present": True}


def at(**path: str) -> dict[str, Any]:
    return {"path": path}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(at(exact="/a"), at(template="/a"), id="exact before template"),
        pytest.param(at(template="/{a}"), at(regex="/a"), id="template before regex"),
        pytest.param(at(regex="/a"), at(prefix="/a/b/c"), id="regex before prefix"),
        pytest.param(at(template="/a/{b}"), at(template="/{a}/{b}/{c}"), id="more literal segments first"),
        pytest.param(at(template="/a/{b}.json"), at(template="/a/{b}"), id="partly literal before not literal"),
        pytest.param(at(prefix="/a/b"), at(prefix="/abcdef"), id="more segments before more characters"),
        pytest.param(at(prefix="/abc"), at(prefix="/ab"), id="more characters first"),
        pytest.param(at(prefix="/a"), at(prefix="/"), id="the root last"),
        pytest.param(at(prefix="/a"), at(prefix="/%"), id="what cannot be read is the last of its kind"),
        pytest.param({"methods": ["GET"]}, {}, id="a method is a condition"),
        pytest.param({"headers": [X, X]}, {"headers": [X], "source_cidrs": []}, id="each header is a condition"),
        pytest.param(
            {"query": [X], "source_cidrs": ["::/0"]}, {"methods": ["GET"]}, id="query and source are conditions"
        ),
        pytest.param(at(exact="/a"), {**at(template="/a"), "headers": [X]}, id="the path counts before conditions"),
    ],
)
def test_the_first_stands_before_the_second_whichever_is_older(first: dict[str, Any], second: dict[str, Any]) -> None:
    one, two = route("one", first), route("two", second)
    assert order_routes([one, two]) == order_routes([two, one]) == [one, two]


def test_priority_dominates_everything() -> None:
    urgent, exact = route("urgent", priority=1), route("exact", at(exact="/a"))
    lazy = route("lazy", at(exact="/a"), priority=-1)
    assert order_routes([lazy, exact, urgent]) == [urgent, exact, lazy]


def test_the_oldest_of_equals_stands_first() -> None:
    old, young = route("z-old"), route("a-young")
    assert order_routes([old, young]) == [old, young]


PATHS = st.sampled_from([at(exact="/a"), at(template="/{a}"), at(prefix="/a"), at(regex="/a"), at(prefix="/")])
ROWS = st.lists(st.tuples(PATHS, st.integers(-1, 1), st.booleans()), max_size=8)


@given(ROWS)
def test_the_order_is_total_and_ordering_twice_changes_nothing(rows: list[Any]) -> None:
    routes = [
        route(f"r{index}", {**path, "headers": [X] if header else []}, priority=priority)
        for index, (path, priority, header) in enumerate(rows)
    ]
    ordered = order_routes(routes)
    assert sorted(ordered, key=routes.index) == routes
    assert order_routes(ordered) == ordered
