"""One look tells everything that is wrong, with the text and among the others; nothing that only follows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, Api

CONFIG = "/api/v1/config"
YAML = {"content-type": "application/yaml"}
GLOO = f"""
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: coalmine}}
spec:
  virtualHost:
    routes:
    - matcher: {{prefix: /a}}
      routeAction: {{single: {{upstream: {{name: {V1}}}}}}}
      routePlugins: {{prefixRewrite: {{prefixRewrite: nope}}}}
    - matcher: {{prefix: /b}}
      routeAction: {{single: {{upstream: {{name: nobody}}}}}}
    - matcher: {{prefix: /c}}
      routeAction:
        multi:
          destinations:
          - weight: 1
            destination: {{upstream: {{name: {V1}}}, destinationSpec: {{rest: {{functionName: findPet}}}}}}
          - weight: -1
            destination: {{upstream: {{name: {V1}}}, destinationSpec: {{rest: {{functionName: findPets}}}}}}
"""


def told(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


@pytest.mark.parametrize("door", ["apply", "diff", "validate"])
def test_gloos_manifest_with_faults_of_three_kinds(petstore: Api, door: str) -> None:
    before = petstore.get(CONFIG).content
    answer = petstore.http.post(f"{CONFIG}/{door}", content=GLOO, headers=YAML)
    routes = "/spec/virtualHost/routes"
    destinations = f"{routes}/2/routeAction/multi/destinations"
    assert told(answer) == [
        (f"{routes}/0/routePlugins/prefixRewrite/prefixRewrite", "invalid_value"),
        (f"{routes}/1/routeAction/single/upstream/name", "unknown_upstream"),
        (f"{destinations}/0/destination/destinationSpec/rest/functionName", "unknown_function"),
        (f"{destinations}/1/weight", "invalid_value"),
    ]
    assert petstore.get(CONFIG).content == before


def route(**more: Any) -> dict[str, Any]:
    return {"virtual_service": "coalmine", "destinations": [{"upstream": V1}], **more}


# the set (its routes are of a virtual service that is there), and what is told
SETS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "an upstream without endpoints, an unknown one, a path without a slash and an unknown function": (
        {
            "upstreams": [{"name": "a"}],
            "routes": [
                route(name="one", destinations=[{"upstream": "nope"}]),
                route(
                    name="two",
                    match={"path": {"prefix": "x"}},
                    destinations=[{"upstream": V1, "function": "findPet"}, {"upstream": "a", "function": "f"}],
                ),
            ],
        },
        [
            ("/upstreams/0/endpoints", "missing_key"),
            ("/routes/0/destinations/0/upstream", "unknown_upstream"),
            ("/routes/1/destinations/0/function", "unknown_function"),
            ("/routes/1/match/path/prefix", "invalid_value"),
        ],
    ),
    "an upstream without a readable name may be the one that is meant": (
        {
            "upstreams": [{"endpoints": ["http://127.0.0.1:1"]}],
            "routes": [route(name="one", destinations=[{"upstream": "nope"}, {"upstream": V1, "function": "x"}])],
        },
        [("/upstreams/0/name", "missing_key"), ("/routes/0/destinations/1/function", "unknown_function")],
    ),
    "upstreams that are no list may have the one that is meant": (
        {"upstreams": {"nope": {}}, "routes": [route(name="one", destinations=[{"upstream": "nope"}])]},
        [("/upstreams", "wrong_type")],
    ),
    "a section that is misspelt may have it too": (
        {"upstream": [], "routes": [route(name="one", destinations=[{"upstream": "nope"}])]},
        [("/upstream", "unknown_key")],
    ),
    "a virtual service without a readable name may be the one that is meant": (
        {"virtual_services": [{"name": "A B", "domains": ["a.example"]}], "routes": [route(virtual_service="nowhere")]},
        [("/virtual_services/0/name", "invalid_value")],
    ),
    "domains that cannot be read meet nobody's": (
        {"virtual_services": [{"name": "one", "domains": 5}, {"name": "two", "domains": 5}]},
        [("/virtual_services/0/domains", "wrong_type"), ("/virtual_services/1/domains", "wrong_type")],
    ),
    "two routes whose names cannot be read are not the same": (
        {"routes": [route(name="A"), route(name="B")]},
        [("/routes/0/name", "invalid_value"), ("/routes/1/name", "invalid_value")],
    ),
    "an upstream twice, and a fault in each": (
        {"upstreams": [{"name": "a"}, {"name": "a", "endpoints": ["x"]}]},
        [
            ("/upstreams/0/endpoints", "missing_key"),
            ("/upstreams/1/name", "duplicate_name"),
            ("/upstreams/1/endpoints/0", "invalid_value"),
        ],
    ),
}


@pytest.mark.parametrize(("body", "faults"), SETS.values(), ids=SETS)
def test_sets(petstore: Api, body: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    before = petstore.get(CONFIG).content
    assert told(petstore.post(f"{CONFIG}/apply", body)) == faults
    assert petstore.get(CONFIG).content == before


def test_what_stands_twice_is_told_with_both_places(api: Api) -> None:
    twin = {"name": "a", "endpoints": ["http://127.0.0.1:1"]}
    (fault,) = api.post(f"{CONFIG}/apply", {"upstreams": [twin, twin]}).json()["errors"]
    assert (fault["pointer"], fault["related"]) == ("/upstreams/1/name", "/upstreams/0/name")


def test_a_set_with_faults_is_not_judged_by_whom_it_takes_from(petstore: Api) -> None:
    body = {"upstreams": [{"name": V1, "endpoints": []}]}
    assert told(petstore.post(f"{CONFIG}/apply?prune=true&owner=mine", body)) == [
        ("/upstreams/0/endpoints", "invalid_value")
    ]


ROUTE = {
    "name": "r",
    "virtual_service": "nowhere",
    "match": {"path": {"prefix": "a"}},
    "destinations": [{"upstream": "nobody"}, {"upstream": V1, "function": "findPet", "weight": "x"}],
}
ROUTE_FAULTS = [
    ("/virtual_service", "unknown_virtual_service"),
    ("/match/path/prefix", "invalid_value"),
    ("/destinations/0/upstream", "unknown_upstream"),
    ("/destinations/1/function", "unknown_function"),
    ("/destinations/1/weight", "wrong_type"),
]


def test_a_route_that_is_posted(petstore: Api) -> None:
    assert told(petstore.post("/api/v1/routes", ROUTE)) == ROUTE_FAULTS


def test_a_route_that_is_put_under_another_name(petstore: Api) -> None:
    assert told(petstore.put("/api/v1/routes/other", ROUTE)) == [("/name", "invalid_value"), *ROUTE_FAULTS]


def test_a_route_that_is_patched(petstore: Api) -> None:
    petstore.post("/api/v1/routes", route(name="r"))
    change = {key: value for key, value in ROUTE.items() if key != "name"}
    answer = petstore.http.patch("/api/v1/routes/r", json=change)
    assert sorted(told(answer)) == sorted(ROUTE_FAULTS)


def test_a_virtual_service(petstore: Api) -> None:
    petstore.post("/api/v1/virtual-services", {"name": "one", "domains": ["one.example"]})
    body = {"name": "Two", "domains": ["a b", "one.example"]}
    assert told(petstore.post("/api/v1/virtual-services", body)) == [
        ("/name", "invalid_value"),
        ("/domains/0", "invalid_value"),
        ("/domains/1", "domain_conflict"),
    ]


@pytest.mark.parametrize("path", ["routes", "config/apply"])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"name": "a",\n "name": "b"}', "'name' stands twice in one object (line 2, column 2; first in line 1)"),
        ("name: a\nname: b\n", "'name' stands twice in one object (line 2, column 1; first in line 1)"),
    ],
    ids=["JSON", "YAML"],
)
def test_a_key_that_stands_twice_is_malformed(api: Api, path: str, text: str, place: str) -> None:
    answer = api.http.post(f"/api/v1/{path}", content=text, headers=YAML)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    assert place in answer.json()["detail"]
