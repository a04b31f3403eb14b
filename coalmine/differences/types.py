"""Types and null: which kinds of values a schema takes. This file performs no I/O.

Rule 1: an integer is a number (JSON Schema 2020-12 Core, section 4.2.1).
Rule 2: what is written as text (parameters) and may be any text takes numbers and booleans too.
Rule 3: where no type is given, listed values, properties or items tell it; documents often leave it out, and one that
    begins to write it has changed nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from coalmine.differences.place import Place
from coalmine.differences.values import freeze
from coalmine.differences.view import Reader, View

Kinds = frozenset[str]
_ALL: Kinds = frozenset({"array", "boolean", "number", "object", "string"})
_WRITTEN: Kinds = frozenset({"boolean", "integer", "number"})
_UNIONS_DEEP = 3  # alternatives in alternatives that are looked through for their types


def compare_types(old: View, new: View, place: Place) -> bool:
    """Whether there is anything else to compare: values that both take."""
    text = place.text
    before, after = find_kinds(old, place.old), find_kinds(new, place.new)
    _compare_null(old, new, before, after, place)
    had, has = _ALL if before is None else before, _ALL if after is None else after
    lost, gained = (_missing(had, has, text), _missing(has, had, text))
    if lost or gained:
        kind = "type-changed" if lost and gained else "type-specialized" if lost else "type-generalized"
        place.change(kind, f"the type was {_name(before)} and is {_name(after)}", "type")
    return bool(had - lost or has - gained)


def _missing(kinds: Kinds, others: Kinds, text: bool) -> Kinds:
    return frozenset(kind for kind in kinds if not _covers(others, kind, text))


def _covers(kinds: Kinds, kind: str, text: bool) -> bool:
    if kind in kinds or (kind == "integer" and "number" in kinds):
        return True
    return text and kind in _WRITTEN and "string" in kinds


def _name(kinds: Kinds | None) -> str:
    if kinds is None:
        return "any"
    return " or ".join(sorted(kinds)) or "none"


def find_kinds(view: View, reader: Reader, deep: int = 0) -> Kinds | None:
    """The types without null; None: any, as far as can be told."""
    if view.never:
        return frozenset()
    kinds: Kinds | None = None
    for declared in _declared(view):
        found = declared - {"null"}
        kinds = found if kinds is None else _meet(kinds, found)
    return _infer(view, reader, deep) if kinds is None else kinds


def _declared(view: View) -> list[Kinds]:
    """Swagger 2.0 knows a type ``file``, which later is a string."""
    found = []
    for written in view.all_of("type"):
        names = [name for name in (written if isinstance(written, list) else [written]) if isinstance(name, str)]
        if names:
            found.append(frozenset("string" if name == "file" else name for name in names))
    return found


def _meet(one: Kinds, other: Kinds) -> Kinds:
    return frozenset(k for k in one if _covers(other, k, False)) | frozenset(k for k in other if _covers(one, k, False))


def _infer(view: View, reader: Reader, deep: int) -> Kinds | None:
    values = [
        *view.all_of("const"),
        *(one for listed in view.all_of("enum") if isinstance(listed, list) for one in listed),
    ]
    if values:
        return frozenset(map(_kind_of, values)) - {"null"}
    if any(isinstance(value, dict) for value in view.all_of("properties")):
        return frozenset({"object"})
    if any(True for _ in view.all_of("items")):
        return frozenset({"array"})
    return _infer_union(view, reader, deep) if view.unions and deep < _UNIONS_DEEP else None


def _infer_union(view: View, reader: Reader, deep: int) -> Kinds | None:
    kinds: set[str] = set()
    for variant in view.unions[0][1]:
        found = find_kinds(reader.look(variant), reader, deep + 1)
        if found is None:
            return None
        kinds |= found
    return frozenset(kinds)


def _kind_of(value: Any) -> str:
    for python, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, python):
            return name
    return "null" if value is None else "object"


def _compare_null(old: View, new: View, before: Kinds | None, after: Kinds | None, place: Place) -> None:
    """Where any type will do, or none, null is not what changed."""
    if before and after:
        _tell_null(_takes_null(old, place), _takes_null(new, place), place)


def compare_wrapped_null(old: View, new: View, place: Place) -> None:
    """Of a schema that became one of some alternatives, or was one: null may have come or gone with them."""
    alone, union = (old, new) if new.unions else (new, old)
    if union.nullable and not _takes_null(alone, place):
        _tell_null(union is old, union is new, place)


def _tell_null(had: bool | None, has: bool | None, place: Place) -> None:
    if had is not None and has is not None and had != has:
        place.change(
            *(("became-not-nullable", "null was possible") if had else ("became-nullable", "null is possible"))
        )


def _takes_null(view: View, place: Place) -> bool | None:
    """None where alternatives decide, which are compared by themselves."""
    if view.nullable:
        return True
    if declared := _declared(view):
        return all("null" in kinds for kinds in declared)
    listed = find_listed(view, place)
    if listed is not None:
        return None in listed.values()
    return None if view.unions else False


def find_listed(view: View, place: Place) -> dict[Hashable, Any] | None:
    """The values of ``enum`` and ``const``, under what makes them equal; None where any value will do."""
    found: dict[Hashable, Any] | None = None
    lists = [one for one in view.all_of("enum") if isinstance(one, list) and one]
    for values in (*lists, *([value] for value in view.all_of("const"))):
        these = {freeze(value, place.budget): value for value in values}
        found = these if found is None else {key: value for key, value in found.items() if key in these}
    return found
