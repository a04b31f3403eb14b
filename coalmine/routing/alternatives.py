"""Which of several alternative schemas (``oneOf``, ``anyOf``) a value was meant for.

Rule 1: this file performs no I/O. Schemas are bundled ones (``coalmine.routing.bundle``).
Rule 2: nothing is judged here. The discriminator does not change what fits (OpenAPI 3.1.1 section 4.8.25), it only says
    whose faults are worth telling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coalmine.routing.convert import find_definition
from coalmine.routing.pointers import escape

# Longer lists of names help nobody to find the right one.
_MOST_NAMES = 10


class Unclear(NamedTuple):
    """The value does not say, although it has to; ``pointer`` is into the value."""

    pointer: str
    detail: str


def find_meant(
    schema: Mapping[str, Any], alternatives: Sequence[Any], value: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Any | Unclear | None:
    """The alternative; None where nothing tells."""
    discriminator = schema.get("discriminator")
    if discriminator is not None:
        return _by_discriminator(discriminator, alternatives, value)
    fitting = [one for one in alternatives if _names(_resolve(one, definitions), value)]
    return fitting[0] if len(fitting) == 1 else None


def _by_discriminator(
    discriminator: Mapping[str, Any], alternatives: Sequence[Any], value: Mapping[str, Any]
) -> Any | Unclear | None:
    name = discriminator["propertyName"]
    references = [one["$ref"] for one in alternatives if isinstance(one, dict) and "$ref" in one]
    known = {reference.rpartition("/")[2]: reference for reference in references}
    known |= discriminator.get("mapping", {})
    if not known:
        return None
    said = value.get(name)
    if said is None:
        return Unclear("", f'"{name}" is a required property: it tells which alternative is meant')
    wanted = known.get(said) if isinstance(said, str) else None
    if wanted is None:
        return Unclear(f"/{escape(name)}", f"is none of {', '.join(sorted(known)[:_MOST_NAMES])}")
    return next((one for one in alternatives if isinstance(one, dict) and one.get("$ref") == wanted), {"$ref": wanted})


def _resolve(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict) and "$ref" in schema:
        return find_definition(schema["$ref"], {"$defs": definitions})
    return schema


def _names(schema: Any, value: Mapping[str, Any]) -> bool:
    """Whether a property has the one value that ``schema`` allows it: a type written as a constant."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for name, one in properties.items():
        allowed = [one["const"]] if isinstance(one, dict) and "const" in one else []
        if isinstance(one, dict) and len(one.get("enum", ())) == 1:
            allowed = one["enum"]
        if allowed and allowed[0] == value.get(name):
            return True
    return False
