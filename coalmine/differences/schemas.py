"""Compares two schemas, in one direction. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coalmine.differences.aspects import Scope
from coalmine.differences.budget import MAX_DEPTH, Budget
from coalmine.differences.conditions import compare_conditions, compare_defaults, compare_discriminators
from coalmine.differences.difference import Report
from coalmine.differences.limits import compare_limits, compare_multiples, compare_unique
from coalmine.differences.objects import compare_items, compare_properties
from coalmine.differences.pair import Found, Pair
from coalmine.differences.place import Inner, Place
from coalmine.differences.texts import compare_formats, compare_listed, compare_patterns
from coalmine.differences.types import compare_types
from coalmine.differences.unions import compare_unions, compare_wrapped
from coalmine.differences.values import is_same_leaf
from coalmine.differences.view import Combined, Reader, View

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
_NOTHING = Found((frozenset(), frozenset()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison of two functions carries along."""

    pair: Pair
    report: Report
    budget: Budget

    def compare_schemas(self, old: Any, new: Any, where: str, scope: Scope, *, text: bool = False) -> None:
        """``text``: values are written as text. Raises ``OverrunError``."""
        visited = set()
        pending = [(Inner(old, new, where), 0)]
        while pending:
            inner, depth = pending.pop()
            if depth > MAX_DEPTH:
                self.report.leave_out(inner.where, "the schema is too deep")
                continue
            found = self._find(inner, scope, text)
            if found.key in visited:
                continue
            if any(found.key):
                visited.add(found.key)
            self._tell(found, inner.where)
            pending.extend((Inner(one.old, one.new, inner.where + one.where), depth + 1) for one in found.inner)

    def _tell(self, found: Found, where: str) -> None:
        if found.gap:
            self.report.leave_out(where, found.gap)
        for change in found.changes:
            self.report.add(change.rule, where + change.where, change.detail)

    def _find(self, inner: Inner, scope: Scope, text: bool) -> Found:
        """What is to be told about one pair, found at most once. Objects of documents stay where they are."""
        if self._is_unchanged(inner.old, inner.new):
            return _NOTHING
        key = (id(inner.old), id(inner.new), scope, text)
        found = self.pair.found.get(key)
        if found is None:
            found = self._look(inner, Place(scope, text, self.budget, *self._readers()))
            if not isinstance(inner.old, Combined) and not isinstance(inner.new, Combined):
                self.pair.found[key] = found
        elif found.inner:
            self.budget.spend(len(found.inner))
            found.inner = [one for one in found.inner if self._has_something(one, scope, text)]
        return found

    def _has_something(self, inner: Inner, scope: Scope, text: bool) -> bool:
        found = self.pair.found.get((id(inner.old), id(inner.new), scope, text))
        return found is None or not found.is_empty

    def _readers(self) -> tuple[Reader, Reader]:
        return Reader(self.pair.old, self.budget), Reader(self.pair.new, self.budget)

    def _look(self, inner: Inner, place: Place) -> Found:
        old, new = place.old.look(inner.old), place.new.look(inner.new)
        if old.unknown != new.unknown:
            return Found((old.key, new.key), gap="a reference leads nowhere")
        if not compare_wrapped(inner.old, inner.new, (old, new), place) and compare_types(old, new, place):
            for compare in _STEPS:
                compare(old, new, place)
        kept = [one for one in place.inner if not self._is_unchanged(one.old, one.new)]
        return Found((old.key, new.key), place.changes, kept)

    def _is_unchanged(self, old: Any, new: Any) -> bool:
        """Seen at a glance; False where it takes a closer look."""
        if old is new:
            return self.pair.same or isinstance(old, bool)
        if not isinstance(old, Mapping) or not isinstance(new, Mapping) or not is_same_leaf(old, new):
            return False
        reference = old.get("$ref")
        return not isinstance(reference, str) or self.pair.is_unchanged(reference)
