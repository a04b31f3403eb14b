"""Listed order through priorities: kept where it means something, and not a priority more."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.manifests.order import keep_listed_order, overlap
from coalmine.model import Route
from coalmine.routing.order import order_routes


def make(path: dict[str, str], name: str = "r", **match: Any) -> Route:
    return Route.model_validate(
        {"name": name, "match": {"path": path, **match}, "destinations": [{"upstream": "cats"}]}
    )


def listed(*matches: dict[str, Any]) -> list[Route]:
    return [
        make(match["path"], f"r{index}", **{k: v for k, v in match.items() if k != "path"})
        for index, match in enumerate(matches)
    ]


CANARY = {"headers": [{"name": "x", "exact": "1"}]}
LISTS: dict[str, tuple[list[dict[str, Any]], list[int]]] = {
    "the computed order": (
        [{"path": {"exact": "/a/b"}}, {"path": {"prefix": "/a"}}, {"path": {"prefix": "/"}}],
        [0, 0, 0],
    ),
    "paths that never meet": ([{"path": {"prefix": "/a"}}, {"path": {"prefix": "/longer"}}], [0, 0]),
    "a general route first": ([{"path": {"prefix": "/"}}, {"path": {"prefix": "/a"}}], [1, 0]),
    "the plain route before its canary": ([{"path": {"prefix": "/a"}}, {"path": {"prefix": "/a"}, **CANARY}], [1, 0]),
    "equal routes in the order of their age": (
        [{"path": {"prefix": "/a"}, **CANARY}, {"path": {"prefix": "/a"}, **CANARY}],
        [0, 0],
    ),
    "a chain": ([{"path": {"prefix": "/"}}, {"path": {"prefix": "/a"}}, {"path": {"exact": "/a/b"}}], [2, 1, 0]),
    "only the one that must": (
        [
            {"path": {"prefix": "/x"}},
            {"path": {"prefix": "/a"}},
            {"path": {"exact": "/a/b"}},
            {"path": {"prefix": "/y"}},
        ],
        [0, 1, 0, 0],
    ),
    "what stands above a raised one is raised with it": (
        [{"path": {"prefix": "/a"}, **CANARY}, {"path": {"prefix": "/a"}}, {"path": {"exact": "/a/b"}}],
        [1, 1, 0],
    ),
    "other methods never meet": (
        [{"path": {"prefix": "/"}, "methods": ["GET"]}, {"path": {"prefix": "/a"}, "methods": ["PUT"]}],
        [0, 0],
    ),
    "a pattern may match anything": ([{"path": {"prefix": "/a"}}, {"path": {"regex": "/z"}}], [1, 0]),
}


@pytest.mark.parametrize(("matches", "priorities"), LISTS.values(), ids=LISTS)
def test_priorities(matches: list[dict[str, Any]], priorities: list[int]) -> None:
    assert [route.priority for route in keep_listed_order(listed(*matches))] == priorities


OVERLAPS = {
    "equal exact paths": ({"exact": "/a"}, {"exact": "/a"}, True),
    "different exact paths": ({"exact": "/a"}, {"exact": "/b"}, False),
    "a prefix and what is below it": ({"prefix": "/a"}, {"exact": "/a/b"}, True),
    "a prefix and itself": ({"prefix": "/a"}, {"exact": "/a"}, True),
    "half a segment": ({"prefix": "/a"}, {"exact": "/ab"}, False),
    "the whole": ({"prefix": "/"}, {"prefix": "/a"}, True),
    "prefixes apart": ({"prefix": "/a"}, {"prefix": "/b"}, False),
    "two spellings of one path": ({"exact": "/%61"}, {"exact": "/a"}, True),
    "a path that cannot be read": ({"exact": "/%zz"}, {"exact": "/a"}, True),
    "a template": ({"template": "/a/{x}"}, {"prefix": "/b"}, True),
    "a pattern and an exact path": ({"regex": "/b"}, {"exact": "/a"}, True),
}


@pytest.mark.parametrize(("one", "other", "expected"), OVERLAPS.values(), ids=OVERLAPS)
def test_overlap_is_the_same_both_ways(one: dict[str, str], other: dict[str, str], expected: bool) -> None:
    assert overlap(make(one), make(other)) is expected
    assert overlap(make(other), make(one)) is expected


PATHS = st.sampled_from(
    [{"prefix": "/"}, {"prefix": "/a"}, {"prefix": "/a/b"}, {"exact": "/a"}, {"exact": "/a/b"}, {"regex": "/a.*"}]
)
MATCHES = st.fixed_dictionaries(
    {"path": PATHS}, optional={"methods": st.just(["GET"]), "headers": st.just(CANARY["headers"])}
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MATCHES, max_size=7))
def test_whoever_can_take_the_same_request_stands_in_listed_order(matches: list[dict[str, Any]]) -> None:
    routes = keep_listed_order(listed(*matches))
    rank = {route.name: index for index, route in enumerate(order_routes(routes))}
    for index, first in enumerate(routes):
        for later in routes[index + 1 :]:
            assert not overlap(first, later) or rank[first.name] < rank[later.name]
    assert all(first.priority >= 0 for first, _ in pairwise(routes))
