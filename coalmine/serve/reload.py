"""Replacing children without a gap: the new one is there before the old one goes.

    proof      one replacement of each kind starts beside what runs: of what must be alone (the control process) up to
               the point where it would take over, of the others (workers) until it serves
    handover   what must be alone ends, and its replacement takes over; connections wait in the backlog meanwhile
    turns      the others, one after another: the new one serves, then the old one accepts no more, finishes what it has
               begun, and ends

Rule 1: a failure of the proof changes nothing. A later one ends the reload, and whoever has not been replaced stays.
Rule 2: both accept from the same listening socket, which the supervisor keeps open, so no connection is lost with one.
Rule 3: this file waits for nothing: ``steps`` is resumed whenever something may have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from coalmine.serve.children import Child, ChildSpec, describe_exit

# A worker is ready within a second or three; on a machine that is very busy it takes longer.
REPLACEMENT_SECONDS = 60.0
# What must be alone ends within its own, shorter grace period.
HANDOVER_SECONDS = 5.0


class ReloadError(Exception):
    """Not everything was replaced; the text says what was not and why."""


class Reload:
    """``children`` are replaced in place; ``fresh`` have been started and are in nobody's place yet.

    ``leaving`` are the supervisor's to wait for.
    """

    def __init__(
        self, children: list[Child], specs: Sequence[ChildSpec], leaving: list[Child], *, now: Callable[[], float]
    ) -> None:
        self.fresh: list[Child] = []
        self._children = children
        self._specs = specs
        self._leaving = leaving
        self._now = now

    def steps(self) -> Generator[None, None, None]:
        """Raises ReloadError."""
        try:
            proven = yield from self._prove()
            for place in sorted(range(len(self._specs)), key=lambda place: not self._specs[place].alone):
                child = proven.get(place) or (yield from self._start(place))
                if child.spec.alone:
                    yield from self._hand_over(place, child)
                else:
                    self._take_turns(place, child)
        finally:
            self._give_up_fresh()

    def _prove(self) -> Generator[None, None, dict[int, Child]]:
        """The first of each kind, side by side."""
        firsts: dict[str, int] = {}
        for place, spec in enumerate(self._specs):
            firsts.setdefault(spec.kind, place)
        begun = {place: self._begin(place) for place in firsts.values()}
        for child in begun.values():
            yield from self._wait_for(child)
        return begun

    def _start(self, place: int) -> Generator[None, None, Child]:
        child = self._begin(place)
        yield from self._wait_for(child)
        return child

    def _begin(self, place: int) -> Child:
        child = Child(self._specs[place], now=self._now)
        self.fresh.append(child)
        child.start(standby=child.spec.alone)
        return child

    def _wait_for(self, child: Child) -> Generator[None, None, None]:
        end = self._now() + REPLACEMENT_SECONDS
        while not (child.prepared if child.spec.alone else child.ready):
            code = child.take_exit()
            if code is not None:
                raise ReloadError(f"the new {child.spec.name} cannot start ({describe_exit(code)})")
            if self._now() > end:
                raise ReloadError(f"the new {child.spec.name} is not ready after {REPLACEMENT_SECONDS:g} seconds")
            yield

    def _hand_over(self, place: int, child: Child) -> Generator[None, None, None]:
        old = self._replace(place, child)
        old.terminate()
        end = self._now() + HANDOVER_SECONDS
        while old.process is not None:
            if self._now() > end:
                old.kill()
            yield
        child.go()
        while not child.ready:
            if child.failures:
                raise ReloadError(
                    f"the new {child.spec.name} has taken over, but cannot start; it is being tried again"
                )
            yield

    def _take_turns(self, place: int, child: Child) -> None:
        self._replace(place, child).retire()

    def _replace(self, place: int, child: Child) -> Child:
        old = self._children[place]
        old.due = None
        self._leaving.append(old)
        self._children[place] = child
        self.fresh.remove(child)
        return old

    def _give_up_fresh(self) -> None:
        """What is in nobody's place goes; one that serves already finishes what it has begun."""
        for child in self.fresh:
            if child.ready:
                child.retire()
            else:
                child.kill()
        self._leaving += self.fresh
        self.fresh = []
