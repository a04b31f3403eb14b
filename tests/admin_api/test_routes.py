"""Routes over the wire: what only routes have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, V2, Api

ROUTES = "/api/v1/routes"
FIND_PETS: dict[str, Any] = {
    "name": "find-pets",
    "virtual_service": "coalmine",
    "match": {"path": {"prefix": "/findPets"}},
    "destinations": [{"upstream": V1, "function": "findPets"}],
}
CANARY: dict[str, Any] = {
    "virtual_service": "coalmine",
    "match": {"path": {"prefix": "/findPets"}, "headers": [{"name": "x-canary", "exact": "true"}]},
    "destinations": [{"upstream": V2, "function": "findPets"}],
}


def test_a_missing_name_is_generated_and_stays_readable(petstore: Api) -> None:
    first, second = petstore.post(ROUTES, CANARY), petstore.post(ROUTES, CANARY)
    assert first.headers["location"] == f"{ROUTES}/find-pets-x-canary-true"
    assert second.json()["name"] == "find-pets-x-canary-true-2"
    assert second.json()["status"]["shadowed_by"] == "find-pets-x-canary-true"
    assert second.json()["status"]["state"] == "warning"


def test_the_list_is_in_effective_order_whatever_came_first(petstore: Api) -> None:
    petstore.post(ROUTES, FIND_PETS)
    petstore.post(ROUTES, CANARY)
    items = petstore.get(f"{ROUTES}?virtual_service=coalmine").json()["items"]
    assert [(one["name"], one["status"]["order"]) for one in items] == [
        ("find-pets-x-canary-true", 0),
        ("find-pets", 1),
    ]


def test_pages_of_routes_keep_the_effective_order(petstore: Api) -> None:
    for path in ("/a", "/b/c", "/b"):
        petstore.post(ROUTES, FIND_PETS | {"name": f"r{path.replace('/', '-')}", "match": {"path": {"exact": path}}})
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = petstore.get(f"{ROUTES}?limit=2{cursor and '&cursor=' + cursor}").json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [one["name"] for one in petstore.get(ROUTES).json()["items"]]
    assert len(seen) == page["total"] == 3


def test_the_default_virtual_service_is_made_on_first_use(api: Api) -> None:
    route = {"direct_response": {"body": "hello"}}
    assert api.post(ROUTES, route).json()["virtual_service"] == "default"
    assert api.get("/api/v1/virtual-services/default").json()["domains"] == ["*"]


def test_no_default_is_made_for_a_route_that_is_refused(api: Api) -> None:
    assert api.post(ROUTES, {"destinations": []}).status_code == 422
    assert api.get("/api/v1/virtual-services").json()["total"] == 0


def test_a_route_that_names_no_virtual_service_is_told_who_has_all_requests(petstore: Api) -> None:
    fault = petstore.post(ROUTES, {"direct_response": {}}).json()["errors"][0]
    assert (fault["pointer"], fault["hint"]) == ("/virtual_service", "add virtual_service: coalmine")


def change(**values: Any) -> dict[str, Any]:
    return FIND_PETS | values


def to(**values: Any) -> dict[str, Any]:
    return change(destinations=[{"upstream": V1, "function": "findPets"} | values])


FAULTS = [
    pytest.param(
        change(destinatoins=[]), "/destinatoins", "unknown_key", "did you mean destinations?", id="an unknown key"
    ),
    pytest.param(
        change(match={"path": {"prefx": "/"}}), "/match/path/prefx", "unknown_key", "did you mean prefix?", id="deep"
    ),
    pytest.param(to(weight="many"), "/destinations/0/weight", "wrong_type", None, id="a wrong type"),
    pytest.param(to(weight=-1), "/destinations/0/weight", "invalid_value", None, id="a negative weight"),
    pytest.param(
        to(weight=0), "/destinations", "no_weight", "give one of them a weight above 0", id="all weights zero"
    ),
    pytest.param(
        change(match={"path": {"regex": "/(["}}), "/match/path/regex", "invalid_regex", None, id="a bad regex"
    ),
    pytest.param(
        to(function="findPet"),
        "/destinations/0/function",
        "unknown_function",
        "did you mean findPets?",
        id="a missing function",
    ),
    pytest.param(
        to(upstream=V1[:-1]),
        "/destinations/0/upstream",
        "unknown_upstream",
        f"did you mean {V1}?",
        id="a missing upstream",
    ),
    pytest.param(
        change(virtual_service="coalmin"),
        "/virtual_service",
        "unknown_virtual_service",
        "did you mean coalmine?",
        id="a missing virtual service",
    ),
]


@pytest.mark.parametrize(("body", "pointer", "code", "hint"), FAULTS)
def test_a_fault_says_where_what_and_how_to_mend_it(
    petstore: Api, body: Any, pointer: str, code: str, hint: str | None
) -> None:
    answer = petstore.post(ROUTES, body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    faults = [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert faults == [(pointer, code)], answer.text
    if hint:
        assert answer.json()["errors"][0]["hint"] == hint
    assert petstore.get(ROUTES).json()["total"] == 0


def test_everything_wrong_is_told_at_once(petstore: Api) -> None:
    body = {
        "name": "Not A Name",
        "prioritee": 1,
        "virtual_service": "coalmine",
        "match": {"path": {"prefix": "no-slash"}},
        "destinations": [
            {"upstream": V1, "function": "findPets", "weight": -5},
            {"upstream": V2, "function": "findPet"},
            {"upstream": "nowhere"},
        ],
    }
    pointers = [fault["pointer"] for fault in petstore.post(ROUTES, body).json()["errors"]]
    assert sorted(pointers) == [
        "/destinations/0/weight",
        "/destinations/1/function",
        "/destinations/2/upstream",
        "/match/path/prefix",
        "/name",
        "/prioritee",
    ]


def test_weights_change_by_merge_patch_and_are_served_at_once(petstore: Api) -> None:
    petstore.post(ROUTES, FIND_PETS)
    weighted = [
        {"upstream": V2, "function": "findPets", "weight": 10},
        {"upstream": V1, "function": "findPets", "weight": 90},
    ]
    assert petstore.patch(f"{ROUTES}/find-pets", {"destinations": weighted}).status_code == 200
    (service,) = petstore.feed.current.virtual_services
    assert [one.weight for one in service.routes[0].destinations] == [10, 90]


def test_a_replaced_route_keeps_its_age(petstore: Api) -> None:
    petstore.post(ROUTES, FIND_PETS | {"name": "b"})
    petstore.post(ROUTES, FIND_PETS | {"name": "a"})
    petstore.put(f"{ROUTES}/b", FIND_PETS | {"name": "b", "timeout_seconds": 3})
    assert [one["name"] for one in petstore.get(ROUTES).json()["items"]] == ["b", "a"]


def test_a_function_that_left_its_document_is_called_on_with_a_warning(petstore: Api) -> None:
    petstore.post(ROUTES, to(function="deletePet") | {"match": {"path": {"prefix": "/deletePet"}}})
    status = petstore.get(f"{ROUTES}/find-pets").json()["status"]
    assert (status["state"], status["problems"][0]["code"]) == ("warning", "function_removed")


FILTERS = [
    pytest.param("virtual_service=coalmine", 2, id="by virtual service"),
    pytest.param("virtual_service=other", 0, id="by another virtual service"),
    pytest.param(f"upstream={V2}", 1, id="by upstream"),
    pytest.param("function=findPets", 2, id="by function"),
    pytest.param(f"upstream={V2}&function=addPet", 0, id="by both"),
    pytest.param("q=canary", 1, id="by words"),
]


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_routes_are_filtered(petstore: Api, query: str, count: int) -> None:
    petstore.post(ROUTES, FIND_PETS)
    petstore.post(ROUTES, CANARY)
    assert petstore.get(f"{ROUTES}?{query}").json()["total"] == count


def test_delete_of_a_route_asks_nobody(petstore: Api) -> None:
    petstore.post(ROUTES, FIND_PETS)
    assert petstore.delete(f"{ROUTES}/find-pets").status_code == 204
    assert petstore.get(ROUTES).json()["total"] == 0
