"""What must be quick, and what runs without an admin API: help, version, doctor, serve's flags."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coalmine import __version__
from coalmine.cli import main
from coalmine.cli.doctor import look_at_database, look_at_port
from coalmine.settings import SETTINGS, Settings

# Each costs more to import than all of help may take together.
HEAVY = {"httpx", "rich", "pydantic", "yaml", "fastapi", "sqlalchemy", "uvicorn", "re2"}


def test_help_imports_nothing_heavy() -> None:
    """A figure in seconds would depend on the machine; what is imported does not."""
    script = (
        "import sys; from coalmine.cli import main; code = main(['--help']); "
        f"print(sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr); sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr.strip()) == (0, "[]")
    assert "canary" in ended.stdout


@pytest.mark.parametrize("words", ["version", "--version"])
def test_the_module_runs_as_the_program(words: str) -> None:
    ended = subprocess.run([sys.executable, "-m", "coalmine", words], capture_output=True, text=True, check=False)
    assert ended.stdout == f"coalmine {__version__}\n"


def test_no_command_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "Usage: coalmine" in captured.out + captured.err


def test_serve_has_a_flag_for_every_setting_and_passes_what_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Settings] = []
    monkeypatch.setattr("coalmine.serve.run", lambda settings, reread: seen.append(settings) or 7)
    monkeypatch.setenv("COALMINE_WORKERS", "3")
    assert main(["serve", "--proxy", "127.0.0.1:0", "--no-discovery", "--grace-seconds", "1.5"]) == 7
    assert seen == [Settings(proxy="127.0.0.1:0", discovery=False, grace_seconds=1.5, workers=3)]
    main(["serve", "--help"])
    told = capsys.readouterr().out
    assert [setting.flag for setting in SETTINGS if setting.flag not in told] == []


def test_the_demo_is_told_where_to_keep_its_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path | None] = []

    def run(keep: Path | None) -> int:
        seen.append(keep)
        return 0

    monkeypatch.setattr("coalmine.serve.demo.run", run)
    assert (main(["demo"]), main(["demo", "--keep", "here"])) == (0, 0)
    assert seen == [None, Path("here")]


def test_a_setting_that_is_wrong_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--proxy", "nonsense"]) == 1
    assert "--proxy is 'nonsense'" in capsys.readouterr().err


def test_ports_that_are_free_taken_or_nobodys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert look_at_port("proxy", f"127.0.0.1:{port}").verdict == "note"
    assert look_at_port("proxy", f"127.0.0.1:{port}").verdict == "good"
    assert look_at_port("proxy", "192.0.2.1:1").verdict == "bad"


def make_database(folder: Path, kind: str) -> str:
    path = folder / "x.db"
    match kind:
        case "sqlite":
            path.write_bytes(b"SQLite format 3\x00...")
        case "text":
            path.write_text("hello")
        case "folder":
            path.mkdir()
        case "nowhere":
            return f"sqlite:///{folder / 'no' / 'x.db'}"
        case "foreign":
            return "postgresql://x/y"
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("absent", "good"),
        ("sqlite", "good"),
        ("text", "bad"),
        ("folder", "bad"),
        ("nowhere", "bad"),
        ("foreign", "bad"),
    ],
)
def test_databases(tmp_path: Path, kind: str, verdict: str) -> None:
    assert look_at_database(Settings(database=make_database(tmp_path, kind))).verdict == verdict


def test_doctor_looks_at_everything(cli: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COALMINE_PROXY", "127.0.0.1:0")
    monkeypatch.setenv("COALMINE_ADMIN", "127.0.0.1:0")
    found = {item["what"]: item["verdict"] for item in cli("doctor -o json").json}
    assert found == dict.fromkeys(
        ["python", "coalmine", "import names", "proxy port", "admin port", "database", "admin API"], "good"
    )
    assert "python" in cli("doctor").out
    monkeypatch.setenv("COALMINE_WORKERS", "many")
    assert "is not a number" in cli("doctor", code=1).out
    assert cli("doctor --admin-url http://127.0.0.1:1 -o json", code=1).json[-1]["verdict"] == "note"
