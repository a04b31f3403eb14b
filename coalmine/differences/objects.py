"""Properties, what may stand beside them, and items. This file performs no I/O.

Rule 1: a ``readOnly`` property is no part of what is sent, a ``writeOnly`` one none of what comes back
    (OpenAPI 3.0.3 section 4.7.24.1).
Rule 2: a property that is required and described nowhere is there and may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coalmine.differences.aspects import Scope
from coalmine.differences.place import Place
from coalmine.differences.view import View, combine
from coalmine.differences.words import printable

_HIDDEN: dict[Scope, str] = {"parameter": "readOnly", "request": "readOnly", "response": "writeOnly"}


@dataclass(frozen=True, slots=True)
class Properties:
    described: dict[str, list[Any]]
    required: frozenset[str]
    others: list[Any]

    @property
    def closed(self) -> bool:
        return any(schema is False for schema in self.others)


def compare_properties(old: View, new: View, place: Place) -> None:
    before, after = (_find_properties(view, place) for view in (old, new))
    for name in sorted({*before.described, *after.described}):
        if name not in after.described:
            _tell_removed(name, before, after, place)
        elif name not in before.described:
            _tell_added(name, before, after, place)
        else:
            _compare_required(name, before, after, place)
            place.descend(combine(before.described[name]), combine(after.described[name]), "properties", name)
    _compare_others(before, after, place)


def _find_properties(view: View, place: Place) -> Properties:
    described: dict[str, list[Any]] = {}
    for properties in view.all_of("properties"):
        for name, schema in properties.items() if isinstance(properties, Mapping) else ():
            described.setdefault(name, []).append(schema)
    required = {
        name for names in view.all_of("required") if isinstance(names, list) for name in names if _is_name(name)
    }
    for name in required:
        described.setdefault(name, [True])
    hidden = _HIDDEN[place.scope]
    shown = {name: all_of for name, all_of in described.items() if not any(_is_flagged(one, hidden) for one in all_of)}
    return Properties(shown, frozenset(required & shown.keys()), list(view.all_of("additionalProperties")))


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _is_flagged(schema: Any, flag: str) -> bool:
    return isinstance(schema, Mapping) and schema.get(flag) is True


def _tell_removed(name: str, before: Properties, after: Properties, place: Place) -> None:
    kind = "required" if name in before.required else "optional"
    place.change(f"{kind}-property-removed", f"the {kind} property {_name(name)} was removed", "properties", name)
    if after.closed:
        place.change("property-forbidden", f"{_name(name)} is not allowed any more", "properties", name)


def _tell_added(name: str, before: Properties, after: Properties, place: Place) -> None:
    kind = "required" if name in after.required else "optional"
    place.change(f"{kind}-property-added", f"the {kind} property {_name(name)} was added", "properties", name)
    if before.closed:
        place.change("property-permitted", f"{_name(name)} was not allowed before", "properties", name)


def _compare_required(name: str, before: Properties, after: Properties, place: Place) -> None:
    had, has = name in before.required, name in after.required
    if had != has:
        way = "optional" if had else "required"
        place.change(f"property-became-{way}", f"the property {_name(name)} became {way}", "properties", name)


def _compare_others(before: Properties, after: Properties, place: Place) -> None:
    if before.closed != after.closed:
        kind, words = ("allowed", "were not") if before.closed else ("forbidden", "were")
        detail = f"properties that are not listed {words} allowed"
        place.change(f"additional-properties-{kind}", detail, "additionalProperties")
    elif (before.others or after.others) and not before.closed:
        place.descend(combine(before.others), combine(after.others), "additionalProperties")


def _name(name: str) -> str:
    return printable(name, 100)


def compare_items(old: View, new: View, place: Place) -> None:
    """A list stands for items one by one (before JSON Schema 2020-12); that is a condition like others."""
    before, after = ([one for one in view.all_of("items") if not isinstance(one, list)] for view in (old, new))
    if before or after:
        place.descend(combine(before), combine(after), "items")
