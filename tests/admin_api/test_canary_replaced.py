"""Files win: a canary whose routes are replaced as a whole is over, and a later one can start."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, V2, Api
from tests.admin_api.test_canaries import START, URL, routed, weights
from tests.admin_api.test_config import CONFIG, GLOO, YAML

__all__ = ["routed"]  # a fixture

PLAIN = GLOO.replace("FUNCTION", "findPets")


def apply(api: Api, body: Any, query: str = "") -> dict[str, Any]:
    headers = YAML if isinstance(body, str) else {}
    answer = api.post(f"{CONFIG}/apply{query}", body, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize("start", [START, START | {"percent": 0}], ids=["a share", "testers only"])
def test_applying_a_whole_virtual_service_ends_its_canary(routed: Api, start: dict[str, Any]) -> None:
    assert routed.post(URL, start).status_code == 201
    told = apply(routed, PLAIN)
    assert told["ended_canaries"] == ["find-pets"]
    assert routed.get(URL).json()["total"] == 0
    (name,) = weights(routed)
    assert weights(routed) == {name: [(V1, 1)]}
    again = routed.post(URL, START)
    assert again.status_code == 201, again.text
    assert weights(routed)[name] == [(V1, 90), (V2, 10)]


def test_the_same_manifest_ends_the_canary_that_started_on_its_own_route(routed: Api) -> None:
    apply(routed, PLAIN)
    name = routed.post(URL, START).json()["name"]
    assert apply(routed, PLAIN)["ended_canaries"] == [name]
    assert routed.post(URL, START).status_code == 201


def test_it_is_one_transaction_and_one_revision(routed: Api) -> None:
    routed.post(URL, START)
    told = apply(routed, PLAIN)
    assert routed.post(f"/api/v1/revisions/{told['revision'] - 1}/rollback").status_code == 200
    assert routed.get(f"{URL}/find-pets").json()["percent"] == 10
    assert routed.post(f"{URL}/find-pets/abort").status_code == 200
    assert weights(routed) == {"find-pets": [(V1, 1)]}


def test_a_dry_run_tells_it_and_ends_nothing(routed: Api) -> None:
    routed.post(URL, START)
    assert apply(routed, PLAIN, "?dry_run=true")["ended_canaries"] == ["find-pets"]
    assert routed.get(URL).json()["total"] == 1


def test_a_canary_goes_on_where_its_routes_are_as_it_wrote_them(routed: Api) -> None:
    routed.post(URL, START)
    dump = routed.get(CONFIG).json()
    assert routed.put(CONFIG, dump).json()["ended_canaries"] == []
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 20}).status_code == 200


def test_replacing_everything_ends_canaries(routed: Api) -> None:
    dump = routed.get(CONFIG).json()
    routed.post(URL, START)
    assert routed.put(CONFIG, dump).json()["ended_canaries"] == ["find-pets"]


def test_one_changed_route_does_not_end_it_but_the_next_step_asks(routed: Api) -> None:
    dump = routed.get(CONFIG).json()
    routed.post(URL, START)
    assert apply(routed, {"routes": dump["routes"]})["ended_canaries"] == []
    assert routed.post(f"{URL}/find-pets/shift", {"percent": 20}).json()["code"] == "canary_conflict"
    assert routed.post(f"{URL}/find-pets/abort?force=true").status_code == 200
    assert routed.post(URL, START).status_code == 201


def test_pruning_a_manifest_ends_the_canary_on_its_route_too(routed: Api) -> None:
    routed.delete("/api/v1/routes/find-pets")
    apply(routed, PLAIN, "?owner=team")
    name = routed.post(URL, START | {"header": None}).json()["name"]
    other = PLAIN.replace("/findPets", "/pets")
    assert apply(routed, other, "?owner=team&prune=true")["ended_canaries"] == [name]


def test_pruning_a_single_route_asks_first(routed: Api) -> None:
    dump = routed.get(CONFIG).json()
    apply(routed, dump, "?owner=team")
    routed.post(URL, START | {"header": None})
    answer = routed.post(f"{CONFIG}/apply?owner=team&prune=true", dump | {"routes": []})
    assert (answer.status_code, answer.json()["used_by"]) == (409, ["canaries/find-pets"])
