"""Part 3: weights share the requests out between two versions of one function."""

from __future__ import annotations

import http.client
from contextlib import closing

import pytest

from tests.journeys.story import DOG, DOG_V2, NO_PET_3, PARROT, THREE_PETS, V1, V2, manifest
from tests.support.processes import Coalmine

REQUESTS = 1000
# Five standard deviations: a right implementation fails once in two million runs.
SIGMAS = 5


def count_version_2(coalmine: Coalmine, requests: int = REQUESTS) -> int:
    """How many of the requests for /findPetWithId/1 version 2 answers; over one connection, to be quick."""
    answers = []
    with closing(http.client.HTTPConnection(coalmine.proxy.removeprefix("http://"), timeout=10)) as connection:
        for _ in range(requests):
            connection.request("GET", "/findPetWithId/1")
            answers.append(connection.getresponse().read())
    assert set(answers) <= {DOG, DOG_V2}
    return answers.count(DOG_V2)


def assert_share(coalmine: Coalmine, share: float) -> None:
    tolerance = SIGMAS * (REQUESTS * share * (1 - share)) ** 0.5
    assert abs(count_version_2(coalmine) - REQUESTS * share) <= tolerance


@pytest.mark.parametrize(
    ("name", "share"), [("weighted-10-90", 0.1), ("weighted-50-50", 0.5)], ids=["10 and 90", "50 and 50"]
)
def test_shares_are_as_the_weights_say(coalmine: Coalmine, name: str, share: float) -> None:
    coalmine.cli("apply", "-f", str(manifest(name)))
    assert coalmine.get("/findPets").body == THREE_PETS
    assert_share(coalmine, share)


def test_each_destination_calls_its_own_function(coalmine: Coalmine) -> None:
    """Pet 3 lives in version 2 only, so what a client gets tells which function was called."""
    coalmine.apply(manifest("weighted-50-50"))
    answers = {(answer.status, answer.body) for answer in (coalmine.get("/findPetWithId/3") for _ in range(60))}
    assert answers == {(404, NO_PET_3), (200, PARROT)}


def test_a_canary_is_shifted_step_by_step(coalmine: Coalmine) -> None:
    coalmine.apply(manifest("plain"))
    coalmine.cli("canary", "start", "coalmine/findPetWithId", "--to", V2, "--percent", "10")
    assert_share(coalmine, 0.1)
    coalmine.cli("canary", "shift", "coalmine/findPetWithId", "50")
    assert_share(coalmine, 0.5)
    coalmine.cli("canary", "promote", "coalmine/findPetWithId")
    assert count_version_2(coalmine, 50) == 50


def test_all_weight_on_the_old_version_rolls_back(coalmine: Coalmine) -> None:
    coalmine.apply(manifest("weighted-50-50"))
    route = next(
        route
        for route in coalmine.api("routes").json["items"]
        if route["match"]["path"].get("prefix") == "/findPetWithId"
    )
    coalmine.cli("edit", "route", route["name"], "--dest", f"{V2}=0", "--dest", f"{V1}=100")
    assert count_version_2(coalmine, 50) == 0
