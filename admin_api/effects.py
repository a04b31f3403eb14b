"""What a write does to routes: which are new, other, gone or worse off. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from coalmine.errors import Problem
from coalmine.model.revision import Effect, ObjectChange
from coalmine.routing.snapshot import Snapshot

_ROUTES = "routes/"
_WEIGHTS = {"warning": 1, "error": 2}


def find_effect(changes: Iterable[ObjectChange], before: Snapshot, after: Snapshot) -> Effect:
    """The effect of ``changes``, which led from ``before`` to ``after``."""
    routes = [(one.object.removeprefix(_ROUTES), one.action) for one in changes if one.object.startswith(_ROUTES)]
    old, new = _weigh(before.problems), _weigh(after.problems)
    return Effect(
        added=tuple(name for name, action in routes if action == "add"),
        changed=tuple(name for name, action in routes if action == "change"),
        removed=tuple(name for name, action in routes if action == "remove"),
        broken=tuple(name for name, weight in new.items() if weight > old.get(name, 0)),
    )


def find_new_problems(before: Snapshot, after: Snapshot) -> list[Problem]:
    known = set(before.problems)
    return [problem for problem in after.problems if problem not in known]


def _weigh(problems: Iterable[Problem]) -> dict[str, int]:
    """How bad it is with each route that has problems."""
    weights: dict[str, int] = {}
    for problem in problems:
        if problem.where.startswith(_ROUTES):
            name = problem.where.removeprefix(_ROUTES)
            weights[name] = max(weights.get(name, 0), _WEIGHTS[problem.severity])
    return weights
