"""``oneOf`` and ``anyOf``: sets of alternatives. This file performs no I/O.

Rule 1: alternatives are the same when they refer to the same place or are written the same; of those that are left,
    one on either side is one that changed. Nothing else is guessed.
Rule 2: a schema that became one of some alternatives is compared with itself among them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from coalmine.differences.place import Place
from coalmine.differences.types import compare_wrapped_null
from coalmine.differences.values import freeze
from coalmine.differences.view import View
from coalmine.differences.words import show


def compare_wrapped(old: Any, new: Any, views: tuple[View, View], place: Place) -> bool:
    """Whether one of the two is an alternative of the other; then there is nothing else to compare here."""
    before, after = views
    if bool(before.unions) == bool(after.unions):
        return False
    grown = bool(after.unions)
    single, (keyword, variants) = (_unwrap(old), after.unions[0]) if grown else (_unwrap(new), before.unions[0])
    labels = [_label(variant, place) for variant in variants]
    own = _label(single, place)
    if own not in labels:
        return False
    at = labels.index(own)
    for index, variant in enumerate(variants):
        if index != at:
            _tell("added" if grown else "removed", variant, place, keyword, index)
    compare_wrapped_null(before, after, place)
    place.descend(*((single, variants[at]) if grown else (variants[at], single)), keyword, str(at))
    return True


def _unwrap(schema: Any) -> Any:
    """What is written as the only one of some alternatives is that one."""
    while isinstance(schema, Mapping) and len(schema) == 1:
        keyword, variants = next(iter(schema.items()))
        if keyword not in ("oneOf", "anyOf", "allOf") or not isinstance(variants, list) or len(variants) != 1:
            break
        schema = variants[0]
    return schema


def compare_unions(old: View, new: View, place: Place) -> None:
    if old.unions and new.unions:
        _compare_variants(old, new, place)
    elif new.unions:
        place.change("union-added", "one of some alternatives must hold now", new.unions[0][0])
    elif old.unions:
        place.change("union-removed", "one of some alternatives had to hold", old.unions[0][0])


def _compare_variants(old: View, new: View, place: Place) -> None:
    before, after = _find_variants(old, place), _find_variants(new, place)
    keyword = new.unions[0][0]
    for label in before.keys() & after.keys():
        place.descend(before[label][1], after[label][1], keyword, str(after[label][0]))
    lost = [entry for label, entry in before.items() if label not in after]
    gained = [entry for label, entry in after.items() if label not in before]
    if len(lost) == len(gained) == 1:
        place.descend(lost[0][1], gained[0][1], keyword, str(gained[0][0]))
        return
    for index, variant in lost:
        _tell("removed", variant, place, keyword, index)
    for index, variant in gained:
        _tell("added", variant, place, keyword, index)


def _find_variants(view: View, place: Place) -> dict[Hashable, tuple[int, Any]]:
    """Index and schema of each alternative, under what makes it the same."""
    variants = [variant for _, variants in view.unions for variant in variants]
    return {_label(variant, place): (index, variant) for index, variant in enumerate(variants)}


def _tell(way: str, variant: Any, place: Place, keyword: str, index: int) -> None:
    place.change(f"variant-{way}", f"the alternative {_name(variant)} was {way}", keyword, str(index))


def _label(variant: Any, place: Place) -> Hashable:
    reference = variant.get("$ref") if isinstance(variant, Mapping) else None
    return reference if isinstance(reference, str) else freeze(variant, place.budget)


def _name(variant: Any) -> str:
    if not isinstance(variant, Mapping):
        return show(variant)
    named = (variant.get(key) for key in ("$ref", "title", "type"))
    return show(next((name for name in named if isinstance(name, str)), variant))
