"""From the texts of parameters to the JSON values that schemas speak of.

Rule 1: this file performs no I/O. Schemas are bundled ones (``coalmine.routing.bundle``): references lead to ``$defs``.
Rule 2: a text becomes a number or a truth value only where the schema allows one and it is one, written as JSON writes
    it. Everything else stays text, and the schema says what it thinks of that: ``05`` and ``+5`` are no integers.
Rule 3: where a schema allows numbers and texts alike both readings are offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from coalmine.routing.values import Value

# Nobody nests combiners deeper than this and means something by it; it also ends circles of references.
_MAX_DEPTH = 8
_COMBINERS = ("allOf", "anyOf", "oneOf")
# RFC 8259 section 6. An integer of more digits than this is refused by Python, and needed by nobody.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS: dict[str, bool] = {"true": True, "false": False}
_TYPE_OF: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def find_types(schema: Any) -> frozenset[str]:
    """The types that ``schema`` names; none where it does not say."""
    return frozenset(kind for part in list_parts(schema, schema) for kind in _types_of(part))


def _types_of(part: dict[str, Any]) -> Iterator[str]:
    kinds = part.get("type")
    if kinds is not None:
        yield from kinds if isinstance(kinds, list) else [kinds]
        return
    for value in [*part.get("enum", ()), *([part["const"]] if "const" in part else ())]:
        yield _TYPE_OF[type(value)]


def list_parts(schema: Any, root: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """``schema`` and what it is combined of: references, allOf, anyOf, oneOf."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return
    yield schema
    if "$ref" in schema:
        yield from list_parts(find_definition(schema["$ref"], root), root, depth + 1)
    for combiner in _COMBINERS:
        for member in schema.get(combiner, ()):
            yield from list_parts(member, root, depth + 1)


def find_definition(reference: str, root: Any) -> Any:
    definitions = root.get("$defs", {}) if isinstance(root, dict) else {}
    return definitions.get(reference.removeprefix("#/$defs/"))


def convert(value: Value, schema: Any, root: Any, *, texts: bool = False) -> JsonValue:
    """``value`` as ``schema`` wants it; with ``texts`` what may stay a text does. ``root`` has the ``$defs``."""
    parts = list(list_parts(schema, root))
    if isinstance(value, dict):
        return {name: convert(one, _property(parts, name), root, texts=texts) for name, one in value.items()}
    if isinstance(value, list):
        return [convert(one, _items(parts), root, texts=texts) for one in value]
    types = frozenset(kind for part in parts for kind in _types_of(part))
    if "array" in types and "string" not in types:
        # A list of one item and a single value look the same.
        return [_convert_text(value, find_types({"allOf": [_items(parts)], "$defs": root.get("$defs", {})}))]
    return value if texts and "string" in types else _convert_text(value, types)


def _items(parts: list[dict[str, Any]]) -> Any:
    return next((part["items"] for part in parts if "items" in part), {})


def _property(parts: list[dict[str, Any]], name: str) -> Any:
    for part in parts:
        if name in part.get("properties", ()):
            return part["properties"][name]
    return next((part["additionalProperties"] for part in parts if "additionalProperties" in part), {})


def _convert_text(text: str, types: frozenset[str]) -> JsonValue:
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    if "boolean" in types and text in _BOOLEANS:
        return _BOOLEANS[text]
    return None if "null" in types and text == "null" else text
