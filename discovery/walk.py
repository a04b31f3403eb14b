"""A walk through a document, past what is data and not description: examples, defaults, values, extensions.

This file performs no I/O and does not recurse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Values of these are somebody's data, in which ``$ref`` means nothing.
_DATA = frozenset({"example", "examples", "default", "enum", "const", "value", "mapping"})
# Keys of these are names that people chose, so that ``default`` is a property or a response there.
_MAPS = frozenset(
    [
        "properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "paths", "schemas", "responses",
        "parameters", "requestBodies", "headers", "pathItems", "callbacks", "links", "mediaTypes", "content",
        "encoding", "securitySchemes", "variables", "webhooks",
    ]
)  # fmt: skip


@dataclass(slots=True)  # not frozen, which would make each of them three times as dear
class Place:
    """An object or a list where it stands; ``names``: people chose its keys."""

    value: Any
    key: str = ""
    parent: Place | None = None
    names: bool = False

    def pointer(self) -> str:
        keys: list[str] = []
        place = self
        while place.parent is not None:
            keys.append(place.key.replace("~", "~0").replace("/", "~1"))
            place = place.parent
        return "".join(f"/{key}" for key in reversed(keys))


def walk(root: Any) -> Iterator[Place]:
    """Every object and list of ``root`` that has something in it, those above before those below.

    Aliases are walked as often as they stand there: ``coalmine.reading`` has bounded how often that is.
    """
    top = Place(root)
    yield top
    pending = [_below(top)]
    while pending:
        place = next(pending[-1], None)
        if place is None:
            pending.pop()
            continue
        yield place
        pending.append(_below(place))


def _below(place: Place) -> Iterator[Place]:
    if isinstance(place.value, list):
        for index, value in enumerate(place.value):
            if value and isinstance(value, dict | list):
                yield Place(value, str(index), place)
        return
    for key, value in place.value.items():
        if value and isinstance(value, dict | list) and (place.names or not (key in _DATA or key.startswith("x-"))):
            yield Place(value, key, place, names=key in _MAPS and not place.names)
