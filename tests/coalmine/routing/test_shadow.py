"""Shadowed routes: whoever is named can really never match."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.routing.order import order_routes
from coalmine.routing.shadow import find_shadowed
from tests.coalmine.routing.definitions import route
from tests.coalmine.routing.test_table import HEADS, ROUTES, holds

X1 = {"name": "x", "exact": "1"}
X = {"name": "X", "present": True}
Y1 = {"name": "y", "exact": "1"}


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        pytest.param({}, {}, True, id="the same"),
        pytest.param({}, {"path": {"regex": "/a"}}, True, id="the root takes a pattern"),
        pytest.param({"path": {"prefix": "/a"}}, {"path": {"regex": "/a/.*"}}, False, id="patterns are not understood"),
        pytest.param({"path": {"regex": "/a"}}, {"path": {"regex": "/a"}}, True, id="the same pattern"),
        pytest.param({"path": {"regex": "/a.*"}}, {"path": {"exact": "/ab"}}, True, id="a pattern takes a path"),
        pytest.param({"path": {"regex": "/b.*"}}, {"path": {"exact": "/ab"}}, False, id="a pattern takes another path"),
        pytest.param({"path": {"exact": "/a"}}, {"path": {"exact": "/a"}}, True, id="the same path"),
        pytest.param({"path": {"exact": "/a"}}, {"path": {"prefix": "/a"}}, False, id="a prefix is more than its path"),
        pytest.param({"path": {"prefix": "/a"}}, {"path": {"prefix": "/a/b"}}, True, id="a longer prefix"),
        pytest.param({"path": {"prefix": "/a/b"}}, {"path": {"prefix": "/a"}}, False, id="a shorter prefix"),
        pytest.param({"path": {"prefix": "/a"}}, {"path": {"template": "/a/{b}"}}, True, id="a template in a prefix"),
        pytest.param({"path": {"prefix": "/a/b"}}, {"path": {"template": "/a/{b}"}}, False, id="a template beside it"),
        pytest.param({"path": {"prefix": "/a"}}, {"path": {"template": "/a{b}"}}, False, id="a partly literal segment"),
        pytest.param({"path": {"template": "/{a}/b"}}, {"path": {"template": "/{c}/b"}}, True, id="other names"),
        pytest.param({"path": {"template": "/{a}/{b}"}}, {"path": {"template": "/{c}/b"}}, True, id="more literal"),
        pytest.param({"path": {"template": "/{a}/b"}}, {"path": {"template": "/{c}/{d}"}}, False, id="less literal"),
        pytest.param({"path": {"template": "/{a}.x"}}, {"path": {"template": "/{b}.x"}}, True, id="equal parts"),
        pytest.param({"path": {"template": "/{a}.x"}}, {"path": {"template": "/{b}.y"}}, False, id="other parts"),
        pytest.param({"path": {"template": "/{a}.x"}}, {"path": {"exact": "/a.x"}}, True, id="a path fits"),
        pytest.param(
            {"path": {"template": "/{a}"}}, {"path": {"exact": "/"}}, False, id="an empty segment does not fit"
        ),
        pytest.param({"path": {"template": "/{a}"}}, {"path": {"exact": "/a"}}, True, id="a segment fits"),
        pytest.param({"headers": [X1]}, {"headers": [Y1, X1]}, True, id="fewer conditions take more"),
        pytest.param({"headers": [X1]}, {"headers": [Y1]}, False, id="other conditions"),
        pytest.param({"headers": [X]}, {"headers": [X1]}, True, id="a value implies presence"),
        pytest.param({"headers": [X1]}, {"query": [X1]}, False, id="a query parameter is no header"),
        pytest.param({"query": [X1]}, {"query": [X1]}, True, id="the same query"),
        pytest.param({"headers": [{**X, "invert": True}]}, {"headers": [X1]}, False, id="absence and a value"),
        pytest.param({"headers": [{**X1, "invert": True}]}, {"headers": [X]}, False, id="another value"),
        pytest.param(
            {"headers": [{"name": "x", "regex": "1"}]}, {"headers": [{"name": "x", "regex": "1"}]}, True, id="equal"
        ),
        pytest.param({"methods": ["GET"]}, {"methods": ["HEAD"]}, True, id="GET takes HEAD"),
        pytest.param({"methods": ["GET"]}, {"methods": ["GET", "POST"]}, False, id="more methods"),
        pytest.param({"methods": ["GET"]}, {}, False, id="all methods"),
        pytest.param({"source_cidrs": ["10.0.0.0/8"]}, {"source_cidrs": ["10.1.0.0/16"]}, True, id="a network inside"),
        pytest.param({"source_cidrs": ["10.1.0.0/16"]}, {"source_cidrs": ["10.0.0.0/8"]}, False, id="a wider network"),
        pytest.param({"source_cidrs": ["10.1.0.0/16"]}, {}, False, id="all sources"),
        pytest.param({}, {"path": {"regex": "("}}, False, id="what cannot be read is not judged"),
        pytest.param(
            {"headers": [{"name": f"h{n}", "present": True} for n in range(9)]},
            {"headers": [{"name": f"h{n}", "present": True} for n in range(9)]},
            True,
            id="many conditions, all the same",
        ),
    ],
)
def test_an_earlier_route_takes_all_of_a_later_one(
    earlier: dict[str, Any], later: dict[str, Any], shadowed: bool
) -> None:
    found = find_shadowed([route("earlier", earlier), route("later", later)])
    assert found == ({"later": "earlier"} if shadowed else {})


@settings(max_examples=200, deadline=None)
@given(ROUTES, st.lists(HEADS, min_size=1, max_size=8))
def test_a_shadowed_route_never_matches_first(routes: list[Any], requests: list[Any]) -> None:
    ordered = order_routes(routes)
    shadowed = find_shadowed(ordered)
    for request in requests:
        first = next((one for one in ordered if holds(one, request)), None)
        assert first is None or first.name not in shadowed


def test_many_routes_on_one_path_are_quick() -> None:
    headers = [{"headers": [{"name": "x-user", "exact": f"{n}"}]} for n in range(700)]
    networks = [{"source_cidrs": [f"10.{n // 256}.{n % 256}.0/24"]} for n in range(700)]
    routes = [route(f"r{index}", match) for index, match in enumerate([*headers, *networks])]
    started = time.process_time()
    assert find_shadowed(routes) == {}
    assert time.process_time() - started < 5
