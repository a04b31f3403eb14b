"""Reading only what changed gives what reading everything gives."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.errors import Problem
from coalmine.feed.parse import SnapshotParser
from coalmine.model import Route
from coalmine.routing.snapshot import (
    CallParameter,
    CallPlan,
    ServedDestination,
    ServedRoute,
    ServedUpstream,
    ServedVirtualService,
    Snapshot,
    dump_snapshot,
    make_snapshot,
    parse_snapshot,
)


def served(name: str, **parameters: Any) -> ServedRoute:
    destination = {"upstream": "u", "function": "f", "parameters": parameters}
    plan = CallPlan("f", "GET", "/f/{id}", (CallParameter("id", "path", True, "simple", False),))
    definition = Route.model_validate({"name": name, "destinations": [destination]})
    return ServedRoute(definition, (ServedDestination("u", 1, plan),))


def snapshot(*services: tuple[str, list[ServedRoute]]) -> Snapshot:
    return make_snapshot(
        upstreams=(ServedUpstream("u", ("http://127.0.0.1:1",)),),
        virtual_services=tuple(ServedVirtualService(name, ("*",), tuple(routes)) for name, routes in services),
        problems=(Problem("function_removed", "routes/a", "gone", "warning"),),
    )


SEQUENCE = [
    pytest.param(snapshot(("v", [served("a"), served("b")])), id="routes"),
    pytest.param(snapshot(("v", [served("b"), served("a")])), id="another order"),
    pytest.param(snapshot(("v", [served("a", x=1)])), id="an integer"),
    pytest.param(snapshot(("v", [served("a", x=1.0)])), id="a float that equals it"),
    pytest.param(snapshot(("v", [served("a", x=True)])), id="a truth that equals it"),
    pytest.param(snapshot(("v", [served("a", x="1")])), id="a text"),
    pytest.param(snapshot(("v", []), ("w", [served("a")])), id="another virtual service"),
    pytest.param(snapshot(("v", [served("a")]), ("w", [served("a")])), id="the same in two"),
    pytest.param(make_snapshot(), id="nothing"),
]
PARSER = SnapshotParser()  # one for all rows: each is read after those before it


@pytest.mark.parametrize("given", SEQUENCE)
def test_one_after_another_they_are_what_they_are_alone(given: Snapshot) -> None:
    body = dump_snapshot(given)
    parsed = PARSER.parse(body)
    assert parsed == parse_snapshot(body) == given
    assert dump_snapshot(parsed) == body


def test_a_route_that_stayed_the_same_is_the_same_object() -> None:
    parser = SnapshotParser()
    before = parser.parse(dump_snapshot(snapshot(("v", [served("a"), served("b")])))).virtual_services[0].routes
    after = parser.parse(dump_snapshot(snapshot(("v", [served("b", x=1), served("a")])))).virtual_services[0].routes
    assert after[1] is before[0]
    assert after[0] is not before[1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": "v", "virtual_services": 1}',
        b'{"version": "v", "virtual_services": [1]}',
        b'{"version": "v", "virtual_services": [{"name": "v", "domains": ["*"], "routes": [{}]}]}',
    ],
)
def test_a_body_that_is_no_snapshot_is_refused_and_the_last_is_still_known(body: bytes) -> None:
    parser = SnapshotParser()
    good = dump_snapshot(snapshot(("v", [served("a")])))
    first = parser.parse(good)
    with pytest.raises(ValueError):
        parser.parse(body)
    assert parser.parse(good).virtual_services[0].routes[0] is first.virtual_services[0].routes[0]
