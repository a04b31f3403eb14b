"""Standing decisions: what ``decide`` says each time, for every row of the case table that has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coalmine.model import Definitions, Function, Parameter, Route, VirtualService
from coalmine.routing.build import build_snapshot
from coalmine.routing.decide import decide
from coalmine.routing.decision import RequestHead
from coalmine.routing.standing import Standing, find_standing
from coalmine.routing.table import RouteTable
from tests.support.case import Case, Request, define, function, get, param, route, to
from tests.support.cases import CASES
from tests.support.dry import has_standing, make_head

CALL = get("/pets")


def compile_table(definitions: Definitions) -> RouteTable:
    return RouteTable.compile(build_snapshot(definitions))


def standing_of(case: Case) -> tuple[RouteTable, RequestHead, Standing | None]:
    table, head = compile_table(case.definitions), make_head(case.request)
    return table, head, find_standing(table, head.host, head.method, head.path)


STANDING = [case for case in CASES if has_standing(case)]


def test_many_rows_have_one_and_many_do_not() -> None:
    assert len(STANDING) > 50
    assert len(CASES) - len(STANDING) > 50


@pytest.mark.parametrize("case", STANDING, ids=[f"{case.group}: {case.name}" for case in STANDING])
def test_it_is_what_is_decided(case: Case) -> None:
    table, head, standing = standing_of(case)
    assert standing is not None
    forward = standing.forwards[standing.spread(case.draw())]
    if forward.body == "none" and case.request.body:
        return  # says nothing about requests with a body
    expected = decide(table, head, case.draw())
    query = "" if head.query is None else f"?{head.query}"
    assert replace(forward, target=forward.target + query) == expected


def standing_for(*routes: Route, functions: tuple[Function, ...] = (), asked: Request = CALL) -> Standing | None:
    head = make_head(asked)
    return find_standing(compile_table(define(*routes, functions=functions)), head.host, head.method, head.path)


def test_chance_is_left_to_each_request() -> None:
    standing = standing_for(route("pets", "/pets", to("v1", "findPets", 9), to("v2", "findPets", 1)))
    assert standing is not None
    assert [forward.upstream for forward in standing.forwards] == ["v1", "v2"]
    assert [standing.spread(lambda point=point: point) for point in (0.0, 0.89, 0.9)] == [0, 0, 1]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("a header may turn it elsewhere", {"headers": [{"name": "x-canary", "present": True}]}),
        ("the value of a header may turn it elsewhere", {"headers": [{"name": "x-canary", "exact": "true"}]}),
        ("a query parameter may turn it elsewhere", {"query": [{"name": "beta", "exact": "1"}]}),
        ("it depends on who asks", {"source_cidrs": ["10.0.0.0/8"]}),
    ],
)
def test_there_is_none_beside_a_route_that_looks_further(why: str, more: dict[str, Any]) -> None:
    other = route("other", "/pets", to("v2"), **more)
    assert standing_for(route("pets", "/pets", to("v1")), other) is None
    assert standing_for(route("pets", {"exact": "/pets"}, to("v1")), other) is not None, "nobody asks the other one"


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("users stay where they are", {"sticky": {"header": "x-user"}}),
        ("requests are counted", {"rate_limit": {"requests": 1, "per_seconds": 1}}),
        ("pages are let in or not", {"cors": {"allow_origins": ["*"]}}),
        ("chance breaks some", {"fault": {"abort_status": 503, "percent": 50}}),
        ("copies go elsewhere", {"mirror": {"upstream": "v2"}}),
    ],
)
def test_there_is_none_where_the_route_does_more(why: str, more: dict[str, Any]) -> None:
    assert standing_for(route("pets", "/pets", to("v1"), **more)) is None


@pytest.mark.parametrize(
    ("why", "parameter"),
    [
        ("a value comes from the query", param("limit", "query", required=True)),
        ("a value may come from the query", param("x-limit", "header")),
    ],
)
def test_there_is_none_where_the_call_looks_further(why: str, parameter: Parameter) -> None:
    called = function("listPets", "GET", "/list", parameter)
    assert standing_for(route("pets", "/pets", to("v1", "listPets")), functions=(called,)) is None


def test_there_is_none_for_what_is_no_route_or_may_be_a_preflight() -> None:
    assert standing_for(route("pets", "/pets", to("v1")), asked=get("/other")) is None
    assert standing_for(route("pets", "/pets", to("v1")), asked=Request("OPTIONS", "/pets")) is None
    table = compile_table(define(services=(VirtualService(name="main", domains=("other.test",)),)))
    assert find_standing(table, "gateway.test", "GET", "/pets") is None


def test_there_is_none_where_one_of_the_destinations_has_a_problem() -> None:
    assert standing_for(route("pets", "/pets", to("v1", "findPets"), to("v2", "unknown"))) is None
