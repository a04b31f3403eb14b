"""When a reload happens, who has asked for it, and who hears how it went.

A reload is asked for by SIGHUP, or over the supervisor's unix socket: ``reload`` and a line feed in; lines of what
happens out, the last one ``done`` or ``failed: why``.

Rule 1: one at a time. Whoever asks during one gets one more after it: what he changed may have come too late for it.
Rule 2: nobody who asks can hold up the supervisor: it reads and writes without waiting.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress

from coalmine.errors import StartupError
from coalmine.serve.children import Child, ChildSpec
from coalmine.serve.reload import Reload, ReloadError

DONE = "done"
FAILED = "failed: "
# Looked at so often while one is under way; news of children wakes the supervisor besides.
_STEP_SECONDS = 0.1
# Who has been replaced and has not ended stays in memory; with more of them than this, the oldest has to hurry.
MOST_LEAVING_PER_CHILD = 4


class Renew:
    """What a reload needs from the outside."""

    def __init__(
        self,
        specs: Callable[[], Sequence[ChildSpec]],
        *,
        leaving_seconds: Callable[[], float],
        requests: socket.socket | None = None,
    ) -> None:
        """``specs`` raises StartupError where things are not as they should be; ``leaving_seconds``: what the replaced
        get for ending; ``requests``: a listening socket."""
        self.specs = specs
        self.leaving_seconds = leaving_seconds
        self.requests = requests


class Reloading:
    def __init__(
        self, children: list[Child], renew: Renew, report: Callable[[str], None], now: Callable[[], float]
    ) -> None:
        self._children = children
        self._renew = renew
        self._report = report
        self._now = now
        self._leaving: list[Child] = []
        self._limits: dict[Child, float] = {}
        self._reload: Reload | None = None
        self._steps: Generator[None, None, None] | None = None
        self._asking: list[socket.socket] = []  # connected, have not said what they want
        self._waiting: list[socket.socket] = []  # for the reload under way
        self._next: list[socket.socket] | None = None  # those that asked meanwhile; None: nobody did
        self.started = False  # everything has been ready once

    def others(self) -> list[Child]:
        """Children that are not in anybody's place yet, or no more."""
        return [*(self._reload.fresh if self._reload is not None else ()), *self._leaving]

    def readers(self) -> Iterator[tuple[socket.socket, Callable[[], None]]]:
        """Sockets, and what to call when there is something to read."""
        if self._renew.requests is not None and self._renew.requests.fileno() >= 0:
            yield self._renew.requests, self._accept
        for asking in self._asking:
            yield asking, lambda asking=asking: self._listen(asking)  # type: ignore[misc]

    def times(self) -> Iterator[float]:
        """When to look again."""
        if self._steps is not None:
            yield self._now() + _STEP_SECONDS
        yield from self._limits.values()

    def begin(self, *asking: socket.socket) -> None:
        """A reload, now or after the one under way."""
        if self._steps is not None:
            self._next = [*(self._next or ()), *asking]
            return
        self._waiting = list(asking)
        if not self.started:
            self._end(f"{FAILED}the gateway is still starting; nothing was changed")
            return
        self._tell("reloading")
        try:
            self._reload = Reload(self._children, self._renew.specs(), self._leaving, now=self._now)
        except StartupError as error:
            self._end(f"{FAILED}{error.detail}{f' ({error.hint})' if error.hint else ''}; nothing was changed")
            return
        self._steps = self._reload.steps()

    def step(self) -> None:
        """Go on with the reload, and look after those who leave."""
        if self._steps is not None:
            try:
                next(self._steps)
            except StopIteration:
                self._end(DONE)
            except ReloadError as error:
                self._end(f"{FAILED}{error}")
        self._look_after_leaving()

    def cancel(self, reason: str) -> None:
        self._next = None
        if self._steps is not None:
            self._steps.close()
            self._end(f"{FAILED}{reason}")
        for asking in self._asking:
            asking.close()
        self._asking = []

    def _end(self, word: str) -> None:
        self._steps = self._reload = None
        self._tell(word)
        for asking in self._waiting:
            asking.close()
        self._waiting = []
        if self._next is not None:
            later, self._next = self._next, None
            self.begin(*later)

    def _tell(self, word: str) -> None:
        self._report({DONE: "reloaded"}.get(word, f"reload {word}" if word.startswith(FAILED) else word))
        for asking in self._waiting:
            with suppress(OSError):
                asking.send(f"{word}\n".encode())

    def _look_after_leaving(self) -> None:
        for child in list(self._leaving):
            child.take_exit()
            if child.process is None:
                self._leaving.remove(child)
                self._limits.pop(child, None)
            elif self._limits.setdefault(child, self._now() + self._renew.leaving_seconds()) <= self._now():
                child.kill()
        surplus = len(self._leaving) - MOST_LEAVING_PER_CHILD * len(self._children)
        for child in self._leaving[: max(0, surplus)]:
            child.terminate()

    # Who asks

    def _accept(self) -> None:
        assert self._renew.requests is not None
        with suppress(OSError):
            asking, _ = self._renew.requests.accept()
            asking.setblocking(False)
            self._asking.append(asking)

    def _listen(self, asking: socket.socket) -> None:
        self._asking.remove(asking)
        try:
            said = asking.recv(64)
        except OSError:
            said = b""
        if said.strip() == b"reload":
            self.begin(asking)
        else:
            asking.close()
