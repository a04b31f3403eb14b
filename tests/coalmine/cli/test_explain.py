"""``explain``: which route takes a request, why the others lose, and what would be sent."""

from __future__ import annotations

import pytest

from coalmine.cli.explain import describe_explanation
from tests.admin_api.support import V1, V2
from tests.coalmine.cli.conftest import Cli


def test_the_winner_the_losers_and_the_call(zoo: Cli) -> None:
    zoo(f"add route --name coalmine -p /findPets -u {V2} -f findPets --header x-canary=true")
    told = zoo(["explain", "GET", "/findPets?limit=1", "-H", "x-canary: true"])
    assert told.lines[:3] == [
        "route find-pets-x-canary-true of virtual service coalmine",
        f"  -> {V2}/findPets",
        "     GET http://127.0.0.1:9002/api/pets?limit=1  (host localhost)",
    ]
    assert "find-pets-x-canary-true  yes" in told.out
    assert "comes after find-pets-x-canary-true" in told.out
    plain = zoo(["explain", "GET", "/findPets", "-H", "x-canary=false"])
    assert plain.lines[0] == "route find-pets of virtual service coalmine"
    assert "it is 'false'" in plain.out


def test_shares_and_headers(zoo: Cli) -> None:
    zoo(f"add route --name coalmine -p /w -u {V1} --weight 3 --dest {V2}=1 --sticky-source --prefix-rewrite /api")
    told = zoo("explain GET /w/x --source 10.0.0.1").out
    assert f"  -> {V1} 75 %" in told
    assert f"  -> {V2} 25 %" in told
    assert "(this request, for certain)" in told
    assert "sticky" in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("explain GET /nowhere", "no route of virtual service coalmine matches"),
        ("explain GET /findPets/1/2", "the gateway answers 404"),
        ("explain GET /../x", "[bad_request]"),
    ],
)
def test_what_the_gateway_answers_itself(zoo: Cli, line: str, said: str) -> None:
    assert said in zoo(line).out


def test_nobody_has_the_host(cli: Cli) -> None:
    assert cli("explain GET / --host nobody.example.com").lines[0] == "no virtual service has this host"


def test_the_whole_answer_as_json(zoo: Cli) -> None:
    assert zoo("explain GET /findPets -o json").json["route"] == "find-pets"


def test_what_is_no_request_is_refused(zoo: Cli) -> None:
    refused = zoo(["explain", "G ET", "/findPets"], code=1)
    assert "/method" in refused.err
    assert "'nonsense' should be 'name: value'" in zoo("explain GET /x -H nonsense", code=2).err
    assert zoo("explain GET x").out.startswith("no route is asked: this is no request\n")


def test_headers_answers_and_bodies_of_one_explanation() -> None:
    request = {
        "method": "GET",
        "url": "http://h/x",
        "host": "h",
        "set_headers": [["a", "1"]],
        "add_headers": [["b", "2"]],
        "remove_headers": ["c"],
    }
    outcome = {"upstream": "u", "function": None, "share": 100, "certain": True}
    reply = {"status": 503, "code": "function_unknown", "detail": "nobody knows"}
    told = {
        "route": "r",
        "virtual_service": "v",
        "destinations": [
            {**outcome, "request": request},
            {**outcome, "reply": reply},
            {**outcome, "needs_body": True},
            outcome,
        ],
        "mirror": request,
    }
    assert list(describe_explanation(told)) == [
        "route r of virtual service v",
        "  -> u",
        "     GET http://h/x  (host h)",
        "       = a: 1",
        "       + b: 2",
        "       - c",
        "  -> u",
        "     the gateway answers 503 nobody knows [function_unknown]",
        "  -> u",
        "     needs the request's body: give it with --body",
        "  -> u",
        "  mirrored: GET http://h/x  (host h)",
    ]
