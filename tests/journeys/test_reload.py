"""Reload and upgrade: every process is replaced, and no request is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bench.clients import Load, clients
from tests.support.processes import ROOT, Coalmine, child_processes, clean_environment, run_coalmine, wait_until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coalmine]:
    """A gateway with a settings file; every test leaves the file valid."""
    folder = tmp_path_factory.mktemp("reload")
    (folder / "coalmine.toml").write_text("max_header_bytes = 4096\n")
    with run_coalmine(folder, workers=2, arguments=["--settings-file", str(folder / "coalmine.toml")]) as coalmine:
        route = {"name": "ok", "match": {"path": {"prefix": "/ok"}}, "direct_response": {"body": "ok"}}
        assert coalmine.api("routes", method="POST", body=route).status == 201
        yield coalmine


def reload(gateway: Coalmine) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coalmine", "reload", "--database", f"sqlite:///{gateway.database}"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pids(gateway: Coalmine) -> set[int]:
    return {pid for kind in gateway.children().values() for pid in kind}


def configure(gateway: Coalmine, text: str) -> None:
    (gateway.database.parent / "coalmine.toml").write_text(text)


def port(gateway: Coalmine) -> int:
    return int(gateway.proxy.rpartition(":")[2])


def test_a_reload_replaces_every_process_and_loses_no_request(gateway: Coalmine) -> None:
    before = pids(gateway)
    with clients(Load(port(gateway), keep=6, fresh=2, pause=0.002)) as tally:
        ended = reload(gateway)
        time.sleep(0.2)
    assert (ended.returncode, ended.stdout.split()) == (0, ["reloading", "reloaded"])
    assert (tally.lost, tally.words) == (0, [])
    assert tally.answered == tally.sent > 100
    wait_until(lambda: len(pids(gateway)) == 3, "the end of the old ones")
    assert not pids(gateway) & before
    assert gateway.api("routes").json["total"] == 1


def test_sighup_is_a_reload_and_takes_changed_settings(gateway: Coalmine) -> None:
    long = {"x_long": "x" * 3000}
    assert gateway.get("/ok", **long).status == 200
    before = pids(gateway)
    configure(gateway, "max_header_bytes = 2048\n")
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_until(lambda: not pids(gateway) & before, "the end of the old ones")
    assert gateway.get("/ok", **long).status == 431


def test_an_idle_connection_outlives_the_reload_and_its_next_answer_is_its_last(gateway: Coalmine) -> None:
    with closing(HTTPConnection("127.0.0.1", port(gateway), timeout=5)) as connection:
        connection.request("GET", "/ok")
        first = connection.getresponse()
        assert (first.read(), first.getheader("connection")) == (b"ok", None)
        assert reload(gateway).returncode == 0
        connection.request("GET", "/ok")
        last = connection.getresponse()
        assert (last.read(), last.getheader("connection")) == (b"ok", "close")
    wait_until(lambda: len(pids(gateway)) == 3, "the end of the old ones")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_conections = 5", "did you mean max_connections?"),
        ("max_connections = 'many'", "the settings file has max_connections = 'many'; it should be a whole number"),
        ("max_connections = ", "is not TOML"),
        ("trusted_proxies = 'ten'", "--trusted-proxies has 'ten'"),
    ],
)
def test_settings_that_are_wrong_change_nothing(gateway: Coalmine, text: str, words: str) -> None:
    before = pids(gateway)
    configure(gateway, text)
    ended = reload(gateway)
    configure(gateway, "")
    assert ended.returncode == 1
    assert words in ended.stderr and "nothing was changed" in ended.stderr
    assert pids(gateway) == before


def test_broken_code_changes_nothing(tmp_path: Path) -> None:
    """The new version of a worker cannot even be imported."""
    broken = tmp_path / "site"
    broken.mkdir()
    with run_coalmine(tmp_path, environ={"PYTHONPATH": f"{broken}:{ROOT}"}) as coalmine:
        before = set(child_processes(coalmine.process.pid))
        (broken / "uvloop.py").write_text("raise ImportError('of another age')")
        ended = reload(coalmine)
        assert ended.returncode == 1
        assert "cannot start (exit code 1)" in ended.stderr
        wait_until(lambda: set(child_processes(coalmine.process.pid)) == before, "the end of those that were tried")
        assert coalmine.get("/").json["code"] == "no_virtual_service"


def test_where_no_gateway_runs_a_reload_says_where_it_looked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coalmine", "reload", "--database", f"sqlite:///{tmp_path}/x.db"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert f"no gateway is found by {tmp_path}/x.db.pid" in ended.stderr
