"""Part 2: a header picks version 2 of one function; then version 2 is for everybody."""

from __future__ import annotations

import pytest

from tests.journeys.story import DOG, THREE_PETS, TWO_PETS, V2, manifest
from tests.support.processes import Coalmine

ADD_CANARY = (
    *("add", "route", "--name", "coalmine", "--path-prefix", "/findPets"),
    *("--dest-name", V2, "--rest-function-name", "findPets", "--header", "x-canary=true"),
)
START_CANARY = ("canary", "start", "coalmine/findPets", "--to", V2, "--header", "x-canary=true")


@pytest.fixture
def plain(coalmine: Coalmine) -> Coalmine:
    """Where part 1 ended, whatever the test before has left under way."""
    for canary in coalmine.api("canaries").json["items"]:
        assert coalmine.api(f"canaries/{canary['name']}/abort?force=true", method="POST").status == 200
    coalmine.apply(manifest("plain"))
    assert coalmine.get("/findPets", x_canary="true").body == TWO_PETS
    return coalmine


def assert_canary(coalmine: Coalmine) -> None:
    assert coalmine.get("/findPets", x_canary="true").body == THREE_PETS
    assert coalmine.get("/findPets", x_canary="false").body == TWO_PETS
    assert coalmine.get("/findPets").body == TWO_PETS


def assert_promoted(coalmine: Coalmine) -> None:
    assert coalmine.get("/findPets").body == THREE_PETS
    assert coalmine.get("/findPets", x_canary="true").body == THREE_PETS
    assert coalmine.get("/findPets", x_canary="false").body == THREE_PETS
    # Only this function: everything else is still version 1.
    assert coalmine.get("/petstore").body == TWO_PETS
    assert coalmine.get("/findPetWithId/1").body == DOG


@pytest.mark.parametrize("command", [ADD_CANARY, START_CANARY], ids=["add route", "canary start"])
def test_one_command_after_the_plain_route_makes_the_canary(plain: Coalmine, command: tuple[str, ...]) -> None:
    plain.cli(*command)
    assert_canary(plain)


def test_the_whole_virtual_service_as_one_manifest_means_the_same(plain: Coalmine) -> None:
    plain.apply(manifest("header-canary"))
    assert_canary(plain)


def test_one_apply_promotes_version_2(plain: Coalmine) -> None:
    plain.cli(*ADD_CANARY)
    plain.cli("apply", "-f", str(manifest("promoted")))
    assert_promoted(plain)


def test_one_promote_promotes_version_2(plain: Coalmine) -> None:
    plain.cli(*START_CANARY)
    plain.cli("canary", "promote", "coalmine/findPets")
    assert_promoted(plain)


def test_one_abort_takes_everything_back(plain: Coalmine) -> None:
    plain.cli(*START_CANARY)
    plain.cli("canary", "abort", "coalmine/findPets")
    assert plain.get("/findPets", x_canary="true").body == TWO_PETS
    assert plain.get("/findPets").body == TWO_PETS
