"""Creating, adding, editing, removing, deleting: what is said, what is refused, what a dry run leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coalmine.model.pin import Pin
from tests.admin_api.support import NOW, V1, V2, petstore_functions
from tests.coalmine.cli.conftest import Cli


def route(cli: Cli, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cli(f"get route {name} -o json").json
    return found


def test_an_upstream_with_everything(cli: Cli) -> None:
    made = cli(
        "create upstream static --name dogs --static-hosts a.example.com:80,b.example.com:81 "
        "--document-url /docs.json --interval 5 --label app=dogs --label x=a=b,c"
    )
    assert made.out == "upstream dogs created\n"
    assert cli("get upstream dogs -o json").json | {"status": None} == {
        "name": "dogs",
        "endpoints": ["http://a.example.com:80", "http://b.example.com:81"],
        "discovery": {"document_url": "/docs.json", "interval_seconds": 5.0},
        "labels": {"app": "dogs", "x": "a=b,c"},
        "status": None,
    }


def test_a_document_in_a_file_is_given_and_taken_back(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "ä pi.yaml"
    file.write_bytes("openapi: 3.0.0\npaths: {/a: {get: {summary: ä}}}\n".encode("utf-16"))
    cli(["create", "upstream", "static", "--name", "given", "--static-hosts", "h:1", "--document", str(file)])
    settings = cli("get upstream given -o json").json["discovery"]
    assert settings["document"] == "openapi: 3.0.0\npaths: {/a: {get: {summary: ä}}}\n"
    cli("edit upstream given --document-url /x.json")
    assert "document" not in cli("get upstream given -o json").json["discovery"]
    cli(["edit", "upstream", "given", "--document", str(file)])
    assert "document_url" not in cli("get upstream given -o json").json["discovery"]
    cli(["edit", "upstream", "given", "--document", ""])
    assert cli("get upstream given -o json").json["discovery"].keys() == {"interval_seconds"}
    missing = cli(["edit", "upstream", "given", "--document", str(tmp_path / "none")], code=1)
    assert "none cannot be read: No such file" in missing.err
    assert "is a directory" in cli(["edit", "upstream", "given", "--document", str(tmp_path)], code=1).err


@pytest.mark.parametrize(
    ("flags", "endpoint"),
    [
        ("--static-hosts h:1", "http://h:1"),
        ("--static-hosts h:443", "https://h:443"),
        ("--static-hosts h:1 --static-outbound-tls", "https://h:1"),
        ("--static-hosts https://h", "https://h"),
    ],
)
def test_hosts_become_origins(cli: Cli, flags: str, endpoint: str) -> None:
    cli(f"create us static --name dogs --no-discovery {flags}")
    found = cli("get upstream dogs -o json").json
    assert (found["endpoints"], found["discovery"]["enabled"]) == ([endpoint], False)


def test_several_destinations_with_their_weights(zoo: Cli) -> None:
    made = zoo(f"add route --name coalmine -p /x -u {V1} -f findPets --weight 90 --dest {V2}=10 --sticky-cookie c")
    assert f"{V1}/findPets 90%, {V2}/findPets 10%" in made.out
    assert route(zoo, "x")["sticky"] == {"cookie": {"name": "c", "ttl_seconds": 86400}}


def test_only_the_weight_is_changed_of_a_destination_that_is_there(zoo: Cli) -> None:
    zoo(
        f"add route --name coalmine --route-name w -p /x -u {V1} -f findPetById --weight 90 --dest {V2}=10 "
        "--rest-parameters :path=/x/{id}"
    )
    zoo(f"edit route w --dest {V1}=50 --dest {V2}=50")
    assert [item["weight"] for item in route(zoo, "w")["destinations"]] == [50, 50]
    assert [item["parameters"] for item in route(zoo, "w")["destinations"]] == [{":path": "/x/{id}"}] * 2


def test_what_is_not_named_stays_as_it_was(zoo: Cli) -> None:
    before = route(zoo, "find-pets")
    zoo("edit route find-pets --timeout 3 --retries 2 --header x=a=b,c --host-rewrite upstream")
    after = route(zoo, "find-pets")
    assert after["timeout_seconds"] == 3
    assert after["retries"]["attempts"] == 2
    assert after["match"]["headers"] == [{"exact": "a=b,c", "invert": False, "name": "x"}]
    assert after["match"]["path"] == before["match"]["path"]
    assert after["destinations"] == before["destinations"]


RATES: dict[str, tuple[str, dict[str, Any]]] = {
    "of all": ("10/1s", {"requests": 10, "per_seconds": 1.0}),
    "in a second": ("5/s", {"requests": 5, "per_seconds": 1.0}),
    "by a header": ("100/0.5s:header=x-key", {"requests": 100, "per_seconds": 0.5, "by": {"header": "x-key"}}),
    "by the address": ("1/60s:source", {"requests": 1, "per_seconds": 60.0, "by": {"source_address": True}}),
}


@pytest.mark.parametrize(("text", "limit"), RATES.values(), ids=RATES)
def test_a_rate_limit_in_one_word(zoo: Cli, text: str, limit: dict[str, Any]) -> None:
    zoo(f"edit route find-pets --rate-limit {text}")
    assert route(zoo, "find-pets")["rate_limit"] == limit


def test_a_route_that_checks_calls_and_does_not_any_more(zoo: Cli) -> None:
    zoo(f"add route --name coalmine --route-name v -p /v -u {V1} -f findPets --validate")
    assert route(zoo, "v")["validate"] is True
    zoo("edit route v --timeout 3")
    assert route(zoo, "v")["validate"] is True
    zoo("edit route v --no-validate")
    assert route(zoo, "v")["validate"] is False


def test_an_edit_without_a_change_takes_a_function_that_changed(zoo: Cli) -> None:
    old = petstore_functions(V1)[0].model_copy(update={"path": "/old"})
    pin = Pin(route="find-pets", upstream=V1, function="findPets", definition=old, reasons=("it broke",), since=NOW)
    with zoo.api.catalog.write() as writer:
        writer.put_pins(V1, [pin])
    zoo.api.feed.publish()
    assert "function_changed" in zoo("describe route find-pets").out
    zoo("edit route find-pets")
    assert "function_changed" not in zoo("describe route find-pets").out


def test_an_edit_guards_against_somebody_elses(zoo: Cli) -> None:
    printed = zoo("edit route find-pets --priority 5 -o curl").out
    assert "-X PUT" in printed
    assert "if-match" in printed


USAGE = {
    "no path": ("add route --name coalmine -u x", "say which path"),
    "two paths": ("add route -p /a -e /b -u x", "give one path"),
    "no destination": ("add route -p /a", "say where to send its requests"),
    "a function of nobody": ("add route -p /a -f x", "say which upstream"),
    "no equals sign": ("add route -p /a -u x --header-regex y", "should be name=value"),
    "no number": ("add route -p /a --dest x=y", "is not a whole number"),
    "a rate that is none": ("add route -p /a -u x --rate-limit 10", "should be like 10/1s"),
    "a rate by what is none": ("add route -p /a -u x --rate-limit 10/1s:cookie=a", "should be like 10/1s"),
    "two kinds of stickiness": ("add route -p /a -u x --sticky-cookie a --sticky-header b", "give one of"),
    "braces that do not close": ("add route -p /a -u x -f f --rest-parameters :path=/a/{b", "do not close"),
    "a parameter twice": ("add route -p /a -u x -f f --rest-parameters a=1 --rest-parameters a=2", "stands twice"),
    "nothing to edit": ("edit route find-pets", "say what to change"),
    "no route to remove": ("remove route", "say which route"),
    "an unknown flag": ("add route --path-prefx /a", "--path-prefx"),
    "an unknown command": ("get upstreems", "upstreems"),
}


@pytest.mark.parametrize(("line", "said"), USAGE.values(), ids=USAGE)
def test_a_mistake_in_the_command_is_exit_code_2(zoo: Cli, line: str, said: str) -> None:
    refused = zoo(line, code=2)
    assert said in " ".join(refused.err.replace("│", " ").split())
    assert refused.out == ""


def test_a_refusal_tells_where_what_and_how_to_mend_it(zoo: Cli) -> None:
    refused = zoo(f"add route --name coalmine -p /x -u {V1} -f findPet", code=1)
    assert refused.err.splitlines() == [
        f"error: /destinations/0/function: no function findPet on {V1}  [invalid_definition]",
        "  did you mean findPets?",
    ]
    assert refused.out == ""


def test_hints_of_flags_speak_of_flags(zoo: Cli) -> None:
    refused = zoo(f"add route -p /x -u {V1}", code=1)
    assert refused.err.splitlines()[-1] == "  say --name coalmine"


def test_deleting_what_is_in_use_needs_force(zoo: Cli) -> None:
    refused = zoo(f"delete upstream {V1}", code=1)
    assert "used by routes/find-pets, routes/petstore" in refused.err
    assert "add --force" in refused.err
    assert zoo(f"delete upstream {V1} --force").out == f"upstream {V1} deleted\n"
    assert {item["code"] for item in zoo("get problems -o json").json} == {"upstream_missing"}


def test_a_dry_run_shows_what_would_be_and_changes_nothing(zoo: Cli) -> None:
    before = zoo("dump").out
    tried = zoo(f"edit route find-pets --dest-name {V2} --rest-function-name findPets --dry-run")
    assert "(dry run: nothing was changed)" in tried.out
    assert "~ routes/find-pets" in tried.err
    assert f'/destinations/0/upstream: "{V1}" -> "{V2}"' in tried.err
    zoo("remove route find-pets --dry-run")
    zoo("delete vs coalmine --force --dry-run")
    zoo("create vs --name other --domains other.example.com --dry-run")
    assert zoo("dump").out == before


def test_a_route_that_can_never_match_is_warned_about(zoo: Cli) -> None:
    made = zoo(f"add route --name coalmine --route-name late -p /findPets -u {V2}")
    assert "warning: the route can never match" in made.err
    assert "never matches: find-pets takes all its requests" in zoo("get routes").out


def test_removing_a_route_by_its_name(zoo: Cli) -> None:
    zoo("remove route find-pets")
    assert "[not_found]" in zoo("get route find-pets", code=1).err
    assert zoo("delete route petstore").out == "route petstore deleted\n"
    assert zoo("get routes -o json").json == []
