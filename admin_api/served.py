"""What a snapshot says about each definition: order, shadows, problems. This file performs no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from coalmine.errors import Problem
from coalmine.routing.snapshot import Snapshot

T = TypeVar("T")

State = Literal["accepted", "warning", "rejected"]


@dataclass(frozen=True, slots=True)
class Served:
    """``places`` of routes are virtual service and order in it, from 0; ``problems`` go by ``where``."""

    places: dict[str, tuple[str, int]]
    shadowed_by: dict[str, str]
    problems: dict[str, list[Problem]]

    def find_problems(self, where: str) -> list[Problem]:
        return self.problems.get(where, [])

    def find_order(self, route: str) -> int | None:
        place = self.places.get(route)
        return place and place[1]


def judge(problems: list[Problem]) -> State:
    if any(problem.severity == "error" for problem in problems):
        return "rejected"
    return "warning" if problems else "accepted"


def index_snapshot(snapshot: Snapshot) -> Served:
    places: dict[str, tuple[str, int]] = {}
    shadowed: dict[str, str] = {}
    for virtual_service in snapshot.virtual_services:
        for order, route in enumerate(virtual_service.routes):
            places[route.name] = (virtual_service.name, order)
            if route.shadowed_by is not None:
                shadowed[route.name] = route.shadowed_by
    problems: dict[str, list[Problem]] = defaultdict(list)
    for problem in snapshot.problems:
        problems[problem.where].append(problem)
    return Served(places, shadowed, dict(problems))


class ByVersion(Generic[T]):
    """Remembers what ``make`` made of the last snapshot: most requests ask for the same one."""

    def __init__(self, make: Callable[[Snapshot], T]) -> None:
        self._make = make
        self._last: tuple[str, T] | None = None

    def find(self, snapshot: Snapshot) -> T:
        last = self._last
        if last is None or last[0] != snapshot.version:
            last = (snapshot.version, self._make(snapshot))
            self._last = last
        return last[1]
