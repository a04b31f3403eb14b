"""Schemas of every dialect in draft 2020-12."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.routing.dialect import Translator

NULL = {"type": "null"}


def refer(reference: str) -> str | None:
    return f"#/$defs/{reference.rpartition('/')[2]}" if reference.startswith("#/") else None


def translate(schema: Any, *, siblings: bool = False, annotations: bool = False) -> Any:
    return Translator(refer, siblings=siblings, annotations=annotations).translate(schema)


SCHEMAS: list[Any] = [
    pytest.param({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}, id="what is the same stays"),
    pytest.param(True, True, id="true"),
    pytest.param("string", {}, id="a text is no schema"),
    pytest.param({"type": "string", "nullable": True}, {"type": ["string", "null"]}, id="nullable"),
    pytest.param({"type": "string", "x-nullable": True}, {"type": ["string", "null"]}, id="x-nullable of Swagger 2.0"),
    pytest.param(
        {"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}, id="nullable twice over"
    ),
    pytest.param({"enum": ["a"], "nullable": True}, {"enum": ["a", None]}, id="nullable adds null to an enum"),
    pytest.param({"enum": ["a", None], "nullable": True}, {"enum": ["a", None]}, id="an enum that has null"),
    pytest.param({"nullable": True}, {}, id="nullable alone asks for nothing"),
    pytest.param(
        {"allOf": [{"type": "string"}], "nullable": True},
        {"anyOf": [{"allOf": [{"type": "string"}]}, NULL]},
        id="nullable beside allOf",
    ),
    pytest.param(
        {"$ref": "#/definitions/Pet", "nullable": True},
        {"anyOf": [{"$ref": "#/$defs/Pet"}, NULL]},
        id="nullable beside a reference is meant",
    ),
    pytest.param({"$ref": "http://x/y", "nullable": True}, {}, id="a nullable reference that leads nowhere"),
    pytest.param(
        {"$ref": "#/a/Pet", "maxLength": 1}, {"$ref": "#/$defs/Pet"}, id="siblings of a reference are ignored"
    ),
    pytest.param({"$ref": 5}, {}, id="a reference that is no text"),
    pytest.param(
        {"properties": {"$ref": {"type": "string"}}}, {"properties": {"$ref": {"type": "string"}}}, id="a property $ref"
    ),
    pytest.param({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}, id="exclusiveMinimum: true"),
    pytest.param({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}, id="exclusiveMaximum: false"),
    pytest.param({"exclusiveMinimum": True}, {}, id="exclusiveMinimum without a minimum"),
    pytest.param({"exclusiveMinimum": 1}, {"exclusiveMinimum": 1}, id="exclusiveMinimum of 3.1"),
    pytest.param({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}, id="tuples of old drafts"),
    pytest.param({"items": True, "allOf": []}, {"items": True}, id="an empty list of schemas is dropped"),
    pytest.param({"type": "file"}, {}, id="files of Swagger 2.0"),
    pytest.param({"type": ["string", "wat"]}, {"type": ["string"]}, id="types that do not exist"),
    pytest.param({"required": True, "minLength": "5", "pattern": 3}, {}, id="values that no keyword has"),
    pytest.param({"maximum": True, "minLength": -1, "multipleOf": 0}, {}, id="numbers that no keyword has"),
    pytest.param({"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["b"]}}, id="dependentRequired"),
    pytest.param({"properties": [], "not": 5}, {}, id="lists where objects belong"),
    pytest.param({"format": "uuid"}, {"format": "uuid"}, id="a format that everybody checks"),
    pytest.param({"format": "email"}, {}, id="a format that is advice"),
    pytest.param({"title": "x", "example": 5, "xml": {}, "x-a": 1}, {}, id="annotations are left out"),
    pytest.param(
        {"properties": {"id": {"readOnly": True}, "a": {}, "b": True}, "required": ["id", "a", "b", "c"]},
        {"properties": {"id": {}, "a": {}, "b": True}, "required": ["a", "b", "c"]},
        id="what is read-only is not required of requests",
    ),
]


@pytest.mark.parametrize(("schema", "translated"), SCHEMAS)
def test_a_schema_for_checking_requests(schema: Any, translated: Any) -> None:
    assert translate(schema) == translated


DESCRIBED: list[Any] = [
    pytest.param({"description": "x", "title": 5}, {"description": "x"}, id="texts stay, nonsense does not"),
    pytest.param({"format": "email", "example": 1}, {"format": "email", "example": 1}, id="formats and examples stay"),
    pytest.param({"example": [{"$ref": "http://x"}]}, {}, id="examples that look like references"),
    pytest.param({"xml": {"name": "x"}, "x-a": 1}, {}, id="what is not known is left out"),
    pytest.param(
        {"properties": {"id": {"readOnly": True}}, "required": ["id"]},
        {"properties": {"id": {"readOnly": True}}, "required": ["id"]},
        id="read-only properties stay required",
    ),
    pytest.param({"type": "file"}, {"type": "string", "format": "binary"}, id="files of Swagger 2.0"),
    pytest.param({"enum": [{"$ref": "http://x"}], "const": {"$ref": "x"}}, {}, id="values that look like references"),
    pytest.param({"type": "integer", "default": 1.0}, {"type": "integer", "default": 1.0}, id="a default that fits"),
    pytest.param({"type": ["string", "null"], "default": 1}, {"type": ["string", "null"]}, id="a default of no type"),
    pytest.param({"enum": ["a"], "default": "b"}, {"enum": ["a"]}, id="a default that is not in the enum"),
    pytest.param({"default": 1}, {"default": 1}, id="a default of anything"),
    pytest.param(
        {"allOf": [{}], "required": ["a"]}, {"allOf": [{}, {"required": ["a"]}]}, id="required names behind allOf"
    ),
    pytest.param(
        {"allOf": [{}], "required": ["a"], "properties": {"a": {}}},
        {"allOf": [{}], "required": ["a"], "properties": {"a": {}}},
        id="required names beside allOf",
    ),
    pytest.param({"discriminator": "kind"}, {"discriminator": {"propertyName": "kind"}}, id="Swagger's discriminator"),
    pytest.param({"discriminator": {"mapping": {}}}, {}, id="a discriminator of nothing"),
    pytest.param(
        {"discriminator": {"propertyName": "k", "mapping": {"a": "#/x/A", "b": "B", "c": "http://x/C", "d": 5}}},
        {"discriminator": {"propertyName": "k", "mapping": {"a": "#/$defs/A", "b": "#/$defs/B"}}},
        id="a mapping is made of references",
    ),
    pytest.param(
        {"discriminator": {"propertyName": "k", "mapping": {"c": "http://x/C"}}},
        {"discriminator": {"propertyName": "k"}},
        id="a mapping that leads nowhere",
    ),
]


@pytest.mark.parametrize(("schema", "translated"), DESCRIBED)
def test_a_schema_for_people(schema: Any, translated: Any) -> None:
    assert translate(schema, annotations=True) == translated


def test_keywords_beside_a_reference_count_in_openapi_3_1() -> None:
    beside = {"$ref": "#/x/Pet", "maxProperties": 1}
    assert translate(beside, siblings=True) == {"$ref": "#/$defs/Pet", "maxProperties": 1}
    assert translate({"$ref": "other.json", "maxProperties": 1}, siblings=True) == {"maxProperties": 1}
