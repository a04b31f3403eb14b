"""A snapshot holds everything that can be served; what cannot keeps its place and has a problem."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from coalmine.errors import CODES
from coalmine.model import Definitions, Route, VirtualService
from coalmine.routing.build import build_snapshot
from coalmine.routing.decision import Reply
from coalmine.routing.snapshot import ServedRoute, Snapshot, dump_snapshot, parse_snapshot
from coalmine.routing.table import RouteTable
from tests.coalmine.routing.definitions import NOON, PETS, function, head, route, service, to, upstream


def with_routes(*routes: Route, definitions: Definitions = PETS) -> Snapshot:
    return build_snapshot(replace(definitions, routes=routes))


def at_pets(name: str = "r", *destinations: dict[str, Any], **more: Any) -> Route:
    return route(name, more.pop("match", None), virtual_service="coalmine", destinations=destinations, **more)


def served_route(snapshot: Snapshot, name: str = "r") -> ServedRoute:
    return next(one for vs in snapshot.virtual_services for one in vs.routes if one.name == name)


def problems(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    assert all(problem.code in CODES for problem in snapshot.problems)
    return [(problem.where, problem.code, problem.severity) for problem in snapshot.problems]


def test_a_function_is_served_by_its_call_plan() -> None:
    snapshot = with_routes(at_pets("r", to("pets", "findPetById", weight=3, parameters={"id": 7, "x": True})))
    destination = served_route(snapshot).destinations[0]
    assert destination.call is not None
    assert (destination.call.path, destination.weight) == ("/api/pets/{id}", 3)
    assert destination.parameters == (("id", "7"), ("x", "true"))
    assert problems(snapshot) == []
    assert parse_snapshot(dump_snapshot(snapshot)) == snapshot


def test_an_upstream_without_a_function_is_served_as_it_is() -> None:
    assert served_route(with_routes(at_pets("r", to("pets")))).destinations[0].call is None


@pytest.mark.parametrize(
    ("destination", "code", "severity", "detail"),
    [
        pytest.param(to("gone", "findPets"), "upstream_missing", "error", "gone does not exist", id="no upstream"),
        pytest.param(to("pets", "nope"), "function_unknown", "error", "has no function nope", id="no function"),
        pytest.param(to("new", "nope"), "function_unknown", "error", "was never read", id="nobody knows yet"),
        pytest.param(to("pets", "oldPets"), "function_removed", "warning", "last known", id="removed"),
    ],
)
def test_what_is_missing_is_a_problem(destination: dict[str, Any], code: str, severity: str, detail: str) -> None:
    definitions = replace(PETS, upstreams=(*PETS.upstreams, upstream("new")), pending=frozenset({"new"}))
    snapshot = with_routes(at_pets("r", destination), definitions=definitions)
    assert problems(snapshot) == [("routes/r", code, severity)]
    assert detail in snapshot.problems[0].detail
    served = served_route(snapshot)
    assert served.problem == served.destinations[0].problem == (code if severity == "error" else None)


def test_only_the_bad_one_of_several_destinations_has_the_problem() -> None:
    snapshot = with_routes(at_pets("r", to("gone", weight=10), to("pets", "findPets", weight=90)))
    served = served_route(snapshot)
    assert served.problem is None
    assert [one.problem for one in served.destinations] == ["upstream_missing", None]
    assert problems(snapshot) == [("routes/r", "upstream_missing", "error")]


def test_a_destination_without_a_share_does_not_save_its_route() -> None:
    served = served_route(with_routes(at_pets("r", to("gone"), to("pets", weight=0))))
    assert served.problem == "upstream_missing"


@pytest.mark.parametrize("target", [to("gone"), to("pets", "nope")])
def test_a_bad_mirror_is_a_warning(target: dict[str, Any]) -> None:
    snapshot = with_routes(at_pets("r", to("pets"), mirror=target))
    served = served_route(snapshot)
    assert served.problem is None and served.mirror is not None and served.mirror.problem is not None
    assert [severity for _, _, severity in problems(snapshot)] == ["warning"]


def test_a_good_mirror_is_served() -> None:
    served = served_route(with_routes(at_pets("r", to("pets"), mirror=to("stores", "findStores"))))
    assert served.mirror is not None and served.mirror.function == "findStores"


def test_a_route_of_a_deleted_virtual_service_is_set_aside() -> None:
    snapshot = with_routes(route("r", virtual_service="gone"))
    assert problems(snapshot) == [("routes/r", "virtual_service_missing", "error")]


def test_the_default_virtual_service_needs_no_definition() -> None:
    snapshot = build_snapshot(Definitions(routes=(route("r"),)))
    assert [(vs.name, vs.domains, len(vs.routes)) for vs in snapshot.virtual_services] == [("default", ("*",), 1)]
    assert snapshot.problems == ()
    defined = build_snapshot(Definitions(routes=(route("r"),), virtual_services=(service("default", "a.test"),)))
    assert [vs.domains for vs in defined.virtual_services] == [("a.test",)]


@pytest.mark.parametrize(
    ("match", "code"),
    [
        pytest.param({"path": {"regex": "("}}, "invalid_regex", id="a path pattern"),
        pytest.param({"headers": [{"name": "x", "regex": "("}]}, "invalid_regex", id="a header pattern"),
        pytest.param({"query": [{"name": "x", "regex": "("}]}, "invalid_regex", id="a query pattern"),
        pytest.param({"path": {"exact": "/../a"}}, "route_invalid", id="a path that climbs"),
        pytest.param({"path": {"template": "/{a}{b}"}}, "route_invalid", id="a template"),
    ],
)
def test_a_bad_match_is_a_problem_and_sinks_nobody(match: dict[str, Any], code: str) -> None:
    snapshot = with_routes(at_pets("bad", to("pets"), match=match), at_pets("good", to("stores")))
    assert problems(snapshot) == [("routes/bad", code, "error")]
    assert served_route(snapshot, "bad").problem == code
    assert served_route(snapshot, "good").problem is None
    found = RouteTable.compile(snapshot).virtual_services[0].match(head("/a"))
    assert found is not None and found.route.name == "good"


def test_a_request_never_falls_through_from_a_bad_route_to_the_next() -> None:
    canary = {"headers": [{"name": "x-canary", "regex": "tr(ue"}]}
    snapshot = with_routes(at_pets("canary", to("pets"), match=canary), at_pets("plain", to("stores")))
    table = RouteTable.compile(snapshot).virtual_services[0]
    canaried, plain = table.match(head("/", headers=[("x-canary", "true")])), table.match(head("/"))
    assert canaried is not None and plain is not None
    assert plain.route.name == "plain"
    answer = canaried.route.action.act(head("/"), canaried, lambda: 0.0, 0)
    assert isinstance(answer, Reply) and (answer.status, answer.code) == (503, "invalid_regex")


@pytest.mark.parametrize(
    ("rewrite", "code"),
    [
        ({"regex": {"pattern": "(", "substitution": ""}}, "invalid_regex"),
        ({"regex": {"pattern": "a", "substitution": r"\1"}}, "route_invalid"),
    ],
)
def test_a_bad_rewrite_is_a_problem(rewrite: dict[str, Any], code: str) -> None:
    assert problems(with_routes(at_pets("r", to("pets"), rewrite=rewrite))) == [("routes/r", code, "error")]


def test_a_shadowed_route_is_a_warning() -> None:
    snapshot = with_routes(at_pets("old", to("pets")), at_pets("young", to("stores")))
    assert problems(snapshot) == [("routes/young", "route_shadowed", "warning")]


def test_the_first_virtual_service_keeps_a_domain() -> None:
    services = (service("z-old", "a.test", "b.test"), service("a-young", "a.test", "c.test"), service("last", "a.test"))
    snapshot = build_snapshot(Definitions(virtual_services=services))
    assert [(one.name, one.domains) for one in snapshot.virtual_services] == [
        ("a-young", ("c.test",)),
        ("last", ()),
        ("z-old", ("a.test", "b.test")),
    ]
    assert problems(snapshot) == [
        ("virtual-services/a-young", "domain_conflict", "warning"),
        ("virtual-services/last", "domain_conflict", "error"),
    ]
    assert "belongs to the virtual service z-old" in snapshot.problems[0].detail


def test_equal_definitions_have_an_equal_version() -> None:
    routes = tuple(at_pets(f"r{n}", to("pets", "findPets"), match={"path": {"exact": f"/{n}"}}) for n in range(5))
    definitions = replace(PETS, routes=routes)
    seen_later = tuple(one.model_copy(update={"last_seen": NOON + timedelta(1)}) for one in PETS.functions)
    shuffled = replace(definitions, upstreams=PETS.upstreams[::-1], functions=seen_later[::-1])
    assert build_snapshot(shuffled) == build_snapshot(definitions)
    assert build_snapshot(replace(definitions, routes=routes[1:])).version != build_snapshot(definitions).version


def test_thousands_of_routes_are_quick() -> None:
    rng = random.Random(7)
    kinds = ("exact", "prefix", "template")
    routes = tuple(
        at_pets(f"r{n}", to("pets", "findPets"), match={"path": {kinds[n % 3]: f"/{n}/{rng.random()}"}})
        for n in range(3_000)
    )
    started = time.process_time()
    snapshot = build_snapshot(
        Definitions(PETS.upstreams, (function("findPets"),), (VirtualService(name="coalmine"),), routes)
    )
    built = time.process_time()
    RouteTable.compile(snapshot)
    assert built - started < 10 and time.process_time() - built < 5, "generous: the machine may be busy"
