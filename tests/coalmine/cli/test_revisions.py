"""``get revisions``, ``describe revision``, ``diff A B``, ``rollback``."""

from __future__ import annotations

import getpass
import socket
from typing import Any

import pytest

from coalmine.cli import client
from tests.admin_api.support import V1, V2
from tests.coalmine.cli.conftest import Cli


def last(cli: Cli) -> int:
    found: dict[str, Any] = cli("get revisions -o json").json[0]
    return int(found["number"])


def test_a_command_is_a_revision_that_says_who(zoo: Cli) -> None:
    zoo("edit route find-pets --timeout 3")
    number, me = last(zoo), f"cli {getpass.getuser()}@{socket.gethostname()}"
    told = zoo("get revisions").lines
    assert told[0].split() == ["REVISION", "WHEN", "WHO", "WHAT", "ROUTES"]
    assert told[1].startswith(f"{number} ")
    assert me in told[1] and "replace routes/find-pets" in told[1] and told[1].endswith("changed: find-pets")
    described = zoo(f"describe revision {number}").lines
    assert described[0] == f"revision {number}: replace routes/find-pets"
    assert described[1].startswith(f"  by {me} at 20")
    assert described[2:] == [
        "  changed: find-pets",
        "~ routes/find-pets",
        "    /timeout_seconds: (absent) -> 3.0",
    ]
    assert zoo(f"get revision {number} -o json").json["number"] == number
    assert zoo(f"describe revision {number} -o json").json["actor"] == me


def test_lists_are_narrowed_by_object_and_actor(zoo: Cli) -> None:
    before = last(zoo)
    zoo("edit route find-pets --timeout 3")
    zoo("edit route petstore --timeout 3")
    newer = [item for item in zoo("get revisions --object routes/petstore -o json").json if item["number"] > before]
    assert [item["summary"] for item in newer] == ["replace routes/petstore"]
    assert {item["actor"] for item in zoo("get rev --actor catalog -o json").json} == {"catalog"}
    assert "actor=cli" in zoo("get revisions --actor cli -o curl").out


@pytest.mark.parametrize("command", ["diff", "revision diff"])
def test_the_difference_of_two_revisions(zoo: Cli, command: str) -> None:
    before = last(zoo)
    zoo("edit route find-pets --timeout 3")
    zoo("remove route petstore")
    after = last(zoo)
    assert zoo(f"{command} {before} {after}", code=2).lines == [
        "~ routes/find-pets",
        "    /timeout_seconds: (absent) -> 3.0",
        "- routes/petstore",
    ]
    assert zoo(f"{command} {after} {before} -o json", code=2).json["changes"][0]["action"] == "change"
    assert zoo(f"{command} {after} {after}").out == ""
    assert f"/revisions/{before}/diff/{after}" in zoo(f"{command} {before} {after} -o curl").out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("diff 1", 2, "give two revisions"),
        ("diff 1 2 -f x.yaml", 2, "or files with -f"),
        ("diff", 2, "say with which files to compare, or give two revisions"),
        ("diff 1 999999", 1, "there is no revision 999999"),
        ("diff 1 x.yaml", 2, "a valid integer"),
        ("rollback 999999", 1, "[not_found]"),
        ("rollback -- -1", 2, "greater than or equal to 0"),
        ("describe revision 999999", 1, "are kept; the setting --revisions says how many"),
    ],
)
def test_what_cannot_be_compared_or_restored(zoo: Cli, line: str, code: int, said: str) -> None:
    assert said in zoo(line, code=code).err


def test_going_back_and_back_again(zoo: Cli) -> None:
    before, number = zoo("dump").out, last(zoo)
    zoo(f"canary start find-pets --to {V2} --percent 10")
    zoo("remove route petstore")
    tried = zoo(f"rollback {number} --dry-run")
    assert tried.lines[-1] == "1 added, 1 changed, 1 removed (dry run: nothing was changed)"
    assert "- canaries/find-pets" in tried.lines
    done = zoo(f"rollback {number}")
    assert done.lines[-1] == f"everything is as after revision {number}; this is revision {number + 3}"
    assert zoo("dump").out == before
    assert zoo("canary status -o json").json == []
    assert zoo(f"rollback {number}").out == "nothing is different from that\n"
    assert zoo(f"rollback {number + 2} -o json").json["restored"] == number + 2
    assert len(zoo("canary status -o json").json) == 1
    assert f"-X POST http://127.0.0.1:{zoo.api.port}/api/v1/revisions/1/rollback" in zoo("rollback 1 -o curl").out


def test_what_does_not_work_any_more_is_told(zoo: Cli) -> None:
    number = last(zoo)
    zoo("remove route find-pets")
    zoo(f"delete upstream {V1} --force")
    told = zoo(f"rollback {number}")
    assert "routes/find-pets: " in told.err and "[function_unknown]" in told.err


def test_a_list_of_many_routes_is_cut_in_a_table_and_whole_in_a_description(zoo: Cli) -> None:
    routes = ",".join(f"{{name: r{n}, virtual_service: coalmine, direct_response: {{}}}}" for n in range(7))
    zoo.api.http.post(
        "/api/v1/config/apply", content=f"routes: [{routes}]", headers={"content-type": "application/yaml"}
    )
    assert "added: r0, r1, r2, r3, r4 and 2 more" in zoo("get revisions").out
    assert "added: r0, r1, r2, r3, r4, r5, r6" in zoo(f"describe revision {last(zoo)}").out
    whole = zoo("dump -o json").json
    whole["routes"].reverse()
    number = last(zoo)
    zoo.api.put("/api/v1/config", whole)
    assert "routes got another age" in zoo(f"diff {number} {last(zoo)}", code=2).out


def test_a_user_without_a_name_is_a_number(zoo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    client._name_actor.cache_clear()
    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    monkeypatch.setattr("socket.gethostname", lambda: "büro")
    zoo("edit route find-pets --timeout 3")
    client._name_actor.cache_clear()
    assert zoo("get revisions -o json").json[0]["actor"] == "cli 12345@b\\xfcro"
