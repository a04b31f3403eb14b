"""With ``alias glooctl=coalmine``, the commands of the article series work as printed."""

from __future__ import annotations

from tests.admin_api.support import V1, V2
from tests.coalmine.cli.conftest import Cli


def routes(cli: Cli) -> dict[str, dict[str, object]]:
    return {item["name"]: item for item in cli("get routes -o json").json}


def test_part_one_sets_up_three_routes(cli: Cli) -> None:
    cli("create virtualservice --name coalmine")
    cli(f"add route --name coalmine --path-prefix /petstore --dest-name {V1} --prefix-rewrite /api/pets")
    cli(f"add route --name coalmine --path-prefix /findPets --dest-name {V1} --rest-function-name findPets")
    made = cli(
        f"add route --name coalmine --path-prefix /findPetWithId --dest-name {V1} "
        "--rest-function-name findPetById --rest-parameters :path=/findPetWithId/{id}"
    )
    assert made.out == f"route find-pet-with-id added to coalmine: prefix /findPetWithId -> {V1}/findPetById\n"
    assert made.err == ""
    found = routes(cli)
    assert found["petstore"]["rewrite"] == {"prefix": "/api/pets"}
    assert found["find-pets"]["destinations"] == [
        {"upstream": V1, "function": "findPets", "weight": 1, "parameters": {}}
    ]
    assert found["find-pet-with-id"]["destinations"] == [
        {"upstream": V1, "function": "findPetById", "weight": 1, "parameters": {":path": "/findPetWithId/{id}"}}
    ]


def test_part_two_adds_the_canary_after_the_plain_route_and_it_is_asked_first(zoo: Cli) -> None:
    zoo(
        f"add route --name coalmine --path-prefix /findPets --dest-name {V2} --rest-function-name findPets "
        "--header x-canary=true"
    )
    found = routes(zoo)
    canary, plain = found["find-pets-x-canary-true"], found["find-pets"]
    assert canary["match"] == {
        "path": {"prefix": "/findPets"},
        "methods": [],
        "headers": [{"exact": "true", "invert": False, "name": "x-canary"}],
        "query": [],
        "source_cidrs": [],
    }
    assert canary["status"]["order"] < plain["status"]["order"]  # type: ignore[index]


def test_short_flags_and_namespaces_are_taken(zoo: Cli) -> None:
    made = zoo(
        f"add route --name coalmine -e /one -u {V1} -f findPets -d x=1 -q y=2 -m GET -s gloo-system -n gloo-system -x 0"
    )
    assert f"exact /one, GET, x=1, ?y=2 -> {V1}/findPets" in made.out
    assert "--index is not needed" in made.err


def test_the_listings_of_the_article(zoo: Cli) -> None:
    listed = zoo("get upstreams")
    assert V1 in listed.out
    assert V2 in listed.out
    shown = zoo(f"get upstream {V1} --output yaml")
    assert f"name: {V1}\n" in shown.out
    assert "discovery: discovered" in shown.out


def test_remove_route_by_its_place(zoo: Cli) -> None:
    names = [item["name"] for item in zoo("get routes -o json").json]
    assert zoo("remove route --name coalmine --index 1").out == f"route {names[1]} removed\n"
    assert list(routes(zoo)) == [names[0]]
    refused = zoo("remove route --name coalmine --index 5", code=1)
    assert "coalmine has 1 routes, none at index 5" in refused.err
