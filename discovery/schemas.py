"""Schemas of parameters and bodies: kept as the document has them, but for what calling needs to see.

To put a value into a URL one must know whether it is a list; where a parameter's schema is only a reference, the
target stands in its place, one level deep. Below that, references stay. This file performs no I/O.
"""

from __future__ import annotations

import json
from typing import Any

from discovery.reader import Reader
from discovery.references import BrokenReferenceError

Schema = dict[str, Any] | bool

# Swagger 2.0 writes a parameter's schema into the parameter itself ("Parameter Object", fixed fields).
_INLINE_KEYS = (
    "type", "format", "items", "default", "enum", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
    "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf",
)  # fmt: skip


def as_schema(reader: Reader, value: Any) -> Schema | None:
    if not isinstance(value, dict | bool):
        return None
    reader.count_schema(value)
    return value


def inline_schema(reader: Reader, parameter: dict[str, Any]) -> dict[str, Any]:
    """The schema of a Swagger 2.0 parameter that is not a body."""
    schema = {key: parameter[key] for key in _INLINE_KEYS if key in parameter}
    reader.count_bytes(len(json.dumps(schema)))
    return schema


def shaped_schema(reader: Reader, value: Any, pointer: str) -> Schema:
    """The schema of a parameter, with its type visible at the top where the document tells it."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        return {}
    schema = _target(reader, value, pointer)
    reader.count_schema(schema)
    if "type" not in schema and isinstance(schema.get("allOf"), list):
        # Generators wrap a reference in allOf in order to put a default or a description beside it.
        types = [_target(reader, part, pointer).get("type") for part in schema["allOf"] if isinstance(part, dict)]
        known = [kind for kind in types if isinstance(kind, str)]
        if known:
            return {**schema, "type": known[0]}
    return schema


def _target(reader: Reader, schema: dict[str, Any], pointer: str) -> dict[str, Any]:
    try:
        resolved = reader.references.resolve(schema, pointer).value
    except BrokenReferenceError as error:
        reader.report(error.code, pointer, f"the schema of a parameter: {error}")
        return {}
    return resolved if isinstance(resolved, dict) else {}
