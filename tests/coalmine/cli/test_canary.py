"""``canary``: start, shift, promote, abort, status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coalmine.model import Parameter
from tests.admin_api.support import V1, V2, make_function
from tests.admin_api.test_config import GLOO
from tests.coalmine.cli.conftest import Cli


def destinations(cli: Cli) -> list[tuple[str, int]]:
    found: dict[str, Any] = cli("get route find-pets -o json").json
    return [(item["upstream"], item["weight"]) for item in found["destinations"]]


def test_from_a_header_to_a_share_to_everybody(zoo: Cli) -> None:
    started = zoo(f"canary start coalmine/findPets --to {V2} --header x-canary=true")
    assert started.out == (
        f"canary started: {V2}/findPets gets 0% of the requests of find-pets, and all with x-canary=true\n"
    )
    assert started.err.splitlines() == [
        f"route find-pets-canary is new: {V2}/findPets 100%, for x-canary=true",
        "try: curl -H 'x-canary: true' http://127.0.0.1:8080/findPets",
    ]
    assert "find-pets-canary" in zoo("get routes").out
    shifted = zoo("canary shift coalmine/findPets 10")
    assert f"{V2}/findPets gets 10%" in shifted.out
    assert shifted.err.splitlines() == [
        f"route find-pets: {V1}/findPets 90%, {V2}/findPets 10%",
        "try: curl -H 'x-canary: true' http://127.0.0.1:8080/findPets",
        "try: curl http://127.0.0.1:8080/findPets",
    ]
    assert destinations(zoo) == [(V1, 90), (V2, 10)]
    told = zoo("canary status")
    assert told.lines[1].split()[:6] == ["coalmine/find-pets", "10%", "and", "x-canary=true", f"{V1}/findPets", "(old)"]
    assert told.lines[2].split()[:4] == [f"{V2}/findPets", "(new)", "10%", "0"]
    assert told.lines[3] == f"{V2}/findPets instead of {V1}/findPets: no difference"
    promoted = zoo("canary promote coalmine/findPets")
    assert promoted.out == f"{V2}/findPets gets all requests of find-pets\n"
    assert promoted.err.splitlines() == [
        f"route find-pets: {V2}/findPets 100%",
        "route find-pets-canary is gone",
        "try: curl http://127.0.0.1:8080/findPets",
    ]
    assert destinations(zoo) == [(V2, 1)]
    assert zoo("canary status -o json").json == []


def test_a_route_with_a_canary_is_not_deleted_by_the_way(zoo: Cli) -> None:
    zoo(f"canary start find-pets --to {V2} --percent 5")
    refused = zoo("delete route find-pets", code=1).err.splitlines()
    assert refused[0].startswith("error: routes/find-pets is used by canaries/find-pets")
    assert refused[-1].strip() == (
        "first coalmine canary promote find-pets, or coalmine canary abort find-pets; or add --force"
    )
    assert "promote or abort the canary first" in zoo.api.delete("/api/v1/routes/find-pets").json()["hint"]


def test_and_back(zoo: Cli) -> None:
    before = zoo("dump").out
    started = zoo(f"canary start find-pets --to {V2}/findPets --percent 50 --sticky-cookie version")
    assert "50%; sticky by cookie version" in started.err
    (_, old), (_, new) = destinations(zoo)
    assert old == new
    aborted = zoo("canary abort find-pets")
    assert aborted.out == "find-pets is as it was before the canary\n"
    assert aborted.err.startswith(f"route find-pets: {V1}/findPets 100%\n")
    assert zoo("dump").out == before


def test_a_change_by_hand_is_not_overwritten_without_force(zoo: Cli) -> None:
    zoo(f"canary start find-pets --to {V2} --percent 10")
    zoo("edit route find-pets --timeout 3")
    assert "was changed" in zoo("canary status find-pets").out
    assert "--force" in zoo("canary shift find-pets 20", code=1).err
    zoo("canary shift find-pets 20 --force --sticky-header x-user")
    zoo("canary abort find-pets --force")


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (f"canary start nothing --to {V2}", 1, "[not_found]"),
        ("canary start find-pets --to nobody", 1, "nobody"),
        ("canary shift find-pets 101", 2, "less than or equal to 100"),
        ("canary promote find-pets", 1, "no canary is under way"),
        (f"canary start find-pets --to {V2} --sticky-cookie a --sticky-header b", 2, "give one of"),
    ],
)
def test_steps_that_cannot_be_taken(zoo: Cli, line: str, code: int, said: str) -> None:
    assert said in zoo(line, code=code).err


def test_a_dry_run_changes_nothing(zoo: Cli) -> None:
    before = zoo("dump").out
    tried = zoo(f"canary start find-pets --to {V2} --percent 10 --dry-run")
    assert "(dry run: nothing was changed)" in tried.out
    assert "~ routes/find-pets" in tried.err
    assert zoo("dump").out == before
    zoo(f"canary start find-pets --to {V2} --percent 10")
    assert "dry run" in zoo("canary promote find-pets --dry-run").out
    assert len(zoo("canary status -o json").json) == 1


def test_watching_looks_again_until_somebody_stops_it(zoo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("coalmine.cli.canary.time.sleep", sleep)
    told = zoo("canary status -w --interval 0.5", code=130)
    assert looks == [0.5, 0.5]
    assert told.out.count("VERSION") == 2


def test_a_terminal_is_drawn_anew(zoo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("coalmine.cli.canary.time.sleep", stop)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert zoo("canary status -w", code=130).out.startswith("\x1b[H\x1b[2J")


def break_version_2(zoo: Cli, name: str = "findPets", path: str = "/api/pets", **more: Any) -> None:
    limit = Parameter(name="limit", place="query", required=True, schema_={"type": "integer"})
    zoo.api.discover(V2, make_function(V2, name, path, **{"parameters": (limit,)} | more))


def test_what_breaks_callers_is_refused_until_somebody_accepts_it(zoo: Cli) -> None:
    break_version_2(zoo)
    start = f"canary start find-pets --to {V2} --percent 10"
    refused = zoo(start, code=1).err
    assert "[breaking_change]" in refused
    assert "/parameters/query/limit" in refused
    assert "[new-required-request-parameter]" in refused
    assert "--accept-breaking" in refused
    told = zoo(f"{start} --accept-breaking").err
    assert f"{V2}/findPets instead of {V1}/findPets: 1 breaking" in told
    assert "breaking  /parameters/query/limit" in told
    assert "breaking  /parameters/query/limit" in zoo("canary status").out
    zoo("canary shift find-pets 20", code=1)
    zoo("canary shift find-pets 20 --accept-breaking")
    zoo("canary promote find-pets", code=1)
    assert zoo("canary promote find-pets --accept-breaking").err.splitlines()[-1] == (
        "try: curl 'http://127.0.0.1:8080/findPets?limit=1'"
    )


def test_what_stands_many_times_is_hinted_at_once(zoo: Cli) -> None:
    names = ("limit", "offset")
    break_version_2(zoo, parameters=tuple(Parameter(name=name, place="query", required=True) for name in names))
    refused = zoo(f"canary start find-pets --to {V2}", code=1).err
    assert (refused.count("new-required"), refused.count("--accept-breaking")) == (2, 1)


def test_files_that_replace_the_routes_of_a_canary_say_so(zoo: Cli, tmp_path: Path) -> None:
    zoo(f"canary start find-pets --to {V2} --percent 10")
    manifest = tmp_path / "plain.yaml"
    manifest.write_text(GLOO.replace("FUNCTION", "findPets"))
    assert "canary on route find-pets would end" in zoo(f"apply -f {manifest} --dry-run").err
    assert "canary on route find-pets is over" in zoo(f"apply -f {manifest}").err
    zoo(f"canary start coalmine/findPets --to {V2} --percent 10")


def test_json_has_all_and_no_remarks(zoo: Cli) -> None:
    started = zoo(f"canary start find-pets --to {V2} --header x-canary=true -o json")
    assert started.err == ""
    assert started.json["step"]["changes"][0]["object"] == "routes/find-pets-canary"
    (item,) = zoo("canary status -o json").json
    assert item["status"]["state"] == "testers"
    assert [one["role"] for one in item["status"]["versions"]] == ["old", "new"]
    assert "baseline" not in item


def test_a_canary_that_nobody_gets_says_so(zoo: Cli) -> None:
    told = zoo(f"canary start coalmine/findPets --to {V2}").err
    command = "coalmine canary shift coalmine/find-pets 10"
    assert f"note: nobody gets the new version yet; a tenth of the requests: {command}" in told
    assert f"{V2}/findPets gets 10%" in zoo(command.removeprefix("coalmine ")).out
