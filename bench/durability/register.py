"""Whether what clients saw of one register fits to one order of their calls. This file performs no I/O.

Rule 1: a call takes effect at one moment between its begin and its end (linearizability, Herlihy and Wing 1990).
Rule 2: a call that broke off may have taken effect until then, or never: the process that had it is dead.
Rule 3: calls are walked in the order of begins and ends; kept are all configurations that are possible so far: the
        value, and which of the open calls have taken effect already (Lowe, Testing for linearizability, 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Call:
    """``value`` is what was written or read, None where there is nothing. ``sure``: it was answered."""

    begin: float
    end: float
    kind: Literal["put", "get", "delete"]
    value: str | None
    sure: bool = True
    was_there: bool | None = None  # what the answer to a put or delete said of what it found


Configuration = tuple[str | None, frozenset[int]]


def find_anomaly(calls: Iterable[Call], first: str | None = None) -> Call | None:
    """The first call at whose end no order is left that explains all answers; None where all is well."""
    listed = sorted(calls, key=lambda call: call.begin)
    possible: set[Configuration] = {(first, frozenset())}
    opened: set[int] = set()
    for _, ends, place in _walk(listed):
        if not ends:
            opened.add(place)
            continue
        possible = set(_expand(possible, listed, opened))
        if listed[place].sure:
            possible = {one for one in possible if place in one[1]}
        if not possible:
            return listed[place]
        opened.discard(place)
        possible = {(value, done - {place}) for value, done in possible}
    return None


def _walk(calls: list[Call]) -> list[tuple[float, bool, int]]:
    """Begins before ends where both are at one time: the more lenient reading."""
    begins = [(call.begin, False, place) for place, call in enumerate(calls)]
    return sorted(begins + [(call.end, True, place) for place, call in enumerate(calls)])


def _expand(possible: set[Configuration], calls: list[Call], opened: set[int]) -> set[Configuration]:
    """With every order in which open calls may have taken effect meanwhile."""
    found, fresh = set(possible), list(possible)
    while fresh:
        value, done = fresh.pop()
        for place in opened - done:
            for after in _apply(value, calls[place]):
                one = (after, done | {place})
                if one not in found:
                    found.add(one)
                    fresh.append(one)
    return found


def _apply(value: str | None, call: Call) -> Iterator[str | None]:
    """The value after the call, where it may take effect on ``value``."""
    if call.was_there is not None and call.was_there != (value is not None):
        return
    if call.kind == "get":
        if value == call.value:
            yield value
    else:
        yield call.value if call.kind == "put" else None
