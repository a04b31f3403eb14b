"""What a snapshot says about each definition: order, shadows, problems. This file performs no I/O."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from coalmine.errors import Problem
from coalmine.model import Route
from coalmine.routing.shadow import find_shadowed
from coalmine.routing.snapshot import Snapshot

# Nobody can compare the conditions of these.
_INCOMPARABLE = ("invalid_regex", "route_invalid")

State = Literal["accepted", "warning", "rejected"]


@dataclass(frozen=True, slots=True)
class Served:
    """``order`` is a route's place in its virtual service, from 0; ``problems`` go by ``where``."""

    order: dict[str, int]
    shadowed_by: dict[str, str]
    problems: dict[str, list[Problem]]

    def find_problems(self, where: str) -> list[Problem]:
        return self.problems.get(where, [])

    def sort_key(self, route: Route) -> tuple[str, int, str]:
        """Effective order: by virtual service, then as it is served; what is not served comes last."""
        return route.virtual_service, self.order.get(route.name, len(self.order)), route.name


def judge(problems: list[Problem]) -> State:
    if any(problem.severity == "error" for problem in problems):
        return "rejected"
    return "warning" if problems else "accepted"


def index_snapshot(snapshot: Snapshot) -> Served:
    order: dict[str, int] = {}
    shadowed: dict[str, str] = {}
    for virtual_service in snapshot.virtual_services:
        order.update({route.name: place for place, route in enumerate(virtual_service.routes)})
        sound = [route.definition for route in virtual_service.routes if route.problem not in _INCOMPARABLE]
        shadowed.update(find_shadowed(sound))
    problems: dict[str, list[Problem]] = defaultdict(list)
    for problem in snapshot.problems:
        problems[problem.where].append(problem)
    return Served(order, shadowed, dict(problems))


class ServedIndex:
    """Remembers the index of the last snapshot it was asked for: most requests ask for the same one."""

    def __init__(self) -> None:
        self._last: tuple[str, Served] | None = None

    def find(self, snapshot: Snapshot) -> Served:
        last = self._last
        if last is None or last[0] != snapshot.version:
            last = (snapshot.version, index_snapshot(snapshot))
            self._last = last
        return last[1]
