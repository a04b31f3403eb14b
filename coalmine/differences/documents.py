"""Compares all functions of two revisions of a document. This file performs no I/O.

Rule 1: functions are the same by name; those that are left, by method and path: that one was renamed.
Rule 2: a function that is ``removed`` is not there: its coming back is an addition, its leaving the catalog nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coalmine.differences.aspects import Severity
from coalmine.differences.budget import MAX_NODES, MAX_TOTAL_NODES, Budget
from coalmine.differences.difference import Difference, Report, worst
from coalmine.differences.functions import compare
from coalmine.differences.pair import Pair
from coalmine.differences.parameters import path_shape
from coalmine.differences.words import printable
from coalmine.model.function import Function


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """A function that is there before and after, and differs."""

    old: Function
    new: Function
    differences: tuple[Difference, ...]

    @property
    def severity(self) -> Severity:
        return worst(self.differences) or "info"


@dataclass(frozen=True, slots=True)
class DocumentDifference:
    """Sorted by name. ``differences`` tells of all, added and removed functions included."""

    added: tuple[Function, ...] = ()
    removed: tuple[Function, ...] = ()
    changed: tuple[FunctionChange, ...] = ()

    @property
    def differences(self) -> tuple[Difference, ...]:
        return (
            *(_tell("function-removed", function, "is gone") for function in self.removed),
            *(_tell("function-added", function, "is new") for function in self.added),
            *(difference for change in self.changed for difference in change.differences),
        )

    @property
    def severity(self) -> Severity | None:
        """None where nothing changed."""
        return worst(self.differences)


def compare_documents(
    old: Sequence[Function],
    new: Sequence[Function],
    *,
    old_components: Mapping[str, Any],
    new_components: Mapping[str, Any],
) -> DocumentDifference:
    """``old`` and ``new``: the functions of two revisions; ``*_components``: what they refer to. Never raises."""
    before, after = _by_name(old), _by_name(new)
    pairs = [(before.pop(name), after.pop(name)) for name in list(before) if name in after]
    pairs += _match_renamed(before, after)
    pair, whole = Pair(old_components, new_components), Budget(MAX_TOTAL_NODES)
    changed = []
    for one, other in sorted(pairs, key=lambda both: both[0].name):
        differences = compare(one, other, pair, Budget(MAX_NODES, whole), across=False)
        if differences:
            changed.append(FunctionChange(one, other, differences))
    return DocumentDifference(_sorted(after.values()), _sorted(before.values()), tuple(changed))


def _by_name(functions: Sequence[Function]) -> dict[str, Function]:
    return {function.name: function for function in functions if function.state == "active"}


def _match_renamed(before: dict[str, Function], after: dict[str, Function]) -> list[tuple[Function, Function]]:
    """Takes those out of both that are called in the same way."""
    called = {(function.method, path_shape(function.path)): name for name, function in after.items()}
    pairs = []
    for name, function in list(before.items()):
        other = called.pop((function.method, path_shape(function.path)), None)
        if other is not None:
            pairs.append((before.pop(name), after.pop(other)))
    return pairs


def _sorted(functions: Iterable[Function]) -> tuple[Function, ...]:
    return tuple(sorted(functions, key=lambda function: function.name))


def _tell(rule: str, function: Function, words: str) -> Difference:
    report = Report(function.name)
    called = f"{function.method} {printable(function.path, 200)}"
    report.add(rule, "", f"the function {printable(function.name, 100)} ({called}) {words}")
    return report.finish()[0]
