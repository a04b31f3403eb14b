"""One child process, as its supervisor sees it.

Three things tie a child to its supervisor:

    leash    the child's standard input is a pipe: end of file means that the supervisor is gone, however it went.
             ``go`` is all that is ever written to it: whoever was started on standby takes over now
    status   a pipe the child writes to: ``prepared``, once, when it is on standby, ``ready``, once, when it serves,
             and a ``beat`` every second, as long as its loop turns. One that closes the pipe is not watched
    exit     ``GIVE_UP``: starting it again is pointless; ``TRY_AGAIN``: what is in the way may go away

and two signals: SIGTERM ends it within the grace period, RETIRE when it has finished what it has begun.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from coalmine.serve.ownership import ROOT

VARIABLE = "COALMINE_CHILD"
READY = b"ready\n"
PREPARED = b"prepared\n"
BEAT = b"beat\n"
GO = b"go\n"
RETIRE = signal.SIGUSR1
BEAT_SECONDS = 1.0
# What a child may take on top until its first beat: it has to import itself, on a machine that may be very busy.
START_SECONDS = 60.0
GIVE_UP = os.EX_CONFIG
TRY_AGAIN = os.EX_TEMPFAIL

# The first restart is at once: most deaths are accidents, and a worker's share of the connections waits for it.
# Later ones back off, so that a child that cannot live does not eat a core.
DELAYS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# Whoever lived this long was well; its next death is a first one again.
WELL_SECONDS = 10.0


@dataclass(frozen=True)
class ChildSpec:
    """What to start. ``config`` reaches the child as JSON in ``COALMINE_CHILD``; ``fds`` are inherited."""

    name: str
    command: Sequence[str]
    kind: str = ""  # those of one kind run the same program
    alone: bool = False  # two of them must not serve at once: a replacement is started on standby
    fds: tuple[int, ...] = ()
    config: Mapping[str, Any] | None = None
    announces: bool = True  # writes its status; what does not is ready when it has been started
    output: bool = True  # False: its standard output is not for people
    without: tuple[str, ...] = field(default=())  # environment variables that are none of its business


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs ``module``. ``-P``: the folder we happen to stand in must not supply ``proxy``."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(
    spec: ChildSpec, status: int, environ: Mapping[str, str], *, standby: bool = False
) -> dict[str, str]:
    """The environment of a child. In a bare checkout nothing but the path says where Coalmine is."""
    found = {name: value for name, value in environ.items() if name not in spec.without}
    if str(ROOT) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
    if spec.config is not None:
        found[VARIABLE] = json.dumps({**spec.config, "status_fd": status, "standby": standby})
    return found


class Child:
    """A process that is started again when it ends, with its readiness and its bad luck so far."""

    def __init__(self, spec: ChildSpec, *, now: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.status = -1
        self.ready = not spec.announces
        self.prepared = False
        self.silence = 0.0  # seconds without a sign of life, as its supervisor has counted them
        self.failures = 0
        self.due: float | None = 0.0  # when to start it; None while it runs
        self._now = now
        self._started = 0.0
        self._said = b""

    def start(self, *, standby: bool = False) -> None:
        self.status, theirs = os.pipe()
        os.set_blocking(self.status, False)
        try:
            self.process = subprocess.Popen(  # noqa: S603  the command is ours
                self.spec.command,
                stdin=subprocess.PIPE,
                stdout=None if self.spec.output else subprocess.DEVNULL,
                env=child_environment(self.spec, theirs, os.environ, standby=standby),
                pass_fds=(*self.spec.fds, theirs),
                # A session of its own: Ctrl-C at the terminal is the supervisor's to hear, and what the child
                # starts itself can be ended together with it.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self.due = None
        self.silence = -START_SECONDS
        self._said = b""
        self._started = self._now()

    def read_status(self) -> None:
        """Take notice of what it says; at end of file the pipe is closed."""
        try:
            text = os.read(self.status, 4096)
        except BlockingIOError:
            return
        if not text:
            self.close_status()
            return
        self.silence = 0.0
        *lines, self._said = (self._said + text).split(b"\n")
        self.prepared = self.prepared or PREPARED.strip() in lines
        self.ready = self.ready or READY.strip() in lines

    def close_status(self) -> None:
        if self.status >= 0:
            os.close(self.status)
            self.status = -1

    def take_exit(self) -> int | None:
        """The return code, once, when the process has ended since; otherwise None."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.kill()  # whatever it had started itself
        self.close_status()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None
        self.ready = not self.spec.announces
        self.prepared = False
        return code

    def plan_restart(self) -> None:
        lived = self._now() - self._started
        self.failures = 1 if lived >= WELL_SECONDS else self.failures + 1
        self.due = self._now() + DELAYS[min(self.failures, len(DELAYS)) - 1]

    def terminate(self) -> None:
        """Ask it to stop gracefully."""
        if self.process is not None:
            self.process.terminate()

    def retire(self) -> None:
        """Ask it to accept nothing more, and to end when it has finished what it has begun."""
        if self.process is not None:
            self.process.send_signal(RETIRE)

    def go(self) -> None:
        """Whoever is on standby takes over."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(BrokenPipeError):
                os.write(self.process.stdin.fileno(), GO)

    def kill(self) -> None:
        """End it and what it started, at once."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
