"""One pair of schemas that is looked at, and what is found there. This file performs no I/O.

Schemas are compared pair by pair and not by recursion: what is found at a pair does not depend on how it was reached,
so it is found once and told wherever the pair comes again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from coalmine.differences.aspects import ASPECTS, Scope
from coalmine.differences.budget import Budget
from coalmine.differences.view import Reader
from coalmine.differences.words import join


class Change(NamedTuple):
    rule: str
    where: str
    detail: str


class Inner(NamedTuple):
    """A pair below this one; ``where`` is relative to it."""

    old: Any
    new: Any
    where: str


@dataclass(slots=True)
class Place:
    """``text``: values are written as text (parameters), where a number is a text too."""

    scope: Scope
    text: bool
    budget: Budget
    old: Reader
    new: Reader
    changes: list[Change] = field(default_factory=list)
    inner: list[Inner] = field(default_factory=list)

    def change(self, kind: str, detail: str, *steps: str) -> None:
        """Something changed here, or that many steps below."""
        self.changes.append(Change(ASPECTS[kind].rule(self.scope), join("", *steps), detail))

    def descend(self, old: Any, new: Any, *steps: str) -> None:
        """This pair is to be compared too."""
        self.inner.append(Inner(old, new, join("", *steps)))
