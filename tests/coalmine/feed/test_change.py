"""What is read is what was written, whether all of it crosses or only what has changed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from coalmine.errors import Problem
from coalmine.feed.change import MisfitError, read_change, write_change
from coalmine.model import Definitions, DirectResponse, HealthCheck, Route, VirtualService
from coalmine.routing.build import build_snapshot
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
)
from coalmine.routing.steps import finish
from coalmine.routing.table import RouteTable


def served(name: str, **parameters: Any) -> ServedRoute:
    destination = {"upstream": "u", "function": "f", "parameters": parameters}
    plan = CallPlan("f", "GET", "/f/{id}", (CallParameter("id", "path", True, "simple", False),))
    definition = Route.model_validate({"name": name, "destinations": [destination]})
    return ServedRoute(definition, (ServedDestination("u", 1, plan),))


def snapshot(*services: tuple[str, list[ServedRoute]], upstream: str = "u", problem: str = "gone") -> Snapshot:
    return make_snapshot(
        upstreams=(ServedUpstream(upstream, ("http://127.0.0.1:1",)),),
        virtual_services=tuple(ServedVirtualService(name, ("*",), tuple(routes)) for name, routes in services),
        problems=(Problem("function_removed", "routes/a", problem, "warning"),),
    )


def read(base: Snapshot | None, body: bytes) -> Snapshot:
    return finish(read_change(base, body))


SEQUENCE = [
    pytest.param(snapshot(("v", [served("a"), served("b")])), id="routes"),
    pytest.param(snapshot(("v", [served("b"), served("a")])), id="another order"),
    pytest.param(snapshot(("v", [served("a", x=1)])), id="an integer"),
    pytest.param(snapshot(("v", [served("a", x=1.0)])), id="a float that equals it"),
    pytest.param(snapshot(("v", [served("a", x=True)])), id="a truth that equals it"),
    pytest.param(snapshot(("v", [served("a", x="a\nb")])), id="a text with a line break"),
    pytest.param(snapshot(("v", []), ("w", [served("a")])), id="another virtual service"),
    pytest.param(snapshot(("v", [served("a")]), ("w", [served("a")])), id="the same in two"),
    pytest.param(snapshot(("v", [served("a")]), ("w", [served("a")]), upstream="t"), id="another upstream"),
    pytest.param(snapshot(("v", [served("a")]), ("w", [served("a")]), problem="else"), id="another problem"),
    pytest.param(make_snapshot(), id="nothing"),
]
LAST: list[Snapshot | None] = [None, None]  # of all rows, as written and as read: each is a change of the one before


@pytest.mark.parametrize("given", SEQUENCE)
def test_one_after_another_they_are_what_they_are_alone(given: Snapshot) -> None:
    written, last = LAST
    changed = read(last, write_change(written, given))
    LAST[:] = given, changed
    for found in (changed, read(None, write_change(None, given)), read(last, write_change(None, given))):
        assert found == given
        assert dump_snapshot(found) == dump_snapshot(given), "also 1 and 1.0"


@pytest.mark.parametrize("seed", range(30))
def test_after_any_history_a_change_makes_what_was_meant(seed: int) -> None:
    rng = random.Random(seed)
    pool = [served(f"r{number}", x=number) for number in range(12)]
    written: Snapshot | None = None
    at_worker: Snapshot | None = None
    for number in range(30):
        pool[rng.randrange(len(pool))] = served(f"r{number}", x=rng.random())
        services = [(name, rng.sample(pool, rng.randrange(len(pool)))) for name in "vwx" if rng.random() < 0.8]
        if rng.random() < 0.5 and written is not None and written.virtual_services:
            kept = written.virtual_services[0]
            services = [(kept.name, list(kept.routes)), *(one for one in services if one[0] != kept.name)]
        new = snapshot(*services, upstream=rng.choice("tu"), problem=rng.choice("pq"))
        at_worker = read(at_worker, write_change(written, new))
        written = new
        assert at_worker == new


def test_what_stayed_the_same_crosses_by_place_and_is_the_same_object() -> None:
    many = [served(f"r{number}") for number in range(1000)]
    first = snapshot(("v", many), ("w", [served("a")]))
    base = read(None, write_change(None, first))
    change = write_change(first, snapshot(("v", [*many[:500], served("new"), *many[501:]]), ("w", [served("a")])))
    assert len(change) < 1000
    after = read(base, change)
    assert after.virtual_services[1] is base.virtual_services[1]
    old, new = (one.virtual_services[0].routes for one in (base, after))
    assert [number for number in range(1000) if new[number] is not old[number]] == [500]


def test_of_a_whole_one_too_what_stayed_the_same_is_the_same_object() -> None:
    base = read(None, write_change(None, snapshot(("v", [served("a"), served("b")]), ("w", [served("c")]))))
    after = read(base, write_change(None, snapshot(("v", [served("b", x=1), served("a")]), ("w", [served("c")]))))
    assert after.virtual_services[0].routes[1] is base.virtual_services[0].routes[0]
    assert after.virtual_services[0].routes[0] is not base.virtual_services[0].routes[1]
    assert after.virtual_services[1] is base.virtual_services[1]


ONE, TWO = snapshot(("v", [served("a"), served("b")])), snapshot(("v", [served("a"), served("c")]))


def test_a_health_check_is_part_of_what_crosses() -> None:
    plain, checked = ServedUpstream("u", ("http://a:1",)), ServedUpstream("u", ("http://a:1",), HealthCheck(path="/up"))
    before, after = make_snapshot((plain,)), make_snapshot((checked,))
    assert before.version != after.version
    assert read(before, write_change(before, after)).upstreams == (checked,)


def spoil(body: bytes, **values: Any) -> bytes:
    head, *lines = body.split(b"\n")
    return b"\n".join([json.dumps({**json.loads(head), **values}).encode(), *lines])


@pytest.mark.parametrize(
    ("base", "body", "message"),
    [
        pytest.param(None, write_change(ONE, TWO), "here is None", id="of something where there is nothing"),
        pytest.param(TWO, write_change(ONE, TWO), f"here is {TWO.version}", id="of something else"),
        pytest.param(ONE, spoil(write_change(ONE, TWO), version="x"), "and not x", id="that makes something else"),
        pytest.param(ONE, spoil(write_change(ONE, ONE), virtual_services=["w"]), "no virtual service w", id="of none"),
    ],
)
def test_a_change_that_does_not_fit_is_not_applied(base: Snapshot | None, body: bytes, message: str) -> None:
    with pytest.raises(MisfitError, match=message):
        read(base, body)


HEAD = write_change(None, ONE).split(b"\n")[0]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no version"),
        pytest.param(b'{"version": "v", "virtual_services": 1}', id="no virtual services"),
        pytest.param(HEAD, id="no lines"),
        pytest.param(HEAD + b"\n{}\n{}", id="lines that are no routes"),
        pytest.param(spoil(write_change(None, ONE), version="x"), id="another version"),
        pytest.param(write_change(None, ONE).replace(b'"name":"a"', b'"name":"z"'), id="another route"),
    ],
)
def test_what_is_no_whole_snapshot_is_refused_for_good(body: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        read(None, body)
    assert not isinstance(caught.value, MisfitError)


def test_a_change_of_one_virtual_service_compiles_that_one_alone() -> None:
    """All the way: what crosses to a worker, what it makes of it, and what its table is compiled of."""
    routes = {name: [Route.model_validate(direct(name, number)) for number in range(3)] for name in ("a", "b")}

    def build(**more: str) -> Snapshot:
        changed = [
            route.model_copy(update={"direct_response": DirectResponse(body=more.get(route.name, ""))})
            for name in routes
            for route in routes[name]
        ]
        services = tuple(VirtualService(name=name, domains=(f"{name}.test",)) for name in routes)
        return build_snapshot(Definitions(virtual_services=services, routes=tuple(changed)))

    before = build()
    held = finish(read_change(None, write_change(None, before)))
    table = RouteTable.compile(held)
    after = build(**{"b-1": "changed"})
    read = finish(read_change(held, write_change(before, after)))
    swapped = RouteTable.compile(read, table)
    assert swapped.virtual_services[0] is table.virtual_services[0]
    assert swapped.virtual_services[1] is not table.virtual_services[1]
    kept = [
        new is old
        for new, old in zip(swapped.virtual_services[1].routes, table.virtual_services[1].routes, strict=True)
    ]
    assert kept == [True, False, True]


def direct(service: str, number: int) -> dict[str, object]:
    match = {"path": {"exact": f"/{number}"}}
    return {"name": f"{service}-{number}", "virtual_service": service, "match": match, "direct_response": {}}
