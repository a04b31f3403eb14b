"""A route whose function broke says so, and takes the new definition when it is written again."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model.pin import Pin
from tests.admin_api.support import NOW, V1, Api, make_function

ROUTE: dict[str, Any] = {
    "virtual_service": "coalmine",
    "match": {"path": {"prefix": "/findPets"}},
    "destinations": [{"upstream": V1, "function": "findPets"}],
}


@pytest.fixture
def pinned(petstore: Api) -> Api:
    assert petstore.put("/api/v1/routes/find-pets", ROUTE).status_code == 201
    pin = Pin(
        route="find-pets",
        upstream=V1,
        function="findPets",
        definition=make_function(V1, "findPets", "/old/pets"),
        reasons=("a parameter was added",),
        since=NOW,
    )
    with petstore.catalog.write() as writer:
        writer.put_pins(V1, [pin])
    petstore.feed.publish()
    return petstore


def codes(api: Api) -> list[str]:
    status = api.get("/api/v1/routes/find-pets").json()["status"]
    assert (status["state"] == "accepted") == (not status["problems"])
    return [problem["code"] for problem in status["problems"]]


def test_the_route_has_a_warning_that_says_what_changed(pinned: Api) -> None:
    assert codes(pinned) == ["function_changed"]
    (problem,) = pinned.get("/api/v1/routes/find-pets").json()["status"]["problems"]
    assert problem["severity"] == "warning"
    assert "a parameter was added" in problem["detail"]


@pytest.mark.parametrize("way", ["put", "patch", "apply"])
def test_writing_the_route_again_takes_the_new_definition(pinned: Api, way: str) -> None:
    if way == "put":
        answer = pinned.put("/api/v1/routes/find-pets", ROUTE)
    elif way == "patch":
        answer = pinned.patch("/api/v1/routes/find-pets", {})
    else:
        answer = pinned.post("/api/v1/config/apply", {"routes": [ROUTE | {"name": "find-pets"}]})
    assert answer.status_code == 200, answer.text
    assert codes(pinned) == []


def test_a_dry_run_takes_nothing(pinned: Api) -> None:
    assert pinned.put("/api/v1/routes/find-pets?dry_run=true", ROUTE).status_code == 200
    assert codes(pinned) == ["function_changed"]
