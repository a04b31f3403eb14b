"""Sets of files own what they write; what drifts from them, and what pruning removes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, V2, Api
from tests.admin_api.test_config import GLOO, YAML

CONFIG = "/api/v1/config"
PETS = {"name": "pets", "endpoints": ["http://127.0.0.1:9001"]}
SHOP = {"name": "shop", "domains": ["shop.example"]}
HELLO = {"name": "hello", "virtual_service": "shop", "direct_response": {"body": "hello"}}
PLAIN = {"name": "plain", "virtual_service": "shop", "destinations": [{"upstream": "pets"}]}
SET: dict[str, Any] = {"upstreams": [PETS], "virtual_services": [SHOP], "routes": [HELLO, PLAIN]}


def apply(api: Api, body: Any, query: str = "owner=files") -> Any:
    answer = api.post(f"{CONFIG}/apply?{query}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def owned(api: Api, path: str) -> tuple[str, bool]:
    status = api.get(f"/api/v1/{path}").json()["status"]
    return status["owner"], status["drifted"]


def objects(result: Any) -> list[tuple[str, str]]:
    return [(change["action"], change["object"]) for change in result["changes"]]


def test_what_is_written_by_hand_belongs_to_the_api_and_what_files_say_to_their_set(api: Api) -> None:
    api.post("/api/v1/upstreams", PETS)
    apply(api, {"virtual_services": [SHOP]})
    assert api.post(f"{CONFIG}/apply", {"routes": [HELLO]}).json()["owner"] == "apply"
    assert [owned(api, path) for path in ("upstreams/pets", "virtual-services/shop", "routes/hello")] == [
        ("api", False),
        ("files", False),
        ("apply", False),
    ]


def test_a_write_by_hand_succeeds_and_says_that_the_object_has_drifted(api: Api) -> None:
    apply(api, SET)
    answer = api.patch("/api/v1/routes/hello", {"timeout_seconds": 3})
    assert (answer.status_code, answer.headers["coalmine-drifted"]) == (200, "routes/hello (files)")
    assert (answer.json()["status"]["owner"], answer.json()["status"]["drifted"]) == ("files", True)
    found = api.post(f"{CONFIG}/diff?owner=files", SET).json()
    assert (found["drifted"], objects(found)) == (["routes/hello"], [("change", "routes/hello")])
    assert found["changes"][0]["owner"] == "files"
    again = apply(api, SET)
    assert (again["drifted"], again["taken_over"]) == (["routes/hello"], [])
    assert owned(api, "routes/hello") == ("files", False)
    assert api.post(f"{CONFIG}/diff?owner=files", SET).json()["drifted"] == []


def test_writing_it_back_by_hand_mends_it(api: Api) -> None:
    apply(api, SET)
    api.patch("/api/v1/routes/hello", {"timeout_seconds": 3})
    answer = api.patch("/api/v1/routes/hello", {"timeout_seconds": None})
    assert "coalmine-drifted" not in answer.headers
    assert owned(api, "routes/hello") == ("files", False)


def test_deleting_by_hand_is_told_too_and_a_dry_run_tells_it_before(api: Api) -> None:
    apply(api, SET)
    for query in ("?dry_run=true", ""):
        assert api.delete(f"/api/v1/routes/hello{query}").headers["coalmine-drifted"] == "routes/hello (files)"
    assert objects(api.post(f"{CONFIG}/diff?owner=files", SET).json()) == [("add", "routes/hello")]


def test_what_is_made_anew_by_hand_belongs_to_the_api(api: Api) -> None:
    apply(api, SET)
    api.delete("/api/v1/routes/hello")
    api.post("/api/v1/routes", HELLO)
    assert owned(api, "routes/hello") == ("api", False)


def test_a_canary_on_a_route_of_a_set_is_drift(petstore: Api) -> None:
    route = {"name": "r", "virtual_service": "coalmine", "destinations": [{"upstream": V1, "function": "findPets"}]}
    apply(petstore, {"routes": [route]})
    started = petstore.post("/api/v1/canaries", {"route": "r", "upstream": V2, "percent": 10})
    assert started.headers["coalmine-drifted"] == "routes/r (files)"
    assert "coalmine-drifted" not in petstore.post("/api/v1/canaries/r/abort").headers


def test_taking_over_is_told_and_is_a_revision_although_nothing_else_changes(api: Api) -> None:
    api.post("/api/v1/upstreams", PETS)
    apply(api, {"virtual_services": [SHOP]}, "owner=other")
    result = apply(api, {"upstreams": [PETS], "virtual_services": [SHOP]})
    assert result["changes"] == []
    assert result["taken_over"] == [
        {"object": "upstreams/pets", "owner": "api"},
        {"object": "virtual-services/shop", "owner": "other"},
    ]
    revision = api.get(f"/api/v1/revisions/{result['revision']}").json()
    assert revision["changes"][1]["keys"] == [{"pointer": "/status/owner", "before": "other", "after": "files"}]
    assert apply(api, {"upstreams": [PETS]})["taken_over"] == []


def test_pruning_removes_what_the_set_has_no_more_and_nothing_of_others(api: Api) -> None:
    apply(api, SET)
    apply(api, {"virtual_services": [{"name": "zoo", "domains": ["zoo.example"]}]}, "owner=other")
    api.post("/api/v1/routes", {**HELLO, "name": "by-hand"})
    smaller = {"virtual_services": [SHOP], "routes": [HELLO]}
    found = api.post(f"{CONFIG}/diff?owner=files&prune=true", smaller).json()
    assert objects(found) == [("remove", "upstreams/pets"), ("remove", "routes/plain")]
    assert objects(apply(api, smaller, "owner=files&prune=true")) == objects(found)
    names = {name for part in api.get(CONFIG).json().values() for name in [item["name"] for item in part]}
    assert names == {"shop", "zoo", "hello", "by-hand"}
    assert objects(apply(api, smaller, "owner=files&prune=true")) == []


def refused(api: Api, body: Any, code: str, **more: Any) -> dict[str, Any]:
    before = api.get(CONFIG).content
    answer = api.http.post(f"{CONFIG}/apply?owner=files&prune=true", **({"json": body} | more))
    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
    assert api.get(CONFIG).content == before
    problem: dict[str, Any] = answer.json()
    return problem


def test_pruning_takes_nothing_over(api: Api) -> None:
    api.post("/api/v1/upstreams", PETS)
    problem = refused(api, SET, "owned_by_other")
    assert problem["detail"] == "not of the set files: upstreams/pets (api)"
    assert "without prune" in problem["hint"]
    apply(api, SET)
    assert apply(api, SET, "owner=files&prune=true")["taken_over"] == []


def test_pruning_removes_nothing_that_others_need(petstore: Api) -> None:
    apply(petstore, SET)
    petstore.post("/api/v1/routes", {**PLAIN, "name": "by-hand"})
    assert refused(petstore, {"virtual_services": [SHOP]}, "in_use")["used_by"] == ["routes/by-hand"]
    petstore.delete("/api/v1/routes/by-hand")
    petstore.post("/api/v1/routes", {**HELLO, "name": "by-hand"})
    assert refused(petstore, {"upstreams": [PETS]}, "in_use")["used_by"] == ["routes/by-hand"]


def test_pruning_removes_no_route_under_a_canary(petstore: Api) -> None:
    route = {"name": "r", "virtual_service": "coalmine", "destinations": [{"upstream": V1, "function": "findPets"}]}
    apply(petstore, {"routes": [route]})
    petstore.post("/api/v1/canaries", {"route": "r", "upstream": V2, "percent": 10})
    assert refused(petstore, {"upstreams": [PETS]}, "in_use")["used_by"] == ["canaries/r"]


def test_gloos_manifest_leaves_routes_of_others_alone_when_it_prunes(petstore: Api) -> None:
    petstore.delete("/api/v1/virtual-services/coalmine")
    manifest = GLOO.replace("FUNCTION", "findPets")
    petstore.http.post(f"{CONFIG}/apply?owner=files", content=manifest, headers=YAML)
    petstore.post("/api/v1/routes", {**HELLO, "virtual_service": "coalmine"})
    problem = refused(petstore, None, "owned_by_other", content=manifest, headers=YAML, json=None)
    assert problem["detail"] == "not of the set files: routes/hello (api)"


def test_a_dump_of_one_owner_has_what_is_theirs(api: Api) -> None:
    apply(api, SET)
    api.post("/api/v1/upstreams", {**PETS, "name": "by-hand"})
    assert api.get(f"{CONFIG}?owner=files").json() == SET
    by_hand = api.get(f"{CONFIG}?owner=api").json()
    assert [[item["name"] for item in part] for part in by_hand.values()] == [["by-hand"], [], []]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("apply?owner=api", id="api is nobody's set"),
        pytest.param("apply?owner=Not%20a%20name", id="no name"),
        pytest.param("apply?owner=", id="an empty name"),
        pytest.param("diff?replace=true&prune=true", id="both replace and prune"),
    ],
)
def test_queries_that_make_no_sense(api: Api, query: str) -> None:
    answer = api.post(f"{CONFIG}/{query}", SET)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")
