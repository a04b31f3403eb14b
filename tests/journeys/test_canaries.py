"""Canaries where real workers count and real users come back: shares grow, nobody moves back, figures are honest."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import Any

import pytest

from tests.journeys.story import THREE_PETS, TWO_PETS, V1, V2, manifest
from tests.support.processes import Coalmine, ask, kill, wait_until

USERS = [f"user-{number}" for number in range(300)]
# Five standard deviations for 300 users: a right implementation fails once in two million runs.
TEN_PERCENT, HALF = range(4, 57), range(106, 195)


@pytest.fixture
def plain(coalmine: Coalmine) -> Coalmine:
    """Where part 1 ended; applying it ends the canary that a test before has left."""
    coalmine.apply(manifest("plain"))
    assert coalmine.api("canaries").json["total"] == 0
    return coalmine


def find_version_2(coalmine: Coalmine) -> set[str]:
    """The users that version 2 answers; over one connection, to be quick."""
    found = set()
    with closing(http.client.HTTPConnection(coalmine.proxy.removeprefix("http://"), timeout=10)) as connection:
        for user in USERS:
            connection.request("GET", "/findPets", headers={"x-user": user})
            body = connection.getresponse().read()
            assert body in (TWO_PETS, THREE_PETS)
            found |= {user} if body == THREE_PETS else set()
    return found


def read_status(coalmine: Coalmine) -> Any:
    (canary,) = coalmine.api("canaries").json["items"]
    return canary["status"]


def count_requests(coalmine: Coalmine) -> dict[str, int]:
    return {version["name"]: version["requests"] for version in read_status(coalmine)["versions"]}


def test_nobody_moves_back_when_the_share_grows(plain: Coalmine) -> None:
    plain.cli("canary", "start", "coalmine/findPets", "--to", V2, "--percent", "10", "--sticky-header", "x-user")
    few = find_version_2(plain)
    assert len(few) in TEN_PERCENT
    assert find_version_2(plain) == few
    plain.cli("canary", "shift", "coalmine/findPets", "50")
    many = find_version_2(plain)
    assert len(many) in HALF
    assert few <= many
    plain.cli("canary", "abort", "coalmine/findPets")
    assert find_version_2(plain) == set()


def test_each_version_is_counted_since_the_start(plain: Coalmine) -> None:
    find_version_2(plain)
    plain.cli("canary", "start", "coalmine/findPets", "--to", V2, "--header", "x-canary=true")
    assert count_requests(plain) == {f"{V1}/findPets": 0, f"{V2}/findPets": 0}
    find_version_2(plain)
    assert plain.get("/findPets", x_canary="true").body == THREE_PETS
    assert count_requests(plain) == {f"{V1}/findPets": 300, f"{V2}/findPets": 1}
    old, new = read_status(plain)["versions"]
    assert (old["percent"], new["percent"], new["errors"], new["error_rate"]) == (100, 0, 0, 0)
    assert 0 < old["latency"]["mean_seconds"] < 1
    told = plain.cli("canary", "status").splitlines()
    assert told[1].split()[1:6] == ["testers", "only:", "x-canary=true", f"{V1}/findPets", "(old)"]
    assert told[-1] == f"{V2}/findPets instead of {V1}/findPets: no difference"


def test_figures_are_whole_after_restarts_and_otherwise_say_so(plain: Coalmine) -> None:
    plain.cli("canary", "start", "coalmine/findPets", "--to", V2, "--percent", "50")
    find_version_2(plain)
    first = plain.children()["worker"]
    restart(plain, "control")
    assert read_figures(plain) == (300, None)
    kill_and_wait(plain, worker=first[0])  # control sees it end and keeps what it counted
    restart(plain, "control")
    assert read_figures(plain) == (300, None)
    kill_and_wait(plain, control=plain.children()["control"][0], worker=first[1])  # nobody sees this worker end
    total, note = read_figures(plain)
    assert total in (0, 300)  # all came over one connection, so one of the two workers has answered them
    assert note is not None
    assert note.startswith("without workers that ended before ")
    plain.cli("canary", "abort", "coalmine/findPets")


def read_figures(coalmine: Coalmine) -> tuple[int, str | None]:
    return sum(count_requests(coalmine).values()), read_status(coalmine)["counted_note"]


def restart(coalmine: Coalmine, kind: str) -> None:
    kill_and_wait(coalmine, **{kind: coalmine.children()[kind][0]})


def kill_and_wait(coalmine: Coalmine, **pids: int) -> None:
    """Kill these processes at once, each under its kind, and wait until the gateway is whole again."""
    before = coalmine.children()
    for pid in pids.values():
        kill(pid)
    for kind in pids:
        wait_until(lambda kind=kind: set(coalmine.children()[kind]) - set(before[kind]), f"another {kind}")
    wait_until(lambda: is_whole(coalmine), "a gateway that is ready")


def is_whole(coalmine: Coalmine) -> bool:
    return "2 of 2 serve the current snapshot" in ask(f"{coalmine.admin}/readyz").body.decode()
