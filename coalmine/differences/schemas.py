"""Compares two schemas, in one direction. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coalmine.differences.aspects import Scope
from coalmine.differences.budget import Budget
from coalmine.differences.conditions import compare_conditions, compare_defaults, compare_discriminators
from coalmine.differences.difference import Report
from coalmine.differences.limits import compare_limits, compare_multiples, compare_unique
from coalmine.differences.objects import compare_items, compare_properties
from coalmine.differences.pair import Pair
from coalmine.differences.place import Pending, Place, Walk
from coalmine.differences.texts import compare_formats, compare_listed, compare_patterns
from coalmine.differences.types import compare_types
from coalmine.differences.unions import compare_unions, compare_wrapped
from coalmine.differences.view import Reader, View

Visited = set[tuple[frozenset[int], frozenset[int]]]
_STEPS: tuple[Callable[[View, View, Place], None], ...] = (
    compare_listed,
    compare_formats,
    compare_patterns,
    compare_limits,
    compare_multiples,
    compare_unique,
    compare_properties,
    compare_items,
    compare_unions,
    compare_conditions,
    compare_defaults,
    compare_discriminators,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison of two functions carries along."""

    pair: Pair
    report: Report
    budget: Budget

    def compare_schemas(self, old: Any, new: Any, where: str, scope: Scope, *, text: bool = False) -> None:
        """``text``: values are written as text. Raises ``OverrunError``."""
        before, after = (Reader(components, self.budget) for components in (self.pair.old, self.pair.new))
        walk = Walk(scope, text, self.report, self.budget, before, after, [Pending(old, new, where, 0)])
        visited: Visited = set()
        while walk.pending:
            one = walk.pending.pop()
            if not self._is_unchanged(one.old, one.new):
                _compare(one, walk, visited)

    def _is_unchanged(self, old: Any, new: Any) -> bool:
        """Seen at a glance; False where it takes a closer look."""
        if old is new:
            return self.pair.same
        if not isinstance(old, Mapping) or not isinstance(new, Mapping) or len(old) != 1 or len(new) != 1:
            return False
        reference = old.get("$ref")
        return isinstance(reference, str) and reference == new.get("$ref") and self.pair.is_unchanged(reference)


def _compare(one: Pending, walk: Walk, visited: Visited) -> None:
    place = Place(walk, one.where, one.depth)
    old, new = walk.old.look(one.old), walk.new.look(one.new)
    if old.unknown != new.unknown:
        walk.report.leave_out(one.where, "a reference leads nowhere")
        return
    if old.key or new.key:
        if (old.key, new.key) in visited:
            return
        visited.add((old.key, new.key))
    if compare_wrapped(one.old, one.new, (old, new), place):
        return
    if compare_types(old, new, place):
        for compare in _STEPS:
            compare(old, new, place)
