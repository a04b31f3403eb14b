"""References inside documents: by pointer, by name, out of the document, and out of the components."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Document
from coalmine.routing.references import find_target
from discovery.document import check_document
from discovery.found import Reading
from discovery.operations import read_document

URL = "http://127.0.0.1:9000/docs/openapi.json"
LIST = {"type": "array", "items": {"type": "string"}}


def read(document: dict[str, Any]) -> Reading:
    return read_document(check_document(document), URL)


def document(schema: Any, version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    parameter = {"name": "q", "in": "query", "schema": schema}
    return {"openapi": version, "info": {"title": "T"}, "paths": {"/a": {"get": {"parameters": [parameter]}}}, **more}


def schemas(**named: Any) -> dict[str, Any]:
    return {"components": {"schemas": named}}


FOLLOWED: list[tuple[str, dict[str, Any]]] = [
    ("a pointer", document({"$ref": "#/components/schemas/A"}, **schemas(A=LIST))),
    ("a pointer whose braces and slashes are escaped", document({"$ref": "#/components/schemas/%7Bx%7D~1y"}, **schemas(**{"{x}/y": LIST}))),
    ("a pointer to a pointer", document({"$ref": "#/components/schemas/A"}, **schemas(A={"$ref": "#/components/schemas/B"}, B=LIST))),
    ("a pointer into $defs at the top", document({"$ref": "#/$defs/A"}, **{"$defs": {"A": LIST}})),
    ("a pointer into another operation", document({"$ref": "#/paths/~1a/get/x-list"}) | {"paths": {"/a": {"get": {"x-list": LIST, "parameters": [{"name": "q", "in": "query", "schema": {"$ref": "#/paths/~1a/get/x-list"}}]}}}}),
    ("the document's own URL", document({"$ref": "openapi.json#/components/schemas/A"}, **schemas(A=LIST))),
    ("an $anchor", document({"$ref": "#list"}, **schemas(A={"$anchor": "list", **LIST}))),
    ("a $dynamicAnchor", document({"$ref": "#list"}, **schemas(A={"$dynamicAnchor": "list", **LIST}))),
    ("an $id elsewhere", document({"$ref": "https://example.com/list"}, **schemas(A={"$id": "https://example.com/list", **LIST}))),
    ("an $id relative to the document", document({"$ref": "list"}, **schemas(A={"$id": "list", **LIST}))),
    ("an anchor inside a schema with an $id", document({"$ref": "urn:x:all#list"}, **schemas(A={"$id": "urn:x:all", "$defs": {"L": {"$anchor": "list", **LIST}}}))),
    ("a pointer inside a schema with an $id", document({"$ref": "urn:x:all"}, **schemas(A={"$id": "urn:x:all", "$ref": "#/$defs/L", "$defs": {"L": LIST}}))),
    ("an $id that is only written for people", document({"$ref": "#/components/schemas/A"}, **schemas(A={"$id": "A", "allOf": [{"$ref": "#/components/schemas/B"}]}, B=LIST))),
    ("$self of OpenAPI 3.2", document({"$ref": "https://example.com/api#/components/schemas/A"}, "3.2.0", **{"$self": "https://example.com/api"}, **schemas(A=LIST))),
]  # fmt: skip


@pytest.mark.parametrize("written", [row[1] for row in FOLLOWED], ids=[row[0] for row in FOLLOWED])
def test_is_followed(written: dict[str, Any]) -> None:
    reading = read(written)
    assert not reading.problems
    schema = reading.found[0].parameters[0].schema_
    assert isinstance(schema, dict) and schema["type"] == "array"


def test_names_of_schemas_mean_nothing_before_openapi_3_1() -> None:
    reading = read(document({"$ref": "#list"}, "3.0.3", **schemas(A={"$anchor": "list", **LIST})))
    assert [problem.code for problem in reading.problems] == ["document_invalid"]


def test_what_schemas_refer_to_is_kept_at_its_pointer_wherever_it_stands() -> None:
    body = {"content": {"application/json": {"schema": {"properties": {"next": {"$ref": "#/paths/~1a/get/responses/200/content/x/schema"}}}}}}  # fmt: skip
    paths = {"/a": {"get": {"responses": {"200": {"content": {"x": {"schema": LIST}}}}}, "post": {"requestBody": body}}}
    written = {"openapi": "3.0.3", "paths": paths, **schemas(A={"$ref": "#/x-shared/0/All"}), "x-shared": [{"All": {"type": "string"}}]}  # fmt: skip
    reading = read(written)
    kept = Document(upstream="u", url=URL, content_hash="", version=reading.version, fetched_at="2020-01-01T00:00:00Z", size_bytes=1, components=reading.components)  # type: ignore[arg-type]  # fmt: skip
    for pointer, value in {
        "/paths/~1a/get/responses/200/content/x/schema": LIST,
        "/x-shared/0/All": {"type": "string"},
    }.items():
        assert find_target(kept, f"#{pointer}") == (pointer, value)
    assert reading.components["paths"].keys() == {"/a"} and "post" not in reading.components["paths"]["/a"]


def test_what_is_kept_whole_holds_what_stands_inside_of_it() -> None:
    properties = {"a": {"$ref": "#/x/All"}, "b": {"$ref": "#/x/All/properties/deep"}}
    shared = {"All": {"properties": {"deep": {"type": "string"}}}}
    reading = read({**document({"properties": properties}), "x": shared})
    assert reading.components == {"x": shared}


TOLD: list[tuple[str, dict[str, Any], list[tuple[str, str, str]]]] = [
    ("a schema in another document", schemas(A={"$ref": "pet.yaml#/Pet"}), [("external_reference", "#/components/schemas/A", "a reference leads to 'pet.yaml'")]),
    ("several in one other document are one piece of news", schemas(A={"$ref": "pet.yaml#/Pet"}, B={"items": {"$ref": "pet.yaml#/Cat"}}), [("external_reference", "#/components/schemas/A", "2 references lead to 'pet.yaml'")]),
    ("a schema that is not there", schemas(A={"$ref": "#/components/schemas/Nope"}), [("document_invalid", "#/components/schemas/A", "nothing at '/components/schemas/Nope'")]),
    ("a property of the name $ref is no reference", schemas(A={"properties": {"$ref": {"type": "string"}}}), []),
    ("an example is data", schemas(A={"example": {"$ref": "x.json"}, "enum": [{"$ref": "x.json"}], "properties": {"example": {"type": "string"}}}), []),
    ("a property of the name default is a schema", schemas(A={"properties": {"default": {"$ref": "x.json"}}}), [("external_reference", "#/components/schemas/A/properties/default", "x.json")]),
]  # fmt: skip


@pytest.mark.parametrize(("more", "told"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD])
def test_what_leads_nowhere_is_told(more: dict[str, Any], told: list[tuple[str, str, str]]) -> None:
    problems = read(document({}, "3.0.3", **more)).problems
    assert [(problem.code, problem.where) for problem in problems] == [row[:2] for row in told]
    assert all(row[2] in problem.detail for row, problem in zip(told, problems, strict=True))
