"""The components of two documents, side by side: which of them nobody need look at. This file performs no I/O.

Most components are the same in two revisions of a document, and most functions use some of them. A reference is
unchanged when what it leads to is written the same on both sides, and so is everything that is reached from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coalmine.differences.aspects import Scope
from coalmine.differences.budget import MAX_TOTAL_NODES, Budget, OverrunError
from coalmine.differences.place import Change, Inner
from coalmine.differences.values import Components, freeze
from coalmine.differences.view import ViewKey

Key = tuple[ViewKey, ViewKey]


@dataclass(slots=True)
class Found:
    """What was found at a pair of schemas. ``key``: the same for the same pair of places; ``gap``: why not all."""

    key: Key
    changes: list[Change] = field(default_factory=list)
    inner: list[Inner] = field(default_factory=list)
    gap: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.inner or self.gap)


class Pair:
    """Made once for two documents, then used for all their functions."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.old, self.new = Components(old), Components(new)
        self.same = old is new
        self.found: dict[tuple[int, int, Scope, bool], Found] = {}
        self._budget = Budget(MAX_TOTAL_NODES)
        self._equal: dict[str, bool] = {}
        self._unchanged: dict[str, bool] = {}

    def is_unchanged(self, reference: str) -> bool:
        """False as well where that would take too long to find out."""
        if reference not in self._unchanged:
            try:
                self._unchanged[reference] = self._search(reference)
            except OverrunError:
                self._unchanged[reference] = False
        return self._unchanged[reference]

    def _search(self, reference: str) -> bool:
        seen: set[str] = set()
        pending = [reference]
        while pending:
            one = pending.pop()
            if one in seen or self._unchanged.get(one):
                continue
            self._budget.spend()
            if self._unchanged.get(one) is False or not self._is_equal(one):
                return False
            seen.add(one)
            pending.extend(self._references(one))
        self._unchanged.update(dict.fromkeys(seen, True))
        return True

    def _is_equal(self, reference: str) -> bool:
        if reference not in self._equal:
            old, new = self.old.find(reference), self.new.find(reference)
            same = old is not None and freeze(old, self._budget) == freeze(new, self._budget)
            self._equal[reference] = same
        return self._equal[reference]

    def _references(self, reference: str) -> Iterator[str]:
        pending = [self.old.find(reference)]
        while pending:
            value = pending.pop()
            self._budget.spend()
            if isinstance(value, Mapping):
                pending.extend(value.values())
                if isinstance(value.get("$ref"), str):
                    yield value["$ref"]
            elif isinstance(value, list):
                pending.extend(value)
