"""Smallest and largest: numbers, texts, lists, objects; multiples; items that must differ. No I/O.

Rule 1: of several limits the tightest counts, in either writing of "exclusive" (a flag beside the limit up to
    OpenAPI 3.0, a limit of its own since).
Rule 2: no limit is looser than any limit; a size of at least 0 is no limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

from coalmine.differences.place import Place
from coalmine.differences.view import Part, View
from coalmine.differences.words import show


@dataclass(frozen=True, slots=True)
class Keyword:
    kind: str
    name: str
    upper: bool
    exclusive: str | None = None


_KEYWORDS = (
    Keyword("max", "maximum", True, "exclusiveMaximum"),
    Keyword("min", "minimum", False, "exclusiveMinimum"),
    Keyword("max-length", "maxLength", True),
    Keyword("min-length", "minLength", False),
    Keyword("max-items", "maxItems", True),
    Keyword("min-items", "minItems", False),
    Keyword("max-properties", "maxProperties", True),
    Keyword("min-properties", "minProperties", False),
)
# The limit, and how much further it is from the values: (10, 0) takes 10, (10, -1) as an upper one does not.
Limit = tuple[int | float, int]


def compare_limits(old: View, new: View, place: Place) -> None:
    for keyword in _KEYWORDS:
        before, after = _find_limit(old, keyword), _find_limit(new, keyword)
        if before == after:
            continue
        endless = (math.inf if keyword.upper else -math.inf, 0)
        way = "increased" if (after or endless) > (before or endless) else "decreased"
        detail = f"{keyword.name} was {_name(before)} and is {_name(after)}"
        place.change(f"{keyword.kind}-{way}", detail, keyword.name)


def _name(limit: Limit | None) -> str:
    if limit is None:
        return "not given"
    return show(limit[0]) + (" (exclusive)" if limit[1] else "")


def _find_limit(view: View, keyword: Keyword) -> Limit | None:
    found = [limit for part in view.parts for limit in _limits(part, keyword)]
    tightest = min(found, default=None) if keyword.upper else max(found, default=None)
    return None if tightest == (0, 0) and not keyword.upper and keyword.exclusive is None else tightest


def _limits(part: Part, keyword: Keyword) -> Iterator[Limit]:
    value = part.get(keyword.name)
    exclusive = part.get(keyword.exclusive) if keyword.exclusive else None
    beyond = -1 if keyword.upper else 1
    if _is_number(value):
        yield value, beyond if exclusive is True else 0
    if _is_number(exclusive):
        yield exclusive, beyond


def _is_number(value: Any) -> TypeGuard[int | float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def compare_multiples(old: View, new: View, place: Place) -> None:
    """Fractions, because 0.3 is no multiple of 0.1 among floats."""
    before, after = _find_step(old), _find_step(new)
    if before == after:
        return
    if before is None or (after is not None and (after / before).denominator == 1):
        kind = "multiple-of-tightened"
    elif after is None or (before / after).denominator == 1:
        kind = "multiple-of-loosened"
    else:
        kind = "multiple-of-changed"
    detail = f"multipleOf was {_step_name(before)} and is {_step_name(after)}"
    place.change(kind, detail, "multipleOf")


def _find_step(view: View) -> Fraction | None:
    steps = [value for value in view.all_of("multipleOf") if _is_number(value) and value > 0]
    return max((Fraction(repr(step)) if isinstance(step, float) else Fraction(step) for step in steps), default=None)


def _step_name(step: Fraction | None) -> str:
    if step is None:
        return "not given"
    return show(step.numerator) if step.denominator == 1 else f"{show(step.numerator)}/{show(step.denominator)}"


def compare_unique(old: View, new: View, place: Place) -> None:
    before, after = (True in view.all_of("uniqueItems") for view in (old, new))
    if before != after:
        kind, words = ("unique-items-unset", "had to") if before else ("unique-items-set", "must")
        place.change(kind, f"items {words} differ", "uniqueItems")
