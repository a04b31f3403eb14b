"""``edit upstream`` and ``edit virtualservice``: what is named changes, the rest stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.admin_api.support import V1
from tests.coalmine.cli.conftest import Cli
from tests.support.certificates import Authority

BEFORE: dict[str, Any] = {"endpoints": ["http://a:1", "http://b:2"], "labels": {"x": "1", "y": "2"}}


@pytest.fixture
def dogs(cli: Cli) -> Cli:
    cli(
        "create upstream static --name dogs --static-hosts a:1,b:2 --label x=1 --label y=2 "
        "--document-url /docs.json --interval 5"
    )
    return cli


def upstream(cli: Cli) -> dict[str, Any]:
    found: dict[str, Any] = cli("get upstream dogs -o json").json
    return found


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "another host": ("--add-host c:3", {"endpoints": ["http://a:1", "http://b:2", "http://c:3"]}),
    "one host less": ("--remove-host a:1", {"endpoints": ["http://b:2"]}),
    "one host for another": ("--remove-host a:1 --add-host c:3", {"endpoints": ["http://b:2", "http://c:3"]}),
    "other hosts": ("--static-hosts c:3,d:4", {"endpoints": ["http://c:3", "http://d:4"]}),
    "https for all": ("--tls --add-host c:3", {"endpoints": ["https://a:1", "https://b:2", "https://c:3"]}),
    "a label more": ("--label z=3", {"labels": {"x": "1", "y": "2", "z": "3"}}),
    "a label changed and one less": ("--label x=9 --remove-label y", {"labels": {"x": "9"}}),
}


@pytest.mark.parametrize(("flags", "after"), CHANGES.values(), ids=CHANGES)
def test_upstreams(dogs: Cli, flags: str, after: dict[str, Any]) -> None:
    before = upstream(dogs)
    assert {key: before[key] for key in BEFORE} == BEFORE
    assert dogs(f"edit upstream dogs {flags}").out == "upstream dogs changed\n"
    assert upstream(dogs) | {"status": None} == before | after | {"status": None}


DISCOVERY: dict[str, tuple[list[str], dict[str, Any]]] = {
    "off": (["--no-discovery"], {"enabled": False}),
    "another place": (["--document-url", "/x.json"], {"document_url": "/x.json"}),
    "well-known places": (["--document-url", ""], {"document_url": None}),
    "less often": (["--interval", "60"], {"interval_seconds": 60.0}),
}


@pytest.mark.parametrize(("flags", "after"), DISCOVERY.values(), ids=DISCOVERY)
def test_discovery(dogs: Cli, flags: list[str], after: dict[str, Any]) -> None:
    before = upstream(dogs)["discovery"]
    dogs(["edit", "us", "dogs", *flags])
    found = upstream(dogs)["discovery"]
    wanted = {key: value for key, value in (before | after).items() if value is not None}
    assert {key: value for key, value in found.items() if value is not None} == wanted


def test_discovery_is_turned_on_again(dogs: Cli) -> None:
    dogs("edit upstream dogs --no-discovery")
    dogs("edit upstream dogs --discovery")
    assert upstream(dogs)["discovery"]["enabled"] is True


SERVICES: dict[str, tuple[str, list[str]]] = {
    "another domain": ("--add-domain c.test", ["a.test", "b.test", "c.test"]),
    "one domain less": ("--remove-domain a.test", ["b.test"]),
    "other domains": ("--domains x.test,y.test", ["x.test", "y.test"]),
}


@pytest.mark.parametrize(("flags", "domains"), SERVICES.values(), ids=SERVICES)
def test_virtual_services(cli: Cli, flags: str, domains: list[str]) -> None:
    cli("create vs --name zoo --domains a.test,b.test")
    assert cli(f"edit vs zoo {flags}").out == "virtual service zoo changed\n"
    assert cli("get vs zoo -o json").json["domains"] == domains


REFUSED: dict[str, tuple[str, int, str]] = {
    "nothing to change": ("edit upstream dogs", 2, "say what to change"),
    "a host that is not there": ("edit upstream dogs --remove-host c:3", 2, "there is no http://c:3, only"),
    "a label that is not there": ("edit upstream dogs --remove-label z", 2, "there is no z, only x, y"),
    "the last host": ("edit upstream dogs --remove-host a:1,b:2", 1, "at least one is needed"),
    "an upstream that is not there": ("edit upstream cats --add-host c:3", 1, "[not_found]"),
    "a host that is none": ("edit upstream dogs --add-host a:1/x", 1, "has a path"),
}


@pytest.mark.parametrize(("line", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said_and_changes_nothing(dogs: Cli, line: str, code: int, said: str) -> None:
    before = upstream(dogs)
    assert said in " ".join(dogs(line, code=code).err.split())
    assert upstream(dogs) == before


def test_a_dry_run_and_the_rest_call(dogs: Cli) -> None:
    before = upstream(dogs)
    told = dogs("edit upstream dogs --add-host c:3 --dry-run")
    assert "(dry run: nothing was changed)" in told.out
    assert "~ upstreams/dogs" in told.err
    assert "-X PUT" in dogs("edit upstream dogs --add-host c:3 -o curl").out
    assert upstream(dogs) == before


def test_functions_that_are_known_stay(cli: Cli) -> None:
    cli(f"edit upstream {V1} --label app=petstore")
    assert len(cli(f"get functions -u {V1} -o json").json) == 4


def test_trust_of_an_upstream(cli: Cli, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("gateway@x.test", name="client")
    cli(
        f"create upstream static --name cats --static-hosts a:1 --ca-file {authority.ca_file} --server-name cats.test "
        f"--client-certificate {client.certificate} --client-key {client.key}"
    )
    made = cli("get upstream cats -o json").json
    assert (made["endpoints"], made["tls"]) == (
        ["https://a:1"],
        {
            "ca_file": authority.ca_file,
            "server_name": "cats.test",
            "client_certificate_file": client.certificate,
            "client_key_file": client.key,
            "verify": True,
        },
    )
    cli(["edit", "upstream", "cats", "--ca-file", "", "--client-certificate", "", "--client-key", "", "--no-verify"])
    assert cli("get upstream cats -o json").json["tls"] == {"server_name": "cats.test", "verify": False}
    assert "upstream_unverified" in cli("describe upstream cats").out
    cli(["edit", "upstream", "cats", "--server-name", "", "--verify"])
    assert "tls" not in cli("get upstream cats -o json").json
