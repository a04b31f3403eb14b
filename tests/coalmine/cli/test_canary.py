"""``canary``: start, shift, promote, abort, status."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, V2
from tests.coalmine.cli.conftest import Cli


def destinations(cli: Cli) -> list[tuple[str, int]]:
    found: dict[str, Any] = cli("get route find-pets -o json").json
    return [(item["upstream"], item["weight"]) for item in found["destinations"]]


def test_from_a_header_to_a_share_to_everybody(zoo: Cli) -> None:
    started = zoo(f"canary start coalmine/findPets --to {V2} --header x-canary=true")
    assert started.out == (
        f"canary started: {V2}/findPets gets 0% of the requests of find-pets, and all with x-canary=true\n"
    )
    assert "find-pets-canary" in zoo("get routes").out
    assert f"{V2}/findPets gets 10%" in zoo("canary shift coalmine/findPets 10").out
    assert destinations(zoo) == [(V1, 90), (V2, 10)]
    told = zoo("canary status")
    assert f"{V1}/findPets 90%" in told.out
    assert "x-canary=true" in told.out
    promoted = zoo("canary promote coalmine/findPets")
    assert promoted.out == f"{V2}/findPets gets all requests of find-pets\n"
    assert "- routes/find-pets-canary" in promoted.err
    assert destinations(zoo) == [(V2, 1)]
    assert zoo("canary status -o json").json == []


def test_and_back(zoo: Cli) -> None:
    before = zoo("dump").out
    zoo(f"canary start find-pets --to {V2}/findPets --percent 50 --sticky-cookie version")
    (_, old), (_, new) = destinations(zoo)
    assert old == new
    assert zoo("canary abort find-pets").out == "find-pets is as it was before the canary\n"
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
    assert told.out.count("NEW VERSION") == 2
