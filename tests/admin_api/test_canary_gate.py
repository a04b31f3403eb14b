"""The contract gate: no step sends callers to a function that breaks them, unless somebody says so."""

from __future__ import annotations

from typing import Any

import pytest

from admin_api.canary_gate import Version, compare_versions, list_old, refuse_breaking
from admin_api.problems import BreakingChangeError
from coalmine.model import Canary, Destination, Parameter, Route
from coalmine.model.pin import Pin
from tests.admin_api.support import NOW, V1, V2, Api, make_function, petstore_functions
from tests.admin_api.test_canaries import HEADER, START, URL, routed, weights

__all__ = ["routed"]  # a fixture

LIMIT = Parameter(name="limit", place="query", required=True, schema_={"type": "integer"})
STEPS: list[Any] = [
    pytest.param("", START, id="start"),
    pytest.param("/find-pets/shift", {"percent": 30}, id="shift"),
    pytest.param("/find-pets/promote", None, id="promote"),
]


def break_version_2(api: Api, **more: Any) -> None:
    """Its findPets has to be told a limit."""
    others = [one for one in petstore_functions(V2) if one.name != "findPets"]
    api.discover(V2, make_function(V2, "findPets", "/api/pets", **{"parameters": (LIMIT,)} | more), *others)


def before_step(api: Api, step: str) -> None:
    if step:
        assert api.post(URL, START).status_code == 201
    break_version_2(api)


@pytest.mark.parametrize(("step", "body"), STEPS)
def test_a_breaking_difference_refuses_the_step(routed: Api, step: str, body: Any) -> None:
    before_step(routed, step)
    before = weights(routed)
    for query in ("", "?dry_run=true"):
        answer = routed.post(f"{URL}{step}{query}", body)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (409, "breaking_change"), answer.text
        assert [(one["code"], one["pointer"]) for one in told["errors"]] == [
            ("new-required-request-parameter", "/parameters/query/limit")
        ]
        assert "limit" in told["errors"][0]["detail"]
        assert "--accept-breaking" in told["errors"][0]["hint"]
        assert f"{V1}/findPets" in told["detail"]
    assert weights(routed) == before


@pytest.mark.parametrize(("step", "body"), STEPS)
def test_it_can_be_accepted(routed: Api, step: str, body: Any) -> None:
    before_step(routed, step)
    assert routed.post(f"{URL}{step}?accept_breaking=true", body).status_code in (200, 201)


@pytest.mark.parametrize(("step", "body"), STEPS[:2])
def test_it_can_be_accepted_in_the_body(routed: Api, step: str, body: Any) -> None:
    before_step(routed, step)
    assert routed.post(f"{URL}{step}", body | {"accept_breaking": True}).status_code in (200, 201)


def test_the_way_back_is_open(routed: Api) -> None:
    """A smaller share and the end of the canary need no permission."""
    before_step(routed, "shift")
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 5}).status_code == 200
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 6}).json()["code"] == "breaking_change"
    assert routed.post(f"{URL}/find-pets/abort").status_code == 200


def test_a_function_that_left_its_document_is_nothing_to_promote(routed: Api) -> None:
    routed.post(URL, START)
    break_version_2(routed, parameters=(), state="removed")
    errors = routed.post(f"{URL}/find-pets/promote").json()["errors"]
    assert [(one["code"], one["detail"]) for one in errors] == [
        ("function-removed", f"the function {V2}/findPets left the document of its upstream")
    ]


def test_what_breaks_nobody_is_shown_and_let_through(routed: Api) -> None:
    break_version_2(routed, parameters=(LIMIT.model_copy(update={"required": False}),))
    assert routed.post(URL, START).status_code == 201
    (comparison,) = routed.get(f"{URL}/find-pets").json()["status"]["comparisons"]
    assert (comparison["old"], comparison["new"]) == (f"{V1}/findPets", f"{V2}/findPets")
    assert comparison["severity"] == "warning"
    assert [one["rule"] for one in comparison["differences"]] == [
        "request-parameter-removed",
        "new-optional-request-parameter",
    ]


