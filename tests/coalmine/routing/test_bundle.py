"""Schemas that are complete in themselves, and where their references lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coalmine.model import Document, Function, RequestBody
from coalmine.routing.build import build_snapshot
from coalmine.routing.bundle import bundle_schema, make_call_schemas
from coalmine.routing.references import find_document, find_target, name_component, split_pointer
from coalmine.routing.snapshot import dump_snapshot, parse_snapshot
from tests.support.case import SEEN, define, function, param, route, to


def document(version: str = "openapi 3.1.0", url: str = "http://u/a/openapi.json", **components: Any) -> Document:
    return Document(
        upstream="u",
        url=url,
        content_hash="",
        version=version,
        fetched_at=SEEN,
        size_bytes=0,
        components=components or {"components": {"schemas": SCHEMAS}},
    )


SCHEMAS: dict[str, Any] = {
    "Pet": {"properties": {"tag": {"$ref": "#/components/schemas/Tag"}, "child": {"$ref": "#/components/schemas/Pet"}}},
    "Tag": {"type": "string"},
    "Unused": {},
    "A b": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "A_b": {"type": "boolean"},
    "List": {"type": "array", "items": {"type": "string"}},
}
PET = {"$ref": "#/components/schemas/Pet"}


def test_only_what_is_reached_is_bundled_and_cycles_stay() -> None:
    assert bundle_schema(PET, document()) == {
        "$ref": "#/$defs/Pet",
        "$defs": {
            "Pet": {"properties": {"tag": {"$ref": "#/$defs/Tag"}, "child": {"$ref": "#/$defs/Pet"}}},
            "Tag": {"type": "string"},
        },
    }


def test_two_names_that_would_become_one_stay_two() -> None:
    schema = {"oneOf": [{"$ref": "#/components/schemas/A%20b"}, {"$ref": "#/components/schemas/A_b"}]}
    bundled = bundle_schema(schema, document())
    assert isinstance(bundled, dict)
    assert sorted(bundled["$defs"]) == ["A_b", "A_b.2"]


def test_without_a_document_references_ask_for_nothing() -> None:
    assert bundle_schema(PET, None) == {}
    assert bundle_schema(False, None) is False


TARGETS: list[Any] = [
    pytest.param("#/components/schemas/Tag", "/components/schemas/Tag", id="a component"),
    pytest.param("#/components/schemas/Pet/properties/tag", "/components/schemas/Pet/properties/tag", id="deeper"),
    pytest.param("#/components/schemas/A%20b/anyOf/1", "/components/schemas/A b/anyOf/1", id="in a list"),
    pytest.param("openapi.json#/components/schemas/Tag", "/components/schemas/Tag", id="the document by its own name"),
    pytest.param("other.json#/components/schemas/Tag", None, id="another document"),
    pytest.param("http://[#/components/schemas/Tag", None, id="no URL at all"),
    pytest.param("#/components/schemas/None", None, id="nothing"),
    pytest.param("#/components/schemas/A%20b/anyOf/7", None, id="beyond a list"),
    pytest.param("#", None, id="the whole document"),
    pytest.param("#Pet", None, id="an anchor"),
]


@pytest.mark.parametrize(("reference", "pointer"), TARGETS)
def test_where_a_reference_leads(reference: str, pointer: str | None) -> None:
    found = find_target(document(), reference)
    assert (None if found is None else found[0]) == pointer


def test_a_component_is_named_by_its_last_steps() -> None:
    assert name_component("/definitions/Pet") == "Pet"
    assert name_component("/components/schemas/Pet/properties/a~1b") == "Pet.properties.a_b"
    assert name_component("/components/responses/Gone") == "components.responses.Gone"
    assert split_pointer("a/b") == []


def test_the_document_of_a_function_is_found_by_its_url() -> None:
    first, second = document(url="http://u/1"), document(url="http://u/2")
    assert find_document([first, second], "http://u/2") is second
    assert find_document([first], "http://u/3") is first
    assert find_document([first, second], None) is None


def call(*parameters: Any, body: RequestBody | None = None) -> Function:
    return function("f", "POST", "/f", *parameters).model_copy(update={"request_body": body})


def test_parameters_that_nothing_is_asked_of_are_left_out() -> None:
    schemas = make_call_schemas(
        call(
            param("any", "query", {}),
            param("typed", "query", "integer"),
            param("hidden", "query", {"allOf": [{"$ref": "#/components/schemas/List"}]}),
            param("xml", "query", "string", content_type="application/xml"),
            param("json", "query", {"type": "object"}, content_type="application/json"),
        ),
        document(),
    )
    assert [(one.name, one.is_json) for one in schemas.parameters] == [("typed", False), ("json", True)]
    assert (schemas.body, schemas.body_required) == (None, False)


BODIES: list[Any] = [
    pytest.param(["application/json", "text/xml"], "openapi 3.0.0", True, id="JSON first"),
    pytest.param(["application/hal+json"], "openapi 3.0.0", True, id="JSON by another name"),
    pytest.param(["*/*"], "openapi 3.0.0", True, id="anything"),
    pytest.param([], "openapi 3.0.0", True, id="nobody knows"),
    pytest.param(["text/xml", "application/json"], "openapi 3.0.0", True, id="the same schema for XML and JSON"),
    pytest.param(["text/xml", "application/json"], "swagger 2.0", True, id="Swagger has one schema for all types"),
    pytest.param(["text/xml"], "swagger 2.0", False, id="no JSON at all"),
]


@pytest.mark.parametrize(("types", "version", "kept"), BODIES)
def test_the_schema_of_a_body_is_kept_where_it_is_about_json(types: list[str], version: str, kept: bool) -> None:
    body = RequestBody(required=True, content_types=tuple(types), schema_=PET)
    schemas = make_call_schemas(call(body=body), document(version))
    assert ((schemas.body is not None), schemas.body_required) == (kept, True)


JSON, OTHER, XML = "application/json", "application/x+json", "text/xml"
NUMBER, TEXT = {"type": "number"}, {"type": "string"}
SEVERAL: list[Any] = [
    pytest.param([XML, JSON], {JSON: NUMBER}, NUMBER, id="XML first, JSON has its own"),
    pytest.param([JSON, XML], {XML: NUMBER}, TEXT, id="XML has its own"),
    pytest.param([JSON, "a/x+json"], {"a/x+json": NUMBER}, TEXT, id="what is no JSON by its name"),
    pytest.param([JSON, OTHER], {OTHER: NUMBER}, {"anyOf": [TEXT, NUMBER]}, id="JSON of two types"),
    pytest.param([XML, JSON], {JSON: {}}, None, id="JSON may be anything"),
    pytest.param([XML, "*/*"], {"*/*": NUMBER}, NUMBER, id="JSON is among everything"),
    pytest.param(["*/*", JSON], {JSON: NUMBER}, NUMBER, id="the narrower type counts"),
]  # fmt: skip


@pytest.mark.parametrize(("types", "others", "expected"), SEVERAL)
def test_json_is_checked_by_the_schema_of_its_own_content_type(types: list[str], others: Any, expected: Any) -> None:
    body = RequestBody(content_types=tuple(types), schema_=TEXT, other_schemas=others)
    assert make_call_schemas(call(body=body), document("openapi 3.1.0")).body == expected


def test_a_body_without_a_schema_has_none() -> None:
    assert make_call_schemas(call(body=RequestBody()), None).body is None
    assert make_call_schemas(call(body=RequestBody(schema_={})), None).body is None


def test_only_routes_that_validate_have_schemas_and_a_bad_one_is_told() -> None:
    bad = call(param("a", "query", {"type": "string", "pattern": "["}), body=RequestBody(schema_=PET)).model_copy(
        update={"document_url": "http://u/a/openapi.json"}
    )
    plain = define(route("r", "/", to("v1", "f"), to("v1", "f")), functions=(bad,))
    assert build_snapshot(plain) == build_snapshot(replace(plain, documents=(document(),)))
    routes = tuple(one.model_copy(update={"validate_": True}) for one in plain.routes)
    mine = document().model_copy(update={"upstream": "v1"})
    snapshot = build_snapshot(replace(plain, routes=routes, documents=(document(), mine)))
    (served,) = snapshot.virtual_services[0].routes
    plans = [one.call for one in served.destinations]
    assert plans[0] is not None and plans[0].schemas is not None and plans[0] == plans[1]
    assert plans[0].schemas.parameters == () and plans[0].schemas.body is not None
    (problem,) = snapshot.problems
    assert (problem.code, problem.where, problem.severity) == ("schema_unusable", "routes/r", "warning")
    assert problem.detail.startswith("function f, query parameter a: ")
    assert parse_snapshot(dump_snapshot(snapshot)) == snapshot
