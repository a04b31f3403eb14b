"""The supervisor with tiny children: real processes, real signals.

Each test runs a supervisor in a process of its own, because signals belong to a process's main thread.
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import Output, child_processes, is_running, kill, spawn, wait_until

HARNESS = """
import sys
from coalmine.serve.children import ChildSpec
from coalmine.serve.supervisor import Supervisor

PRELUDE = '''
import json, os, signal, sys, time
orders = json.loads(os.environ["COALMINE_CHILD"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
def ready():
    os.write(orders["status_fd"], b"ready\\\\n")
    os.close(orders["status_fd"])
def until_leash():
    while os.read(0, 100): pass
'''
specs = [
    ChildSpec(name, [sys.executable, "-c", PRELUDE + code], config={{"name": name}})
    for name, code in {children!r}.items()
]
say = lambda line: print(line, flush=True)
sys.exit(Supervisor(
    specs, grace_seconds={grace}, report=say,
    on_ready=lambda: say("ready"), on_stopping=lambda: say("stopping"),
).run())
"""
WELL = "ready(); until_leash()"


class Supervised:
    def __init__(self, pid: int, output: Output, wait: object) -> None:
        self.pid, self.output, self._wait = pid, output, wait

    def children(self) -> list[int]:
        return list(child_processes(self.pid))

    def end(self, seconds: float = 10) -> int:
        return int(self._wait(seconds))  # type: ignore[operator]


@contextmanager
def supervise(grace: float = 1.0, **children: str) -> Iterator[Supervised]:
    code = textwrap.dedent(HARNESS.format(children=children, grace=grace))
    with spawn([sys.executable, "-c", code]) as (process, output):
        yield Supervised(process.pid, output, process.wait)


def send(supervised: Supervised, number: int) -> None:
    os.kill(supervised.pid, number)


def test_ready_is_said_once_when_all_children_are() -> None:
    with supervise(one=WELL, two="time.sleep(0.3); " + WELL) as supervised:
        started = time.monotonic()
        assert supervised.output.next() == "ready"
        assert time.monotonic() - started < 10
        assert len(supervised.children()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_stops_all_children_and_the_exit_code_is_0(number: int) -> None:
    with supervise(one=WELL, two=WELL) as supervised:
        supervised.output.wait_for("ready")
        children = supervised.children()
        send(supervised, number)
        assert supervised.end() == 0
        assert supervised.output.wait_for("stopping")
        assert not any(map(is_running, children))


def test_a_child_that_does_not_stop_is_killed_after_the_grace_period() -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: time.sleep(1)"
    with supervise(grace=0.5, deaf=deaf) as supervised:
        supervised.output.wait_for("ready")
        started = time.monotonic()
        send(supervised, signal.SIGTERM)
        assert supervised.end() == 0
        assert 0.5 <= time.monotonic() - started < 1.5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_second_signal_ends_everything_at_once(number: int, code: int) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: time.sleep(1)"
    with supervise(grace=30, deaf=deaf) as supervised:
        supervised.output.wait_for("ready")
        children = supervised.children()
        send(supervised, number)
        supervised.output.wait_for("stopping")
        send(supervised, number)
        assert supervised.end(3) == code
        assert not any(map(is_running, children))


def test_a_killed_child_is_replaced_and_the_others_stay() -> None:
    with supervise(one=WELL, two=WELL) as supervised:
        supervised.output.wait_for("ready")
        victim, *others = before = supervised.children()
        kill(victim)
        assert "ended (SIGKILL); starting it again" in supervised.output.next()
        wait_until(lambda: len(supervised.children()) == 2, "a replacement")
        assert set(others) < set(supervised.children())
        assert victim not in supervised.children() and before != supervised.children()


def test_what_a_child_started_itself_goes_with_it() -> None:
    parent = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); " + WELL
    with supervise(parent=parent) as supervised:
        supervised.output.wait_for("ready")
        wait_until(lambda: len(supervised.children()) == 2, "the grandchild")
        commands = child_processes(supervised.pid)
        child, grandchild = sorted(commands, key=lambda pid: "Popen" not in commands[pid])
        kill(child)
        wait_until(lambda: not is_running(grandchild), "the end of the grandchild")


def test_children_end_when_the_supervisor_is_killed() -> None:
    with supervise(one=WELL, two=WELL) as supervised:
        supervised.output.wait_for("ready")
        children = supervised.children()
        kill(supervised.pid)
        wait_until(lambda: not any(map(is_running, children)), "the end of the children")


def test_a_child_that_says_it_is_hopeless_ends_the_whole() -> None:
    with supervise(well=WELL, hopeless="sys.exit(os.EX_CONFIG)") as supervised:
        assert supervised.output.wait_for("cannot start") == "hopeless cannot start (exit code 78)"
        assert supervised.end() == 1


def test_a_child_that_never_lives_ends_the_whole_after_a_few_attempts() -> None:
    with supervise(well=WELL, bad="sys.exit(3)") as supervised:
        assert supervised.end() == 1
        attempts = [line for line in supervised.output.lines if "starting it again" in line]
        assert len(attempts) == 4


def test_what_may_pass_is_tried_again(tmp_path: Path) -> None:
    marker = tmp_path / "tries"
    passing = f"""
path = {str(marker)!r}
open(path, "a").write("x")
if len(open(path).read()) < 6: sys.exit(os.EX_TEMPFAIL)
{WELL}
"""
    with supervise(passing=passing) as supervised:
        supervised.output.wait_for("ready")
        assert marker.read_text() == "x" * 6


def test_after_everything_was_ready_nothing_a_child_does_ends_the_whole(tmp_path: Path) -> None:
    marker = tmp_path / "was-ready"
    code = f"""
if os.path.exists({str(marker)!r}): sys.exit(os.EX_CONFIG)
open({str(marker)!r}, "w").close()
{WELL}
"""
    with supervise(one=code) as supervised:
        supervised.output.wait_for("ready")
        kill(supervised.children()[0])
        for _ in range(3):
            supervised.output.wait_for("starting it again")
        marker.unlink()
        wait_until(supervised.children, "a child that lives")