def test_destinations_without_functions_have_no_gate(petstore: Api) -> None:
    route = {"name": "plain", "virtual_service": "coalmine", "destinations": [{"upstream": V1}]}
    assert petstore.post("/api/v1/routes", route).status_code == 201
    break_version_2(petstore)
    started = petstore.post(URL, {"route": "plain", "upstream": V2, "header": HEADER})
    assert (started.status_code, started.json()["status"]["comparisons"]) == (201, [])


# The pure part ----------------------------------------------------------------------------------------


def version(upstream: str, name: str | None, **more: Any) -> Version:
    destination = Destination(upstream=upstream, function=name)
    return Version(destination, make_function(upstream, name, "/pets", **more) if name else None)


def test_several_old_versions_are_told_apart() -> None:
    old = [version("a", "one"), version("b", "two"), version("c", None)]
    comparisons = compare_versions(old, version("d", "new", parameters=(LIMIT,)))
    with pytest.raises(BreakingChangeError) as caught:
        refuse_breaking(comparisons)
    assert [fault.detail.split(":")[0] for fault in caught.value.faults] == ["a/one", "b/two"]
    assert caught.value.detail == "d/new has 2 breaking differences to a/one and b/two: callers may fail"


def test_a_function_that_nobody_knows_breaks_everything_and_nothing_is_known_of_an_old_one() -> None:
    known, unknown = version("a", "one"), Version(Destination(upstream="b", function="two"))
    (comparison,) = compare_versions([known], unknown)
    assert [one.detail for one in comparison.differences] == ["the function b/two is not known"]
    assert compare_versions([unknown], known)[0].differences == ()


def test_old_versions_are_those_that_get_requests_each_once() -> None:
    destinations = tuple(
        Destination(upstream=upstream, function="f", weight=weight, parameters=parameters)
        for upstream, weight, parameters in (("a", 1, {"x": "1"}), ("b", 1, {}), ("a", 1, {"x": "2"}), ("c", 0, {}))
    )
    base = Route(name="base", virtual_service="main", destinations=destinations)
    canary = Canary(name="base", virtual_service="main", destination=destinations[0], before=base, written=base)
    assert [one.upstream for one in list_old(canary)] == ["a", "b"]


# Pins -------------------------------------------------------------------------------------------------


def pin_old_version(api: Api) -> None:
    """The route goes on with findPets as it was; the present one needs a limit."""
    was = next(one for one in petstore_functions(V1) if one.name == "findPets")
    others = [one for one in petstore_functions(V1) if one.name != "findPets"]
    api.discover(V1, make_function(V1, "findPets", "/api/pets", parameters=(LIMIT,)), *others)
    pin = Pin(route="find-pets", upstream=V1, function="findPets", definition=was, reasons=("limit",), since=NOW)
    with api.catalog.write() as writer:
        writer.put_pins(V1, [pin])


def pinned(api: Api) -> list[str]:
    with api.catalog.read() as reader:
        return [pin.function for pin in reader.pins_of(V1)]


def test_the_new_version_is_compared_with_what_the_route_goes_on_with(routed: Api) -> None:
    pin_old_version(routed)
    break_version_2(routed)
    assert routed.post(URL, START).json()["code"] == "breaking_change"
    routed.discover(V2, *petstore_functions(V2))
    (comparison,) = routed.post(URL, START).json()["status"]["comparisons"]
    assert comparison["differences"] == []


def test_steps_decide_nothing_about_the_old_version(routed: Api) -> None:
    pin_old_version(routed)
    for step, body in (("", START), ("/find-pets/shift", {"percent": 50}), ("/find-pets/abort", None)):
        assert routed.post(f"{URL}{step}", body).status_code in (200, 201)
        assert pinned(routed) == ["findPets"]
    assert routed.post(URL, START).status_code == 201
    assert routed.post(f"{URL}/find-pets/promote").status_code == 200
    assert pinned(routed) == []
