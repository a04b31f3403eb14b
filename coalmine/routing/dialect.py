"""Schemas of every dialect that documents use (Swagger 2.0, OpenAPI 3.0 and 3.1) as JSON Schema draft 2020-12.

Rule 1: this file performs no I/O and follows no reference: ``refer`` says what each one becomes.
Rule 2: only keywords that are known, with values that they can have, are taken over. A mistake in a document costs the
    keyword that has it: the result always has the form of a schema.
Rule 3: what a reference that leads nowhere would have asked for is unknown, so it asks for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Schema = dict[str, Any] | bool
# The reference to write instead of this one, None where nothing is behind it.
Refer = Callable[[str], str | None]

TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
# Formats with one meaning that everybody shares. The others (email, uri, hostname, ...) are advice: annotations in
# draft 2020-12 (Validation section 7.2.1), and services differ in what they take.
CHECKED_FORMATS = frozenset({"date", "date-time", "uuid", "ipv4", "ipv6"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_ASSERTIONS: dict[str, Callable[[Any], bool]] = {
    "enum": lambda value: isinstance(value, list) and bool(value) and not _has_reference(value),
    "const": lambda value: not _has_reference(value),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "maximum": _is_number,
    "minimum": _is_number,
    "exclusiveMaximum": _is_number,
    "exclusiveMinimum": _is_number,
    "maxLength": _is_size,
    "minLength": _is_size,
    "pattern": lambda value: isinstance(value, str),
    "format": lambda value: isinstance(value, str),
    "maxItems": _is_size,
    "minItems": _is_size,
    "uniqueItems": lambda value: isinstance(value, bool),
    "maxContains": _is_size,
    "minContains": _is_size,
    "maxProperties": _is_size,
    "minProperties": _is_size,
    "required": _are_names,
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
}
_ONE = frozenset(
    [
        "not",
        "if",
        "then",
        "else",
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
# What tells people something and checks nothing.
_ANNOTATIONS: dict[str, Callable[[Any], bool]] = {
    "title": lambda value: isinstance(value, str),
    "description": lambda value: isinstance(value, str),
    "deprecated": lambda value: isinstance(value, bool),
    "readOnly": lambda value: isinstance(value, bool),
    "writeOnly": lambda value: isinstance(value, bool),
    "default": lambda value: not _has_reference(value),
    "example": lambda value: not _has_reference(value),
    "examples": lambda value: isinstance(value, list) and not _has_reference(value),
    "contentMediaType": lambda value: isinstance(value, str),
    "contentEncoding": lambda value: isinstance(value, str),
}


def _has_reference(value: Any) -> bool:
    """Whether somebody who resolves references everywhere, data included, would find one."""
    if isinstance(value, dict):
        return "$ref" in value or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))


class Translator:
    """``siblings``: keywords beside ``$ref`` count (3.1; before, OpenAPI 3.0.3 section 4.7.23.1, they do not).

    ``annotations``: what only tells people something stays. Without them the schema is for checking requests: formats
    are those that are checked, and what is ``readOnly`` is not required (OpenAPI 3.0.3 section 4.7.24.1). Of the
    annotations only the ``discriminator`` of alternatives stays: it tells which of them a value was meant for.
    """

    def __init__(self, refer: Refer, *, siblings: bool, annotations: bool) -> None:
        self._refer = refer
        self._siblings = siblings
        self._annotations = annotations

    def translate(self, schema: Any) -> Schema:
        """``schema`` in draft 2020-12. Depth is bounded by whoever read the document."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            return self._translate_reference(schema)
        return self._translate_plain(schema)

    def _translate_reference(self, schema: Mapping[str, Any]) -> Schema:
        reference = schema["$ref"]
        target = self._refer(reference) if isinstance(reference, str) else None
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        made = self._translate_plain(beside) if self._siblings else {}
        if target is not None:
            made = {"$ref": target, **made}
        return _allow_null(made) if _is_nullable(schema) and made else made

    def _translate_plain(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in schema.items():
            self._take(key, value, made)
        if not self._annotations:
            _drop_read_only(schema, made)
            if not made.keys().isdisjoint(("oneOf", "anyOf")) and "discriminator" in schema:
                self._take_annotation("discriminator", schema["discriminator"], made)
        _take_type(schema, made, annotations=self._annotations)
        _take_exclusive(schema, made)
        if self._annotations:
            _drop_default(made)
            _move_required(made)
        return _allow_null(made) if _is_nullable(schema) else made

    def _take(self, key: str, value: Any, made: dict[str, Any]) -> None:
        if key in _ASSERTIONS:
            checked = key != "format" or self._annotations or value in CHECKED_FORMATS
            if _ASSERTIONS[key](value) and checked:
                made[key] = value
        elif key == "items" and isinstance(value, list):
            self._take_list("prefixItems", value, made)  # the tuples of drafts before 2020-12
        elif key in _ONE and isinstance(value, dict | bool):
            made[key] = self.translate(value)
        elif key in _LISTS:
            self._take_list(key, value, made)
        elif key in _MAPS and isinstance(value, dict):
            made[key] = {str(name): self.translate(one) for name, one in value.items()}
        elif self._annotations:
            self._take_annotation(key, value, made)

    def _take_list(self, key: str, value: Any, made: dict[str, Any]) -> None:
        if isinstance(value, list) and value:
            made[key] = [self.translate(one) for one in value]

    def _take_annotation(self, key: str, value: Any, made: dict[str, Any]) -> None:
        if key in _ANNOTATIONS:
            if _ANNOTATIONS[key](value):
                made[key] = value
        elif key == "discriminator":
            name = value.get("propertyName") if isinstance(value, dict) else value
            if isinstance(name, str):
                made[key] = {"propertyName": name, **self._translate_mapping(value)}

    def _translate_mapping(self, discriminator: Any) -> dict[str, Any]:
        """OpenAPI 3.1 section 4.8.25: values are references, or bare names of schemas."""
        mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
        kept: dict[str, str] = {}
        for value, reference in mapping.items() if isinstance(mapping, dict) else ():
            if isinstance(reference, str):
                bare = "/" not in reference and "#" not in reference
                target = self._refer(f"#/components/schemas/{reference}" if bare else reference)
                if target is not None:
                    kept[str(value)] = target
        return {"mapping": kept} if kept else {}


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    return schema.get("nullable") is True or schema.get("x-nullable") is True


def _allow_null(made: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null. Documents list null in ``enum`` rarely, and mean it."""
    if "enum" in made and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    if "type" in made:
        kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
        made["type"] = list(dict.fromkeys([*kinds, "null"]))
    if {"$ref", "allOf", "anyOf", "oneOf", "const"}.isdisjoint(made):
        return made
    return {"anyOf": [made, {"type": "null"}]}


def _take_type(schema: Mapping[str, Any], made: dict[str, Any], *, annotations: bool) -> None:
    written = schema.get("type")
    if written == "file":  # Swagger 2.0: a part of a form, or the whole of an answer
        made |= {"type": "string", "format": "binary"} if annotations else {}
    kinds = [kind for kind in (written if isinstance(written, list) else [written]) if kind in TYPES]
    if kinds:
        made["type"] = kinds if isinstance(written, list) else kinds[0]


def _take_exclusive(schema: Mapping[str, Any], made: dict[str, Any]) -> None:
    """``exclusiveMinimum: true`` beside ``minimum`` (draft 4, so up to OpenAPI 3.0)."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive) is True and bound in made:
            made[exclusive] = made.pop(bound)


_IS_OF: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _drop_default(made: dict[str, Any]) -> None:
    """A default that its own schema refuses helps nobody, and whoever checks the document stumbles over it."""
    if "default" not in made:
        return
    default, kinds = made["default"], made.get("type", [])
    fits = not kinds or any(_IS_OF[kind](default) for kind in (kinds if isinstance(kinds, list) else [kinds]))
    if not fits or default not in made.get("enum", [default]):
        del made["default"]


def _move_required(made: dict[str, Any]) -> None:
    """Names of properties that stand behind allOf, as one more part of it: it says the same, and is understood by
    checkers that look for each required name beside it."""
    if "allOf" in made and not set(made.get("required", ())) <= made.get("properties", {}).keys():
        made["allOf"] = [*made["allOf"], {"required": made.pop("required")}]


def _drop_read_only(schema: Mapping[str, Any], made: dict[str, Any]) -> None:
    properties = schema.get("properties")
    if "required" not in made or not isinstance(properties, dict):
        return
    made["required"] = [
        name
        for name in made["required"]
        if not (isinstance(one := properties.get(name), dict) and one.get("readOnly") is True)
    ]
