"""Canaries over the wire; what a step plans is tested beside ``coalmine.routing.canary``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, V2, Api

URL = "/api/v1/canaries"
HEADER = {"name": "x-canary", "exact": "true"}
START: dict[str, Any] = {"route": "coalmine/findPets", "upstream": V2, "header": HEADER, "percent": 10}


@pytest.fixture
def routed(petstore: Api) -> Api:
    route = {
        "name": "find-pets",
        "virtual_service": "coalmine",
        "match": {"path": {"prefix": "/findPets"}},
        "destinations": [{"upstream": V1, "function": "findPets"}],
    }
    assert petstore.post("/api/v1/routes", route).status_code == 201
    return petstore


def weights(api: Api) -> dict[str, list[tuple[str, int]]]:
    """What is served, by route."""
    return {
        route.name: [(one.upstream, one.weight) for one in route.destinations]
        for service in api.feed.current.virtual_services
        for route in service.routes
    }


def test_from_start_to_promotion(routed: Api) -> None:
    started = routed.post(URL, START)
    assert (started.status_code, started.headers["location"]) == (201, f"{URL}/find-pets")
    assert started.json()["name"] == "find-pets"
    assert [share["percent"] for share in started.json()["status"]["shares"]] == [90, 10]
    assert weights(routed) == {"find-pets-canary": [(V2, 1)], "find-pets": [(V1, 90), (V2, 10)]}
    shifted = routed.post(f"{URL}/coalmine/findPets/shift", {"percent": 50})
    assert (shifted.status_code, shifted.json()["percent"]) == (200, 50)
    assert weights(routed)["find-pets"] == [(V1, 50), (V2, 50)]
    promoted = routed.post(f"{URL}/find-pets/promote")
    assert promoted.status_code == 200, promoted.text
    assert {change["object"]: change["action"] for change in promoted.json()["changes"]} == {
        "routes/find-pets": "change",
        "routes/find-pets-canary": "remove",
    }
    assert weights(routed) == {"find-pets": [(V2, 1)]}
    assert routed.get(URL).json()["total"] == 0


def test_abort_restores_what_was_there(routed: Api) -> None:
    before = routed.get("/api/v1/config").content
    routed.post(URL, START)
    assert routed.post(f"{URL}/coalmine%2FfindPets/abort", {}).status_code == 200
    assert routed.get("/api/v1/config").content == before


def test_canaries_are_listed_and_found_by_any_of_their_names(routed: Api) -> None:
    routed.post(URL, START)
    listed = routed.get(URL).json()
    assert (listed["total"], listed["items"][0]["destination"]["upstream"]) == (1, V2)
    for reference in ("find-pets", "coalmine/find-pets", "findPets", "coalmine/findPets"):
        assert routed.get(f"{URL}/{reference}").json() == listed["items"][0]
    assert routed.get(f"{URL}/find-petz").status_code == 404


STEPS = [
    pytest.param("", START | {"percent": 30}, id="start"),
    pytest.param("/find-pets/shift", {"percent": 30}, id="shift"),
    pytest.param("/find-pets/promote", None, id="promote"),
    pytest.param("/find-pets/abort", None, id="abort"),
]


@pytest.mark.parametrize(("step", "body"), STEPS)
def test_a_dry_run_of_a_step_changes_nothing(routed: Api, step: str, body: Any) -> None:
    if step:
        routed.post(URL, START)
    before = weights(routed)
    answer = routed.post(f"{URL}{step}?dry_run=true", body)
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True), answer.text
    assert answer.json()["changes"]
    assert (weights(routed), routed.get(URL).json()["total"]) == (before, 1 if step else 0)


def test_what_was_changed_by_hand_is_not_overwritten_unless_forced(routed: Api) -> None:
    routed.post(URL, START)
    routed.patch("/api/v1/routes/find-pets", {"timeout_seconds": 3})
    assert routed.get(f"{URL}/find-pets").json()["status"]["drift"]
    answer = routed.post(f"{URL}/find-pets/abort")
    assert (answer.status_code, answer.json()["code"]) == (409, "canary_conflict")
    assert routed.post(f"{URL}/find-pets/abort?force=true").status_code == 200


def test_a_stale_if_match_stops_a_step(routed: Api) -> None:
    tag = routed.post(URL, START).headers["etag"]
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 20}, headers={"if-match": tag}).status_code == 200
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 30}, headers={"if-match": tag}).status_code == 412
    assert routed.post(f"{URL}/find-pets/promote", headers={"if-match": tag}).status_code == 412


WRONG = [
    pytest.param(START | {"percent": 101}, 422, "invalid_definition", id="more than all"),
    pytest.param(START | {"percent": "x"}, 422, "invalid_definition", id="no number"),
    pytest.param(START | {"heador": HEADER}, 422, "invalid_definition", id="an unknown key"),
    pytest.param({"upstream": V2}, 422, "invalid_definition", id="no route"),
    pytest.param(START | {"route": "coalmine/findPet"}, 404, "not_found", id="a route that is not there"),
    pytest.param(START | {"upstream": "nowhere"}, 404, "not_found", id="an upstream that is not there"),
    pytest.param(START | {"function": "deletePet"}, 404, "not_found", id="a function that left its document"),
    pytest.param(START | {"upstream": V1}, 409, "canary_conflict", id="the version that serves now"),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG)
def test_what_cannot_start(routed: Api, body: Any, status: int, code: str) -> None:
    before = weights(routed)
    answer = routed.post(URL, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (weights(routed), routed.get(URL).json()["total"]) == (before, 0)


def test_a_route_with_a_canary_is_deleted_by_force_alone(routed: Api) -> None:
    routed.post(URL, START)
    assert routed.delete("/api/v1/routes/find-pets").json()["used_by"] == ["canaries/find-pets"]
    assert routed.delete("/api/v1/routes/find-pets?force=true").status_code == 204


def test_one_route_has_one_canary(routed: Api) -> None:
    routed.post(URL, START)
    assert routed.post(URL, START).json()["code"] == "canary_conflict"
