"""``make demo`` keeps what it prints."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.story import DOG, THREE_PETS, TWO_PETS, V1, V2
from tests.support.processes import ROOT, Output, ask, child_processes, clean_environment, is_running, spawn, wait_until

FUNCTIONS = "addPet, deletePet, findPetById, findPets"


def read_to_the_end_of_the_greeting(output: Output) -> str:
    output.wait_for("Ctrl-C stops everything")
    return "\n".join(output.lines)


def url_of(part: str, text: str) -> str:
    found = re.search(rf"{part} +(http://[0-9.:]+)", text)
    assert found, text
    return found[1]


def run_line(line: str, admin: str) -> str:
    """One of the lines to try; ``coalmine`` is this checkout's."""
    words = shlex.split(line)
    command = next(index for index, word in enumerate(words) if Path(word).name == "coalmine")
    words[: command + 1] = [sys.executable, "-m", "coalmine"]
    environ = {**clean_environment(), "COALMINE_ADMIN_URL": admin}
    return subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout


def test_the_demo_shows_a_canary_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with spawn([sys.executable, "-m", "coalmine", "demo"], environ={"TMPDIR": str(tmp_path)}, mixed=True) as (
        process,
        output,
    ):
        text = read_to_the_end_of_the_greeting(output)
        proxy, admin = url_of("proxy", text), url_of("admin API", text)
        assert f"{V1}   {FUNCTIONS}" in text
        assert f"{V2}   {FUNCTIONS}" in text
        assert max(map(len, output.lines)) <= 80
        assert ask(f"{proxy}/petstore").body == TWO_PETS
        assert ask(f"{proxy}/findPets").body == TWO_PETS
        assert ask(f"{proxy}/findPetWithId/1").body == DOG

        commands = re.findall(r"^  .*coalmine (?:canary|get|explain) .*$", text.replace("\\\n", ""), re.MULTILINE)
        start, shift, promote, *others = commands
        run_line(start, admin)
        assert ask(f"{proxy}/findPets", headers={"x-canary": "true"}).body == THREE_PETS
        assert ask(f"{proxy}/findPets").body == TWO_PETS
        run_line(shift, admin)
        run_line(promote, admin)
        assert ask(f"{proxy}/findPets").body == THREE_PETS
        for line in others:
            assert run_line(line, admin)

        children = child_processes(process.pid)
        assert len(children) >= 4
        assert len(list(tmp_path.iterdir())) == 1
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        assert process.wait(10) == 0
        assert output.wait_for("nothing is left behind")
    assert not any(map(is_running, children))
    assert list(tmp_path.iterdir()) == []


def test_two_demos_at_once_use_the_next_free_ports(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coalmine", "demo"]
    environ = {"TMPDIR": str(tmp_path)}
    with spawn(command, environ=environ) as (_, output):
        first = read_to_the_end_of_the_greeting(output)
        with spawn(command, environ=environ) as (_, output):
            second = read_to_the_end_of_the_greeting(output)
            for part in ("petstore v1", "petstore v2", "proxy", "admin API"):
                assert url_of(part, first) != url_of(part, second)
            assert second.count("is taken)") == 4
            assert f"export COALMINE_ADMIN_URL={url_of('admin API', second)}" in second
            assert ask(f"{url_of('proxy', first)}/findPets").body == TWO_PETS
            assert ask(f"{url_of('proxy', second)}/findPets").body == TWO_PETS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_demo_that_is_stopped_early_leaves_no_processes(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coalmine", "demo"]
    with spawn(command, environ={"TMPDIR": str(tmp_path)}, mixed=True) as (process, _):
        wait_until(lambda: len(child_processes(process.pid)) >= 4, "the children of the demo")
        children = child_processes(process.pid)
        os.kill(process.pid, number)
        process.wait(10)
        wait_until(lambda: not any(map(is_running, children)), "the end of the children")


def test_a_kept_catalog_is_there_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coalmine", "demo", "--keep", str(tmp_path / "kept")]
    for remark in ("Routes of the virtual service", "The routes of the last demo are still there"):
        with spawn(command) as (_, output):
            text = read_to_the_end_of_the_greeting(output)
            assert remark in text
            assert ask(f"{url_of('proxy', text)}/findPets").body == TWO_PETS
