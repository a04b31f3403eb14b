"""Listed values, formats and patterns. This file performs no I/O."""

from __future__ import annotations

from coalmine.differences.place import Place
from coalmine.differences.types import find_listed
from coalmine.differences.view import View
from coalmine.differences.words import show_all

# (narrow, wide): every value of the first is one of the second (OpenAPI 3.1 section 4.4).
_WIDER = frozenset({("int32", "int64"), ("float", "double")})


def compare_listed(old: View, new: View, place: Place) -> None:
    """null is left to the types."""
    before, after = find_listed(old, place), find_listed(new, place)
    if before is None and after is None:
        return
    if before is None or after is None:
        kind, listed = ("became-enum", after) if before is None else ("no-longer-enum", before)
        words = "any value was possible, now only" if before is None else "any value is possible, not only"
        place.change(kind, f"{words} {show_all((listed or {}).values())}", "enum")
        return
    lost = [value for key, value in before.items() if key not in after and value is not None]
    gained = [value for key, value in after.items() if key not in before and value is not None]
    if lost:
        place.change("enum-value-removed", f"not listed any more: {show_all(lost)}", "enum")
    if gained:
        place.change("enum-value-added", f"newly listed: {show_all(gained)}", "enum")


def compare_formats(old: View, new: View, place: Place) -> None:
    before, after = _texts(old, "format"), _texts(new, "format")
    if before == after:
        return
    pair = ("".join(before), "".join(after))
    if before < after or pair[::-1] in _WIDER:
        kind = "format-specialized"
    else:
        kind = "format-generalized" if after < before or pair in _WIDER else "format-changed"
    place.change(kind, f"the format was {_name(before)} and is {_name(after)}", "format")


def compare_patterns(old: View, new: View, place: Place) -> None:
    before, after = _texts(old, "pattern"), _texts(new, "pattern")
    if before == after:
        return
    kind = "pattern-added" if before < after else "pattern-removed" if after < before else "pattern-changed"
    place.change(kind, f"the pattern was {_name(before)} and is {_name(after)}", "pattern")


def _texts(view: View, keyword: str) -> frozenset[str]:
    return frozenset(value for value in view.all_of(keyword) if isinstance(value, str) and value)


def _name(texts: frozenset[str]) -> str:
    return show_all(sorted(texts)) or "not given"
