"""Functions over the wire."""

from __future__ import annotations

import pytest

from tests.admin_api.support import V1, V2, Api, make_function

URL = "/api/v1/functions"

FILTERS = [
    pytest.param("", 8, id="all"),
    pytest.param(f"upstream={V1}", 4, id="by upstream"),
    pytest.param("method=post", 2, id="by method, in any case"),
    pytest.param("tag=pet", 4, id="by tag"),
    pytest.param("state=removed", 2, id="by state"),
    pytest.param("q=FIND+pet", 4, id="by words in any case"),
    pytest.param("q=%25", 0, id="nothing is a wildcard"),
    pytest.param(f"upstream={V2}&tag=pet&method=GET", 1, id="by several"),
    pytest.param("upstream=nowhere", 0, id="by an upstream that is not there"),
]


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_functions_are_filtered(petstore: Api, query: str, count: int) -> None:
    answer = petstore.get(f"{URL}?{query}").json()
    assert (answer["total"], len(answer["items"])) == (count, count)


def test_one_function_has_its_parameters_as_the_document_has_them(petstore: Api) -> None:
    function = petstore.get(f"{URL}/{V1}/findPetById").json()
    (parameter,) = function["parameters"]
    assert (function["method"], function["path"], function["state"]) == ("GET", "/api/pets/{id}", "active")
    assert (parameter["name"], parameter["in"], parameter["schema"]) == ("id", "path", {})


def test_a_name_may_have_slashes_and_anything_else(petstore: Api) -> None:
    petstore.discover(V1, make_function(V1, "get/pets and ünïcode?", "/x"))
    answer = petstore.get(f"{URL}/{V1}/get/pets%20and%20%C3%BCn%C3%AFcode%3F")
    assert answer.json()["name"] == "get/pets and ünïcode?"


def test_a_missing_function_comes_with_the_nearest_name(petstore: Api) -> None:
    answer = petstore.get(f"{URL}/{V1}/findPet")
    assert (answer.status_code, answer.json()["hint"]) == (404, "did you mean findPets?")


def test_a_missing_upstream_is_told_as_such(petstore: Api) -> None:
    assert petstore.get(f"{URL}/{V1}x/findPets").json()["hint"] == f"did you mean {V1}?"
    assert petstore.get("/api/v1/upstreams/nowhere/functions").status_code == 404


def test_the_functions_of_one_upstream(petstore: Api) -> None:
    answer = petstore.get(f"/api/v1/upstreams/{V1}/functions?method=GET").json()
    assert [one["name"] for one in answer["items"]] == ["findPetById", "findPets"]


def test_nobody_writes_functions(petstore: Api) -> None:
    assert petstore.put(f"{URL}/{V1}/findPets", {}).status_code == 405


def test_lists_have_etags_too(petstore: Api) -> None:
    tag = petstore.get(URL).headers["etag"]
    assert petstore.get(URL, headers={"if-none-match": tag}).status_code == 304
    petstore.discover(V1, make_function(V1, "newOne", "/new"))
    assert petstore.get(URL, headers={"if-none-match": tag}).status_code == 200
