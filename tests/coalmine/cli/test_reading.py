"""``get`` and ``describe``: tables, JSON, YAML and the curl line that says the same."""

from __future__ import annotations

import pytest
import yaml

from coalmine.model import RequestBody
from tests.admin_api.support import V1, V2, make_function
from tests.coalmine.cli.conftest import Cli


@pytest.mark.parametrize(
    ("words", "header"),
    [
        (("upstreams", "upstream", "us", "u"), "UPSTREAM"),
        (("functions", "function", "fn"), "UPSTREAM"),
        (("virtualservices", "virtualservice", "vs"), "VIRTUAL SERVICE"),
        (("routes", "route", "r"), "VIRTUAL SERVICE"),
        (("problems",), "SEVERITY"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_kind_is_listed_by_all_its_names(zoo: Cli, words: tuple[str, ...], header: str) -> None:
    tables = [zoo(f"get {word}").out for word in words]
    assert len(set(tables)) == 1
    assert tables[0].startswith(header)


def test_a_table_into_a_pipe_is_never_cut(zoo: Cli) -> None:
    zoo(["add", "route", "--name", "coalmine", "-p", "/" + "long" * 60, "-u", V1])
    assert "long" * 60 in zoo("get routes").out


def test_a_table_on_a_narrow_terminal_is_never_folded(zoo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = zoo("get routes").lines
    assert any("prefix /findPets" in line and f"{V1}/findPets" in line for line in lines)


@pytest.mark.parametrize("kind", ["upstream", "virtualservice", "route", "function"])
def test_one_object_by_name(zoo: Cli, kind: str) -> None:
    name = {"upstream": V1, "virtualservice": "coalmine", "route": "find-pets", "function": f"{V1}/findPets"}[kind]
    assert zoo(f"get {kind} {name} -o json").json["name"] == name.rpartition("/")[2]
    assert yaml.safe_load(zoo(f"get {kind} {name} -o yaml").out)["name"] == name.rpartition("/")[2]
    assert name.rpartition("/")[2] in zoo(f"describe {kind} {name}").out


def test_functions_are_filtered(cli: Cli) -> None:
    found = cli(f"get functions --upstream {V2} --query byid -o json").json
    assert [item["name"] for item in found] == ["findPetById"]
    assert [item["name"] for item in cli(f"get functions -u {V1} --state removed -o json").json] == ["deletePet"]
    assert "removed" in cli(f"get functions -u {V1} --state removed").out


def test_routes_are_filtered(zoo: Cli) -> None:
    assert [item["name"] for item in zoo("get routes --function findPets -o json").json] == ["find-pets"]


def test_an_upstream_tells_its_probe_and_its_functions(cli: Cli) -> None:
    told = cli(f"describe upstream {V1}").out
    assert "last probe: discovered" in told
    assert "4 functions" in told
    everything = cli(f"describe upstream {V1} -o json").json
    assert everything["report"]["state"] == "discovered"
    assert len(everything["functions"]) == 4


def test_a_function_tells_how_it_is_called_and_by_whom(zoo: Cli) -> None:
    told = zoo(f"describe function {V1}/findPets").out
    assert f"{V1}/findPets: GET /api/pets" in told
    assert "tags" in told
    assert "find-pets" in told
    assert "no route calls it yet" in zoo(f"describe function {V2}/findPets").out
    assert zoo(f"describe function {V1}/findPets -o json").json["routes"] == ["find-pets"]


def test_a_virtual_service_tells_its_routes_in_order(zoo: Cli) -> None:
    told = zoo("describe vs coalmine")
    assert told.out.index("find-pets") > 0
    assert [item["name"] for item in zoo("describe vs coalmine -o yaml -o json").json["routes"]] == [
        item["name"] for item in zoo("get routes -o json").json
    ]


def test_a_name_of_two_upstreams_must_be_said_in_full(cli: Cli) -> None:
    assert f"say which: {V1}/findPets, {V2}/findPets" in cli("get function findPets", code=1).err
    assert "did you mean findPets?" in cli("get function findPet", code=1).err
    assert "coalmine get functions lists all" in cli("get function zzz", code=1).err


CURLS = {
    "get upstreams": "curl -sS 'http://HERE/api/v1/upstreams?limit=1000'",
    f"get upstream {V1}": f"curl -sS http://HERE/api/v1/upstreams/{V1}",
    "get routes --vs coalmine": "curl -sS 'http://HERE/api/v1/routes?virtual_service=coalmine&limit=1000'",
    "dump": "curl -sS http://HERE/api/v1/config",
    f"discover {V1}": None,
    "delete upstream x --force": "curl -sS -X DELETE 'http://HERE/api/v1/upstreams/x?force=true'",
    "create vs --name a --domains b,c": (
        "curl -sS -X POST http://HERE/api/v1/virtual-services -H 'content-type: application/json' "
        """--data-binary '{"name": "a", "domains": ["b", "c"]}'"""
    ),
    "explain GET /x?y=1": (
        "curl -sS -X POST http://HERE/api/v1/match -H 'content-type: application/json' --data-binary "
        """'{"method": "GET", "path": "/x?y=1", "headers": [], "host": "localhost", "source": "127.0.0.1"}'"""
    ),
}


@pytest.mark.parametrize(("line", "curl"), CURLS.items(), ids=CURLS)
def test_the_rest_call_is_printed_instead_of_made(cli: Cli, line: str, curl: str | None) -> None:
    before = cli("dump").out
    printed = cli(line, "-o", "curl").out.replace(f"127.0.0.1:{cli.api.port}", "HERE")
    assert printed.strip() == (curl or f"curl -sS -X POST http://HERE/api/v1/upstreams/{V1}/probe")
    assert cli("dump").out == before


def test_a_token_is_named_in_the_curl_line_but_never_shown(cli: Cli) -> None:
    printed = cli("get upstreams -o curl --admin-token s3cret").out
    assert "s3cret" not in printed
    assert '"authorization: Bearer $COALMINE_ADMIN_TOKEN"' in printed


def test_a_function_with_a_body_tells_its_types(cli: Cli) -> None:
    body = RequestBody(required=True, content_types=("application/json", "text/plain"))
    cli.api.discover(V1, make_function(V1, "feed", "/feed", "POST", request_body=body, description="two\nlines"))
    told = cli(f"describe function {V1}/feed").out
    assert "body: application/json, text/plain (required)" in told
    assert "two\nlines" in told


def test_a_virtual_service_without_routes(cli: Cli) -> None:
    cli("create vs --name empty")
    assert "it has no routes yet" in cli("describe vs empty").out


def test_an_upstream_without_functions(cli: Cli) -> None:
    cli("create upstream static --name new --static-hosts h:1")
    told = cli("describe upstream new").out
    assert "last probe: pending" in told
    assert "0 functions" in told


def test_what_is_wrong_with_a_route_is_told(zoo: Cli) -> None:
    zoo(f"delete upstream {V1} --force")
    assert "error: the upstream" in zoo("describe route find-pets").out
    assert "upstream_missing" in zoo("get route find-pets").out
    assert zoo("describe route find-pets -o json").json["status"]["state"] == "rejected"


def test_a_list_of_several_pages_is_read_to_its_end(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coalmine.cli.shell._PAGE", "1")
    assert [item["name"] for item in cli("get upstreams -o json").json] == [V1, V2]
