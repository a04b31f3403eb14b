"""Everything at once: dump, replace, apply, diff, validate."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.admin_api.support import V1, Api

CONFIG = "/api/v1/config"
YAML = {"content-type": "application/yaml"}
UPSTREAM = {"name": "pets", "endpoints": ["http://127.0.0.1:9001"]}
PLAIN = {
    "name": "plain",
    "virtual_service": "shop",
    "match": {"path": {"prefix": "/pets"}},
    "destinations": [{"upstream": "pets"}],
}
HELLO = {"name": "hello", "virtual_service": "shop", "direct_response": {"body": "hello"}}
SHOP: dict[str, Any] = {
    "upstreams": [UPSTREAM],
    "virtual_services": [{"name": "shop", "domains": ["shop.example"]}],
    "routes": [PLAIN, HELLO],
}

GLOO = f"""
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: coalmine, namespace: gloo-system}}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matcher: {{prefix: /findPets}}
      routeAction:
        single:
          destinationSpec: {{rest: {{functionName: FUNCTION, parameters: {{}}}}}}
          upstream: {{name: {V1}, namespace: gloo-system}}
"""


def counts(api: Api) -> list[int]:
    return [len(part) for part in api.get(CONFIG).json().values()]


def test_a_dump_is_short_and_put_takes_it_back(api: Api) -> None:
    assert api.put(CONFIG, SHOP).status_code == 200
    assert api.get(CONFIG).json() == SHOP
    again = api.put(CONFIG, api.get(CONFIG).json())
    assert (again.status_code, again.json()["changes"]) == (200, [])


def test_a_dump_in_yaml_is_read_back(api: Api) -> None:
    api.put(CONFIG, SHOP)
    text = api.get(CONFIG, headers={"accept": "application/yaml"})
    assert text.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(text.content) == SHOP
    assert api.http.put(CONFIG, content=text.content, headers=YAML).json()["changes"] == []


def test_put_removes_what_the_body_has_not(api: Api) -> None:
    api.put(CONFIG, SHOP)
    changes = api.put(CONFIG, {**SHOP, "routes": [PLAIN]}).json()["changes"]
    assert changes == [{"object": "routes/hello", "action": "remove", "owner": "apply", "keys": []}]
    assert api.put(CONFIG, {"routes": []}).status_code == 200
    assert counts(api) == [0, 0, 0]


def test_put_keeps_what_was_discovered_of_an_upstream_that_stays(petstore: Api) -> None:
    petstore.put(CONFIG, petstore.get(CONFIG).json())
    assert petstore.get(f"/api/v1/functions?upstream={V1}").json()["total"] == 4


def test_the_listed_order_of_equal_routes_is_their_order(api: Api) -> None:
    twins = [{**HELLO, "name": name} for name in ("z", "a", "m")]
    api.put(CONFIG, {**SHOP, "routes": twins})
    assert [one["name"] for one in api.get("/api/v1/routes").json()["items"]] == ["z", "a", "m"]
    api.put(CONFIG, {**SHOP, "routes": twins[::-1]})
    assert [one["name"] for one in api.get("/api/v1/routes").json()["items"]] == ["m", "a", "z"]


def test_apply_adds_and_changes_and_removes_nothing(api: Api) -> None:
    api.put(CONFIG, SHOP)
    answer = api.post(
        f"{CONFIG}/apply", {"routes": [{**HELLO, "priority": 5}], "virtual_services": [{"name": "other"}]}
    )
    assert answer.status_code == 200, answer.text
    actions = {change["object"]: change["action"] for change in answer.json()["changes"]}
    assert actions == {"routes/hello": "change", "virtual-services/other": "add"}
    assert counts(api) == [1, 2, 2]
    assert api.prober.woken == 2


def test_apply_is_served_when_it_is_answered(api: Api) -> None:
    api.post(f"{CONFIG}/apply", SHOP)
    (service,) = api.feed.current.virtual_services
    assert [route.name for route in service.routes] == ["plain", "hello"]


def test_gloos_manifest_replaces_all_routes_of_its_virtual_service_and_no_others(petstore: Api) -> None:
    stays = {"name": "stays", "virtual_service": "other", "direct_response": {}}
    petstore.put("/api/v1/virtual-services/other", {"domains": ["other.example"]})
    petstore.post("/api/v1/routes", stays)
    petstore.post("/api/v1/routes", {"name": "goes", "virtual_service": "coalmine", "direct_response": {}})
    answer = petstore.http.post(f"{CONFIG}/apply", content=GLOO.replace("FUNCTION", "findPets"), headers=YAML)
    assert answer.status_code == 200, answer.text
    names = {one["name"] for one in petstore.get("/api/v1/routes").json()["items"]}
    assert "goes" not in names and "stays" in names and len(names) == 2
    again = petstore.http.post(f"{CONFIG}/apply", content=GLOO.replace("FUNCTION", "findPets"), headers=YAML)
    assert again.json()["changes"] == []


def test_one_bad_document_of_many_and_nothing_is_applied_and_all_faults_are_told(petstore: Api) -> None:
    before = petstore.get(CONFIG).content
    own = yaml.safe_dump({"routes": [{**HELLO, "wieght": 1}, {**HELLO, "name": "Bad Name"}]})
    foreign = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
    good = yaml.safe_dump({"upstreams": [UPSTREAM]})
    answer = petstore.http.post(f"{CONFIG}/apply", content="\n---\n".join([good, own, foreign]), headers=YAML)
    assert answer.status_code == 422
    pointers = [fault["pointer"] for fault in answer.json()["errors"]]
    assert pointers == [
        "/1/routes/0/virtual_service",
        "/1/routes/0/wieght",
        "/1/routes/1/name",
        "/1/routes/1/virtual_service",
        "/2/kind",
    ]
    assert petstore.get(CONFIG).content == before


def test_faults_that_only_the_catalog_can_find_point_into_the_body_too(petstore: Api) -> None:
    routes = [
        {**HELLO, "name": "fine", "virtual_service": "coalmine"},
        {**PLAIN, "name": "r", "virtual_service": "nowhere", "destinations": [{"upstream": V1, "function": "findPet"}]},
    ]
    faults = petstore.post(f"{CONFIG}/apply", {"routes": routes}).json()["errors"]
    assert {fault["pointer"]: fault["hint"] for fault in faults} == {
        "/routes/1/virtual_service": None,
        "/routes/1/destinations/0/function": "did you mean findPets?",
    }


def test_a_fault_of_gloos_manifest_points_to_its_place(petstore: Api) -> None:
    answer = petstore.http.post(f"{CONFIG}/validate", content=GLOO.replace("FUNCTION", "findPet"), headers=YAML)
    (fault,) = answer.json()["errors"]
    place = "/spec/virtualHost/routes/0/routeAction/single/destinationSpec/rest/functionName"
    assert (fault["pointer"], fault["hint"]) == (place, "did you mean findPets?")


def test_functions_of_an_upstream_of_the_same_set_are_not_known_yet_and_tolerated(api: Api) -> None:
    calling = {**PLAIN, "destinations": [{"upstream": "pets", "function": "findPets"}]}
    answer = api.post(f"{CONFIG}/apply", {**SHOP, "routes": [calling]})
    assert answer.status_code == 200, answer.text
    assert [problem["code"] for problem in answer.json()["problems"]] == ["function_unknown"]


def test_but_an_upstream_that_waits_for_its_document_gets_no_new_calls_on_trust(api: Api) -> None:
    api.post(f"{CONFIG}/apply", SHOP)
    calling = {**PLAIN, "destinations": [{"upstream": "pets", "function": "findPets"}]}
    assert api.post("/api/v1/routes", {**calling, "name": "new"}).json()["errors"][0]["code"] == "unknown_function"


def test_a_route_of_a_set_may_need_the_default_virtual_service(api: Api) -> None:
    assert api.post(f"{CONFIG}/apply", {"routes": [{"direct_response": {}}]}).status_code == 200
    assert counts(api) == [0, 1, 1]


def test_what_gloos_manifest_became_is_taken_back_as_it_is_dumped(petstore: Api) -> None:
    parameters = "parameters: {headers: {':path': '/findPetWithId/{id}'}}"
    text = GLOO.replace("FUNCTION", "findPetById").replace("parameters: {}", parameters)
    assert petstore.http.post(f"{CONFIG}/apply", content=text, headers=YAML).status_code == 200
    again = petstore.put(CONFIG, petstore.get(CONFIG).json())
    assert (again.status_code, again.json()["changes"]) == (200, []), again.text


NOTHING = [
    pytest.param("apply?dry_run=true", id="apply as a dry run"),
    pytest.param("diff", id="diff"),
    pytest.param("diff?replace=true", id="diff as PUT"),
    pytest.param("validate", id="validate"),
]


@pytest.mark.parametrize("path", NOTHING)
def test_asking_what_would_be_changes_nothing(api: Api, path: str) -> None:
    api.put(CONFIG, SHOP)
    before = api.get(CONFIG).content
    answer = api.post(f"{CONFIG}/{path}", {"upstreams": [{**UPSTREAM, "labels": {"a": "b"}}]})
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    change = answer.json()["changes"][0]
    assert change["keys"] == [{"pointer": "/labels/a", "before": None, "after": "b"}]
    removed = [one["object"] for one in answer.json()["changes"] if one["action"] == "remove"]
    assert removed == (["virtual-services/shop", "routes/plain", "routes/hello"] if "replace" in path else [])
    assert api.get(CONFIG).content == before


def test_the_etag_of_the_whole_guards_the_whole(api: Api) -> None:
    tag = {"if-match": api.get(CONFIG).headers["etag"]}
    assert api.put(CONFIG, SHOP, headers=tag).status_code == 200
    assert api.put(CONFIG, SHOP, headers=tag).status_code == 412
    assert api.get(CONFIG, headers={"if-none-match": api.get(CONFIG).headers["etag"]}).status_code == 304
