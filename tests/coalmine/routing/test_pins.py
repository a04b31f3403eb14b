"""A function that breaks callers: a route goes on with the definition that it had, and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coalmine.model import Definitions
from coalmine.model.pin import Pin
from coalmine.routing.build import Builder, build_snapshot
from coalmine.routing.snapshot import ServedDestination, ServedRoute, Snapshot
from tests.coalmine.catalog.support import document
from tests.coalmine.routing.definitions import NOON, PETS, function, route, to

OLD = function("findPets", path="/old")
SCHEMA = {"type": "integer"}
PETS_OF = document("/pets.json", upstream="pets", components={"definitions": {"Limit": SCHEMA}})


def pin(route: str = "r", **more: Any) -> Pin:
    values = {"upstream": "pets", "function": "findPets", "definition": OLD, "reasons": ("it broke",), "since": NOON}
    return Pin.model_validate({"route": route, **values, **more})


def definitions(*pins: Pin, **more: Any) -> Definitions:
    routes = (
        route(
            "r", {"path": {"prefix": "/r"}}, virtual_service="coalmine", destinations=[to("pets", "findPets")], **more
        ),
        route(
            "s", {"path": {"prefix": "/s"}}, virtual_service="coalmine", destinations=[to("pets", "findPets")], **more
        ),
    )
    return replace(PETS, routes=routes, pins=pins)


def served(snapshot: Snapshot) -> dict[str, ServedRoute]:
    return {one.name: one for service in snapshot.virtual_services for one in service.routes}


def path(destination: ServedDestination | None) -> str:
    assert destination is not None
    assert destination.call is not None
    return destination.call.path


def test_the_pinned_route_calls_what_it_had_and_others_what_there_is() -> None:
    snapshot = build_snapshot(definitions(pin()))
    assert {name: path(one.destinations[0]) for name, one in served(snapshot).items()} == {
        "r": "/old",
        "s": "/api/findPets",
    }
    (problem,) = snapshot.problems
    assert (problem.code, problem.where, problem.severity) == ("function_changed", "routes/r", "warning")
    assert "findPets of pets changed in a way that breaks callers: it broke." in problem.detail


def test_a_mirror_is_pinned_too() -> None:
    mirrored = route("r", destinations=[to("stores")], mirror={"upstream": "pets", "function": "findPets"})
    snapshot = build_snapshot(replace(PETS, routes=(mirrored,), pins=(pin(),)))
    assert path(served(snapshot)["r"].mirror) == "/old"


def test_a_function_that_left_is_called_as_it_was_pinned() -> None:
    gone = replace(definitions(pin()), functions=(function("findPets", state="removed"),))
    snapshot = build_snapshot(gone)
    assert path(served(snapshot)["r"].destinations[0]) == "/old"
    assert [one.code for one in snapshot.problems if one.where == "routes/r"] == [
        "function_changed",
        "function_removed",
    ]


def test_calls_are_checked_by_the_schemas_of_the_pin() -> None:
    limit = {"name": "limit", "in": "query", "schema": {"$ref": "#/definitions/Limit"}}
    one = pin(definition=function("findPets", parameters=[limit]), document=PETS_OF)
    call = served(build_snapshot(definitions(one, validate=True)))["r"].destinations[0].call
    assert call is not None
    assert call.schemas is not None
    assert [(each.name, each.schema) for each in call.schemas.parameters] == [
        ("limit", {"$ref": "#/$defs/Limit", "$defs": {"Limit": SCHEMA}})
    ]


def test_a_builder_that_remembers_notices_pins_that_come_and_go() -> None:
    builder, before, after = Builder(), definitions(), None
    plain = builder.build(before)
    after = replace(before, pins=(pin(),))
    assert builder.build(after) == build_snapshot(after)
    assert builder.build(before) == plain
