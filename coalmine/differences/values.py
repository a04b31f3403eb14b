"""When two JSON values are the same one, and which document a reference leads into. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import unquote

from coalmine.differences.budget import MAX_VALUE_DEPTH, Budget, OverrunError

_LEAF_KEYS = 12
_PLAIN = (str, int, float, bool)


def freeze(value: Any, budget: Budget, depth: int = 0) -> Hashable:
    """Equal for equal JSON: 1 is 1.0 but not true, and keys have no order. Raises ``OverrunError``."""
    budget.spend()
    if depth > MAX_VALUE_DEPTH:
        raise OverrunError("a value is too deep")
    if isinstance(value, Mapping):
        return "object", frozenset((key, freeze(one, budget, depth + 1)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(freeze(one, budget, depth + 1) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", value
    return type(value).__name__, value


def is_same_leaf(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether both have the same few plain values: cheap, and most schemas are such. True is not 1 here either."""
    if len(old) != len(new) or len(old) > _LEAF_KEYS:
        return False
    pairs = [(value, new.get(key)) for key, value in old.items()]
    return all(type(one) is type(other) and isinstance(one, _PLAIN) and one == other for one, other in pairs)


class Components:
    """What the schemas of one document refer to."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self.root = components

    def find(self, reference: str) -> Any:
        """What is at a reference into this document (``#/components/schemas/Pet``); None where there is nothing."""
        if not reference.startswith("#/"):
            return None
        value: Any = self.root
        for step in unquote(reference[2:]).split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
                value = value[int(step[:9])]
            else:
                return None
        return value
