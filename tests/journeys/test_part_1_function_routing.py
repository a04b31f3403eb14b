"""Part 1: a path prefix becomes a call of one function.

The commands are those of the article, with ``glooctl`` read as ``coalmine``; the tests run in order.
"""

from __future__ import annotations

from tests.journeys.story import CAT, DOG, NO_PET_3, TWO_PETS, V1, V2
from tests.support.processes import Coalmine


def test_both_stores_are_upstreams_with_four_functions(coalmine: Coalmine) -> None:
    table = coalmine.cli("get", "upstreams")
    assert V1 in table
    assert V2 in table
    for name in (V1, V2):
        functions = coalmine.api(f"upstreams/{name}/functions").json["items"]
        assert sorted(function["name"] for function in functions) == ["addPet", "deletePet", "findPetById", "findPets"]


def test_the_proxy_tells_its_url(coalmine: Coalmine) -> None:
    assert coalmine.cli("proxy", "url").strip() == coalmine.proxy


def test_without_routes_there_is_a_problem(coalmine: Coalmine) -> None:
    answer = coalmine.get("/petstore")
    assert answer.status == 404
    assert answer.json["code"] == "no_virtual_service"


def test_a_virtual_service_is_created(coalmine: Coalmine) -> None:
    coalmine.cli("create", "virtualservice", "--name", "coalmine")
    assert coalmine.get("/petstore").json["code"] == "no_route"


def test_a_prefix_is_rewritten(coalmine: Coalmine) -> None:
    coalmine.cli(
        *("add", "route", "--name", "coalmine", "--path-prefix", "/petstore"),
        *("--dest-name", V1, "--prefix-rewrite", "/api/pets"),
    )
    assert coalmine.get("/petstore").body == TWO_PETS
    assert coalmine.get("/petstore/2").body == CAT


def test_a_prefix_calls_a_function(coalmine: Coalmine) -> None:
    coalmine.cli(
        *("add", "route", "--name", "coalmine", "--path-prefix", "/findPets"),
        *("--dest-name", V1, "--rest-function-name", "findPets"),
    )
    assert coalmine.get("/findPets").body == TWO_PETS
    assert coalmine.get("/findPets?limit=1").body == b"[" + DOG + b"]"


def test_a_segment_of_the_path_becomes_a_parameter(coalmine: Coalmine) -> None:
    coalmine.cli(
        *("add", "route", "--name", "coalmine", "--path-prefix", "/findPetWithId"),
        *("--dest-name", V1, "--rest-function-name", "findPetById"),
        *("--rest-parameters", ":path=/findPetWithId/{id}"),
    )
    assert coalmine.get("/findPetWithId/1").body == DOG
    assert coalmine.get("/findPetWithId/2").body == CAT
    answer = coalmine.get("/findPetWithId/3")
    assert (answer.status, answer.body) == (404, NO_PET_3)


def test_the_earlier_routes_still_answer(coalmine: Coalmine) -> None:
    assert coalmine.get("/petstore").body == TWO_PETS
    assert coalmine.get("/findPets").body == TWO_PETS
    assert coalmine.get("/findPetsX").json["code"] == "no_route"
