"""What is compared as written: defaults, discriminators, and conditions that cannot be weighed. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from coalmine.differences.place import Place
from coalmine.differences.values import freeze
from coalmine.differences.view import View
from coalmine.differences.words import show

_CONDITIONS = (
    "not", "if", "then", "else", "contains", "minContains", "maxContains", "prefixItems", "additionalItems",
    "patternProperties", "propertyNames", "dependencies", "dependentRequired", "dependentSchemas",
    "unevaluatedItems", "unevaluatedProperties", "contentEncoding", "contentMediaType", "contentSchema",
)  # fmt: skip


def compare_conditions(old: View, new: View, place: Place) -> None:
    budget = place.budget
    for keyword in _CONDITIONS:
        before, after = ({freeze(one, budget) for one in view.all_of(keyword)} for view in (old, new))
        _tell(keyword, before, after, place)
    before, after = ({freeze(one, budget) for one in _tuples(view)} for view in (old, new))
    _tell("items", before, after, place)


def _tuples(view: View) -> Iterable[Any]:
    return (one for one in view.all_of("items") if isinstance(one, list))


def _tell(keyword: str, before: set[Any], after: set[Any], place: Place) -> None:
    if before != after:
        way = "added" if not before else "changed" if after else "removed"
        place.change("condition-changed", f"the condition {keyword} was {way}", keyword)


def compare_defaults(old: View, new: View, place: Place) -> None:
    """A default that is null says "absent"."""
    before, after = (next((one for one in view.all_of("default") if one is not None), None) for view in (old, new))
    if freeze(before, place.budget) != freeze(after, place.budget):
        place.change("default-changed", f"the default was {_name(before)} and is {_name(after)}", "default")


def compare_discriminators(old: View, new: View, place: Place) -> None:
    before, after = (next(filter(None, map(_property, view.all_of("discriminator"))), None) for view in (old, new))
    if before != after:
        detail = f"the discriminator was {_name(before)} and is {_name(after)}"
        place.change("discriminator-changed", detail, "discriminator")


def _property(written: Any) -> str | None:
    """An object since OpenAPI 3.0, a name alone in Swagger 2.0."""
    name = written.get("propertyName") if isinstance(written, Mapping) else written
    return name if isinstance(name, str) else None


def _name(value: Any) -> str:
    return "not given" if value is None else show(value)
