"""What the demo chooses and prints, without running it; tests/journeys runs it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from coalmine.serve import demo, tour
from coalmine.serve.demo import choose_ports, find_command, suggestions
from coalmine.serve.sockets import find_free_port


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Free ports of our own instead of the usual ones, one after the other as those are."""
    # Below the range that the kernel gives to others.
    free = (base for base in range(21_000, 30_000, 20) if find_free_port("127.0.0.1", base, tries=20) == base)
    base = next(base for base in free if find_free_port("127.0.0.1", base + 1, tries=20) == base + 1)
    usual = {"proxy": base, "admin": base + 1, tour.V1: base + 10, tour.V2: base + 11}
    monkeypatch.setattr(demo, "PROXY_PORT", usual["proxy"])
    monkeypatch.setattr(demo, "ADMIN_PORT", usual["admin"])
    monkeypatch.setattr(demo, "PETSTORES", (("v1", tour.V1, usual[tour.V1]), ("v2", tour.V2, usual[tour.V2])))
    yield usual


def test_the_usual_ports_are_taken_when_they_are_free(ports: dict[str, int]) -> None:
    assert choose_ports() == ports


def test_the_proxy_does_not_push_the_admin_api_off_its_port(ports: dict[str, int]) -> None:
    with socket.create_server(("127.0.0.1", ports["proxy"])):
        chosen = choose_ports()
    assert chosen["admin"] == ports["admin"]
    assert chosen["proxy"] > ports["admin"]


def test_taken_ports_are_passed_over_and_none_is_given_twice(ports: dict[str, int]) -> None:
    with ExitStack() as stack:
        for port in ports.values():
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        chosen = choose_ports()
    assert len(set(chosen.values())) == 4
    assert not set(chosen.values()) & set(ports.values())


def test_the_command_line_is_told_only_where_the_admin_api_is_not_found_by_itself() -> None:
    here = tour.Site("http://127.0.0.1:8080", "http://127.0.0.1:8081", ())
    elsewhere = tour.Site("http://127.0.0.1:8080", "http://127.0.0.1:8082", ())
    assert not any("COALMINE_ADMIN_URL" in line for line in suggestions(here, "coalmine"))
    assert "export COALMINE_ADMIN_URL=http://127.0.0.1:8082" in suggestions(elsewhere, "coalmine")
    assert max(map(len, suggestions(elsewhere, ".venv/bin/coalmine"))) <= 78


@pytest.mark.parametrize(
    ("script", "on_path", "command"),
    [
        (True, True, "coalmine"),
        (True, False, ".venv/bin/coalmine"),
        (False, False, ".venv/bin/python -m coalmine"),
    ],
    ids=["an active environment", "an environment in this folder", "a checkout that is not installed"],
)
def test_the_command_is_one_that_works_from_here(
    script: bool, on_path: bool, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    if script:
        (programs / "coalmine").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setenv("PATH", str(programs) if on_path else "/nowhere")
    assert find_command() == command


def test_a_tour_that_waits_in_vain_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "PATIENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(tour.TourError, match=r"nobody is there \(http://127.0.0.1:\d+/: .*refused"):
        tour.wait_for(lambda: tour.fetch(f"http://127.0.0.1:{port}/"), "nobody is there")
    with pytest.raises(tour.TourError, match=r"^nothing came$"):
        tour.wait_for(lambda: None, "nothing came")
