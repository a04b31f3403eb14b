"""Where a comparison of schemas stands, and what it has still to do. This file performs no I/O.

Schemas are compared from a list of pairs that wait, not by recursion: depth is a number and not the stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coalmine.differences.aspects import ASPECTS, Scope
from coalmine.differences.budget import MAX_DEPTH, Budget
from coalmine.differences.difference import Report
from coalmine.differences.view import Reader
from coalmine.differences.words import join


@dataclass(frozen=True, slots=True)
class Pending:
    old: Any
    new: Any
    where: str
    depth: int


@dataclass(slots=True)
class Walk:
    """``text``: values are written as text (parameters), where a number is a text too."""

    scope: Scope
    text: bool
    report: Report
    budget: Budget
    old: Reader
    new: Reader
    pending: list[Pending]


@dataclass(frozen=True, slots=True)
class Place:
    """One pair of schemas. What is found here goes to the report under the rule of this direction."""

    walk: Walk
    where: str
    depth: int

    def change(self, kind: str, detail: str, *steps: str) -> None:
        self.walk.report.add(ASPECTS[kind].rule(self.walk.scope), join(self.where, *steps), detail)

    def descend(self, old: Any, new: Any, *steps: str) -> None:
        """Compare this pair later."""
        where = join(self.where, *steps)
        if self.depth >= MAX_DEPTH:
            self.walk.report.leave_out(where, "the schema is too deep")
        else:
            self.walk.pending.append(Pending(old, new, where, self.depth + 1))
