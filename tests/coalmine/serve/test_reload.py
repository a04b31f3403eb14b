"""Replacing children, with tiny ones: real processes, real signals. The whole gateway is reloaded in tests/journeys."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Output, child_processes, is_running, spawn, wait_until

HARNESS = """
import os, sys
from pathlib import Path
from coalmine.errors import StartupError
from coalmine.serve.children import ChildSpec
from coalmine.serve.reloading import Renew
from coalmine.serve.running import listen_for_requests
from coalmine.serve.supervisor import Supervisor

PRELUDE = '''
import json, os, signal, sys, time
orders = json.loads(os.environ["COALMINE_CHILD"])
folder = orders["folder"]
def say(word): os.write(orders["status_fd"], word.encode() + b"\\\\n")
def log(word):
    with open(folder + "/log", "a") as file: file.write(orders["name"] + " " + word + "\\\\n")
def end(*_):
    log("ends")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
generation = open(folder + "/generation").read()
def serve():
    log("serves " + generation); say("ready")
    while os.read(0, 100): pass
'''
WORKER = PRELUDE + '''
def retire(*_):
    log("retires " + generation)
    time.sleep(0.2)
    end()
signal.signal(signal.SIGUSR1, retire)
if generation == "bad": sys.exit(3)
serve()
'''
CONTROL = PRELUDE + '''
if generation in ("bad", "bad control"): sys.exit(3)
if orders["standby"]:
    log("waits " + generation); say("prepared")
    assert os.read(0, 100) == b"go\\\\n"
serve()
'''
folder = Path({folder!r})
def spec(name, kind, alone, code):
    return ChildSpec(
        name, [sys.executable, "-c", code], kind=kind, alone=alone, config={{"name": name, "folder": str(folder)}}
    )
def specs():
    if (folder / "generation").read_text() == "refused":
        raise StartupError("it is wrong", hint="mend it")
    return [spec("control", "c", True, CONTROL), spec("w1", "w", False, WORKER), spec("w2", "w", False, WORKER)]
say = lambda line: print(line, flush=True)
sys.exit(Supervisor(
    specs(), grace_seconds=1, report=say, on_ready=lambda: say("ready"),
    renew=Renew(specs, leaving_seconds=lambda: 5.0, requests=listen_for_requests(folder)),
).run())
"""


class Supervised:
    def __init__(self, pid: int, output: Output, folder: Path) -> None:
        self.pid, self.output, self.folder = pid, output, folder

    def children(self) -> list[int]:
        return list(child_processes(self.pid))

    def reload(self, generation: str) -> str:
        """What the supervisor says last to whoever asked."""
        (self.folder / "generation").write_text(generation)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "supervisor.sock"))
            sock.sendall(b"reload\n")
            return sock.makefile().read().splitlines()[-1]

    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


@contextmanager
def supervise(folder: Path) -> Iterator[Supervised]:
    (folder / "generation").write_text("1")
    with spawn([sys.executable, "-c", textwrap.dedent(HARNESS.format(folder=str(folder)))]) as (process, output):
        output.wait_for("ready")
        yield Supervised(process.pid, output, folder)


def test_the_new_one_serves_before_the_old_one_goes(tmp_path: Path) -> None:
    with supervise(tmp_path) as supervised:
        before = supervised.children()
        assert supervised.reload("2") == "done"
        wait_until(lambda: not any(map(is_running, before)), "the end of the old ones")
        assert len(supervised.children()) == 3
        log = supervised.log()

    def place(line: str) -> int:
        return log.index(line, 3)

    assert place("control waits 2") < place("control ends") < place("control serves 2")
    for name in ("w1", "w2"):
        assert place(f"{name} serves 2") < place(f"{name} retires 1")
    # Nobody goes before one of each kind has proved that it can be replaced; then one worker at a time.
    assert max(place("control waits 2"), place("w1 serves 2")) < place("control ends") < place("w1 retires 1")
    assert place("w1 retires 1") < place("w2 serves 2")


@pytest.mark.parametrize(
    ("generation", "words"),
    [
        ("bad", "failed: the new control cannot start (exit code 3)"),
        ("bad control", "failed: the new control cannot start (exit code 3)"),
        ("refused", "failed: it is wrong (mend it); nothing was changed"),
    ],
    ids=["nothing starts", "one of the kinds does not", "the settings are refused"],
)
def test_what_cannot_start_replaces_nobody(generation: str, words: str, tmp_path: Path) -> None:
    with supervise(tmp_path) as supervised:
        before = supervised.children()
        assert supervised.reload(generation) == words
        wait_until(lambda: sorted(supervised.children()) == sorted(before), "the end of those that were tried")
        assert supervised.output.wait_for("failed") == f"reload {words}"
        assert supervised.reload("3") == "done"
        assert not set(before) & set(supervised.children()) or len(supervised.children()) > 3


def test_sighup_reloads_and_a_stop_meanwhile_wins(tmp_path: Path) -> None:
    with supervise(tmp_path) as supervised:
        before = supervised.children()
        os.kill(supervised.pid, signal.SIGHUP)
        supervised.output.wait_for("reloaded")
        wait_until(lambda: not any(map(is_running, before)), "the end of the old ones")
        os.kill(supervised.pid, signal.SIGHUP)
        supervised.output.wait_for("reloading")
        children = supervised.children()
        os.kill(supervised.pid, signal.SIGTERM)
        supervised.output.wait_for("reload failed: the gateway is stopping")
        wait_until(lambda: not is_running(supervised.pid), "the end")
        assert not any(map(is_running, children))


def test_sighup_of_a_terminal_that_is_closed_is_the_end(tmp_path: Path) -> None:
    (tmp_path / "generation").write_text("1")
    claim = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    code = claim + textwrap.dedent(HARNESS.format(folder=str(tmp_path)))
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=terminal, stdout=terminal, start_new_session=True) as process:
        os.close(terminal)
        said = b""
        while b"ready" not in said:
            said += os.read(screen, 1000)
        children = child_processes(process.pid)
        assert len(children) == 3
        os.close(screen)
        assert process.wait(10) is not None
    assert not any(map(is_running, children))


def test_who_asks_during_a_reload_gets_one_more(tmp_path: Path) -> None:
    with supervise(tmp_path) as supervised:
        for _ in range(5):
            os.kill(supervised.pid, signal.SIGHUP)
        assert supervised.reload("2") == "done"
        assert supervised.log().count("w2 serves 2") >= 1
        assert sum(line == "reloading" for line in supervised.output.lines) == 2
