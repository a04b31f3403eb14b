"""Documents to functions: one row, one rule of the specifications or one habit of generators."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Parameter
from discovery.document import check_document
from discovery.found import Found, NotADocumentError, Reading
from discovery.operations import read_document

URL = "http://127.0.0.1:9000/docs/openapi.json"


def read(document: dict[str, Any], url: str = URL) -> Reading:
    return read_document(check_document(document), url)


def openapi(paths: Any = None, **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths or {}, **more}


def swagger(paths: Any = None, **more: Any) -> dict[str, Any]:
    return {"swagger": "2.0", "info": {"title": "T", "version": "1"}, "paths": paths or {}, **more}


def only(document: dict[str, Any]) -> Found:
    found = read(document).found
    assert len(found) == 1
    return found[0]


GET = {"/a": {"get": {}}}

FULL_PATHS: list[tuple[str, dict[str, Any], str]] = [
    ("no servers", openapi(GET), "/a"),
    ("a server with a slash at its end", openapi(GET, servers=[{"url": "/v1/"}]), "/v1/a"),
    ("a server that is the root", openapi(GET, servers=[{"url": "/"}]), "/a"),
    ("a server elsewhere", openapi(GET, servers=[{"url": "https://api.example.com/v2"}]), "/v2/a"),
    ("an empty server URL is the root", openapi(GET, servers=[{"url": ""}]), "/a"),
    ("a server that is no URL is passed over", openapi(GET, servers=[{"url": "http://[oops"}, {"url": "/ok"}]), "/ok/a"),
    ("a whole URL as the basePath", swagger(GET, basePath="http://elsewhere/v2/"), "/v2/a"),
    ("a server relative to the document", openapi(GET, servers=[{"url": "v2"}]), "/docs/v2/a"),
    ("a server one level up from the document", openapi(GET, servers=[{"url": "../v2"}]), "/v2/a"),
    ("the first of several servers", openapi(GET, servers=[{"url": "https://x/1"}, {"url": "/2"}]), "/1/a"),
    ("the server that is the upstream itself", openapi(GET, servers=[{"url": "https://x/1"}, {"url": "http://127.0.0.1:9000/2"}]), "/2/a"),
    ("a server with variables", openapi(GET, servers=[{"url": "https://{h}/{v}", "variables": {"h": {"default": "x"}, "v": {"default": "v3"}}}]), "/v3/a"),
    ("a variable with an enumeration only", openapi(GET, servers=[{"url": "/{v}", "variables": {"v": {"enum": ["v4", "v5"]}}}]), "/v4/a"),
    ("a variable that is a number", openapi(GET, servers=[{"url": "/{v}", "variables": {"v": {"default": 2}}}]), "/2/a"),
    ("variables without a definition are left out", openapi(GET, servers=[{"url": "https://{h}/x/{v}"}]), "/x/a"),
    ("servers of the path item", openapi({"/a": {"servers": [{"url": "/p"}], "get": {}}}, servers=[{"url": "/d"}]), "/p/a"),
    ("servers of the operation", openapi({"/a": {"servers": [{"url": "/p"}], "get": {"servers": [{"url": "/o"}]}}}), "/o/a"),
    ("an empty list of servers is none", openapi({"/a": {"servers": [], "get": {}}}, servers=[{"url": "/d"}]), "/d/a"),
    ("a query and a fragment are no path", openapi(GET, servers=[{"url": "/v1?x=1#y"}]), "/v1/a"),
    ("spaces are escaped", openapi(GET, servers=[{"url": "/a b"}]), "/a%20b/a"),
    ("basePath", swagger(GET, basePath="/v1", host="elsewhere", schemes=["https"]), "/v1/a"),
    ("basePath without slashes", swagger(GET, basePath="v1"), "/v1/a"),
    ("basePath with slashes", swagger(GET, basePath="//v1//"), "/v1/a"),
    ("basePath that is the root", swagger(GET, basePath="/"), "/a"),
    ("basePath that is nothing", swagger(GET, basePath=None), "/a"),
    ("servers mean nothing in Swagger 2.0", swagger(GET, servers=[{"url": "/v1"}]), "/a"),
    ("a path without a slash", openapi({"a": {"get": {}}}, servers=[{"url": "/v1"}]), "/v1/a"),
    ("servers that are none are passed over", openapi(GET, servers=[1, {}, {"url": 2}, {"url": "/a\nb"}, {"url": "/v1"}]), "/v1/a"),
    ("a server that cannot be parsed is no origin", openapi(GET, servers=[{"url": "/v1"}, {"url": "http://[x/"}]), "/v1/a"),
    ("the path is kept as it is", openapi({"/a/%7Bx%7D//b.{format}/": {"get": {}}}), "/a/%7Bx%7D//b.{format}/"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "path"), [row[1:] for row in FULL_PATHS], ids=[row[0] for row in FULL_PATHS])
def test_full_path(document: dict[str, Any], path: str) -> None:
    assert only(document).path == path


METHODS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("all of OpenAPI 3.1", openapi({"/a": {name: {} for name in ("get", "put", "post", "delete", "options", "head", "patch", "trace")}}),
        ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"]),
    ("capitals are tolerated", openapi({"/a": {"GET": {}}}), ["GET"]),
    ("lower case wins over capitals", openapi({"/a": {"GET": {}, "get": {}}}), ["GET"]),
    ("query belongs to OpenAPI 3.2", {**openapi({"/a": {"query": {}}}), "openapi": "3.2.0"}, ["QUERY"]),
    ("query is nothing before", openapi({"/a": {"query": {}}}), []),
    ("additional operations keep their capitalization", {**openapi({"/a": {"additionalOperations": {"COPY": {}, "link": {}}}}), "openapi": "3.2.0"}, ["COPY", "link"]),
    ("additional operations are nothing before 3.2", openapi({"/a": {"additionalOperations": {"COPY": {}}}}), []),
    ("extensions are no paths and no methods", openapi({"x-a": {"get": {}}, "/a": {"x-get": {}, "summary": "s", "get": {}}}), ["GET"]),
    ("webhooks are not taken", openapi({}, webhooks={"new": {"post": {}}}), []),
    ("callbacks are not taken", openapi({"/a": {"post": {"callbacks": {"x": {"{$url}": {"post": {}}}}}}}), ["POST"]),
    ("a path item that is null", openapi({"/a": None, "/b": {"get": None}}), []),
]  # fmt: skip


@pytest.mark.parametrize(("document", "methods"), [row[1:] for row in METHODS], ids=[row[0] for row in METHODS])
def test_methods(document: dict[str, Any], methods: list[str]) -> None:
    assert [found.method for found in read(document).found] == methods


def parameter(document: dict[str, Any]) -> Parameter:
    (parameter,) = only(document).parameters
    return parameter


def _query(**more: Any) -> dict[str, Any]:
    return openapi({"/a": {"get": {"parameters": [{"name": "p", "in": "query", **more}]}}})


def _swagger_query(**more: Any) -> dict[str, Any]:
    return swagger({"/a": {"get": {"parameters": [{"name": "p", "in": "query", **more}]}}})


PARAMETERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the defaults of a query parameter", _query(schema={"type": "array"}),
        {"style": "form", "explode": True, "required": False, "schema_": {"type": "array"}}),
    ("explode is off by default for other styles", _query(style="pipeDelimited"), {"style": "pipeDelimited", "explode": False}),
    ("explode as written", _query(explode=False), {"style": "form", "explode": False}),
    ("everything as written", _query(style="deepObject", explode=True, required=True, allowReserved=True, deprecated=True, description="d"),
        {"style": "deepObject", "explode": True, "required": True, "allow_reserved": True, "deprecated": True, "description": "d"}),
    ("a value that is a document", _query(content={"application/json": {"schema": {"type": "object"}}}),
        {"content_type": "application/json", "schema_": {"type": "object"}}),
    ("a schema that is true", _query(schema=True), {"schema_": True}),
    ("a schema that is a reference is shown one level deep", {**_query(schema={"$ref": "#/components/schemas/L"}),
        "components": {"schemas": {"L": {"type": "array", "items": {"$ref": "#/components/schemas/I"}}}}},
        {"schema_": {"type": "array", "items": {"$ref": "#/components/schemas/I"}}}),
    ("the type inside allOf is shown", {**_query(schema={"allOf": [{"$ref": "#/components/schemas/E"}], "default": "a"}),
        "components": {"schemas": {"E": {"type": "string"}}}},
        {"schema_": {"allOf": [{"$ref": "#/components/schemas/E"}], "default": "a", "type": "string"}}),
    ("allOf without types stays", _query(schema={"allOf": [{}, 1]}), {"schema_": {"allOf": [{}, 1]}}),
    ("collectionFormat multi", _swagger_query(type="array", items={}, collectionFormat="multi"),
        {"style": "form", "explode": True, "schema_": {"type": "array", "items": {}}}),
    ("collectionFormat by default", _swagger_query(type="array"), {"style": "form", "explode": False}),
    ("collectionFormat pipes", _swagger_query(type="array", collectionFormat="pipes"), {"style": "pipeDelimited", "explode": False}),
    ("collectionFormat ssv", _swagger_query(type="array", collectionFormat="ssv"), {"style": "spaceDelimited"}),
    ("Swagger keeps schemas in the parameter", _swagger_query(type="integer", enum=[1], default=1, format="int32"),
        {"schema_": {"type": "integer", "enum": [1], "default": 1, "format": "int32"}}),
    ("a header of Swagger", swagger({"/a": {"get": {"parameters": [{"name": "X", "in": "header", "type": "string"}]}}}),
        {"place": "header", "style": "simple", "explode": False}),
    ("path parameters are required", openapi({"/{p}": {"get": {"parameters": [{"name": "p", "in": "path"}]}}}),
        {"place": "path", "required": True, "style": "simple", "explode": False}),
    ("a path parameter that nobody declared", openapi({"/x/{p}.{p}": {"get": {}}}), {"name": "p", "place": "path", "schema_": {"type": "string"}}),
    ("a cookie", openapi({"/a": {"get": {"parameters": [{"name": "c", "in": "cookie"}]}}}), {"place": "cookie", "style": "form", "explode": True}),
    ("a parameter through references", {
        **openapi({"/a": {"get": {"parameters": [{"$ref": "#/components/parameters/one"}]}}}),
        "components": {"parameters": {"one": {"$ref": "#/components/parameters/t~1w~0o%20"}, "t/w~o ": {"name": "p", "in": "query"}}}},
        {"name": "p"}),
    ("a reference by the document's own name", openapi(
        {"/a": {"get": {"parameters": [{"$ref": "openapi.json#/x-p/0"}]}}}, **{"x-p": [{"name": "p", "in": "query"}]}), {"name": "p"}),
    ("the operation overrides the path item", openapi({"/a": {
        "parameters": [{"name": "p", "in": "query"}], "get": {"parameters": [{"name": "p", "in": "query", "required": True}]}}}), {"required": True}),
    ("header names are one in any case", openapi({"/a": {
        "parameters": [{"name": "X-P", "in": "header"}], "get": {"parameters": [{"name": "x-p", "in": "header"}]}}}), {"name": "x-p"}),
    ("a name that is a number", _query(name=7), {"name": "7"}),
    ("a schema that is a foreign reference is unknown", _query(schema={"$ref": "other.json#/A"}), {"schema_": {}}),
    ("a schema that refers to a list is unknown", {**_query(schema={"$ref": "#/x-list"}), "x-list": []}, {"schema_": {}}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "values"), [row[1:] for row in PARAMETERS], ids=[row[0] for row in PARAMETERS])
def test_parameter(document: dict[str, Any], values: dict[str, Any]) -> None:
    found = parameter(document)
    assert {name: getattr(found, name) for name in values} == values


def test_parameters_of_path_item_and_operation_are_merged_in_order() -> None:
    item = {
        "parameters": [{"name": "a", "in": "query"}],
        "get": {"parameters": [{"name": "b", "in": "query"}, {"name": "a", "in": "header"}]},
    }
    assert [(p.name, p.place) for p in only(openapi({"/x": item})).parameters] == [("a", "query"), ("b", "query"), ("a", "header")]  # fmt: skip


def test_headers_that_the_specification_ignores_are_left_out() -> None:
    names = ("Accept", "Content-Type", "authorization", "X-Kept")
    listed = [{"name": name, "in": "header"} for name in names]
    assert [p.name for p in only(openapi({"/a": {"get": {"parameters": listed}}})).parameters] == ["X-Kept"]


def test_a_path_parameter_without_a_place_in_the_path_is_left_out() -> None:
    document = openapi({"/a": {"get": {"parameters": [{"name": "id", "in": "path"}]}}})
    assert only(document).parameters == ()
    assert [(p.code, p.where) for p in read(document).problems] == [("document_invalid", "#/paths/~1a/get")]


BODIES: list[tuple[str, dict[str, Any], Any]] = [
    ("none", openapi({"/a": {"post": {}}}), None),
    ("several content types", openapi({"/a": {"post": {"requestBody": {"required": True, "content": {
        "application/json": {"schema": {"$ref": "#/c/S"}}, "text/xml": {}}}}}}),
        (True, ("application/json", "text/xml"), {"$ref": "#/c/S"})),
    ("a reference", openapi({"/a": {"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}},
        components={"requestBodies": {"B": {"content": {"text/plain": {}}}}}), (False, ("text/plain",), None)),
    ("a broken reference is still a body", openapi({"/a": {"post": {"requestBody": {"$ref": "#/nowhere"}}}}), (False, (), None)),
    ("null is none", openapi({"/a": {"post": {"requestBody": None}}}), None),
    ("a body parameter", swagger({"/a": {"post": {"parameters": [{"name": "b", "in": "body", "required": True, "schema": {"type": "object"}}]}}}),
        (True, ("application/json",), {"type": "object"})),
    ("a body parameter of the path item", swagger({"/a": {"parameters": [{"in": "body", "name": "b"}], "post": {}}}), (False, ("application/json",), None)),
    ("consumes of the operation", swagger({"/a": {"post": {"consumes": ["text/xml"], "parameters": [{"in": "body", "name": "b"}]}}}, consumes=["a/b"]),
        (False, ("text/xml",), None)),
    ("consumes of the document", swagger({"/a": {"post": {"parameters": [{"in": "body", "name": "b"}]}}}, consumes=["a/b"]), (False, ("a/b",), None)),
    ("a form", swagger({"/a": {"post": {"parameters": [{"in": "formData", "name": "f", "type": "string", "required": True}]}}}),
        (True, ("application/x-www-form-urlencoded",), {"type": "object", "properties": {"f": {"type": "string"}}, "required": ["f"]})),
    ("a form with a file", swagger({"/a": {"post": {"parameters": [{"in": "formData", "name": "f", "type": "file"}]}}}),
        (False, ("multipart/form-data",), {"type": "object", "properties": {"f": {"type": "file"}}})),
    ("a form takes only the consumed types that forms can have", swagger({"/a": {"post": {
        "consumes": ["application/json", "multipart/form-data; boundary=x"], "parameters": [{"in": "formData", "name": "f"}]}}}),
        (False, ("multipart/form-data; boundary=x",), {"type": "object", "properties": {"f": {}}})),
    ("a requestBody means nothing in Swagger 2.0", swagger({"/a": {"post": {"requestBody": {}}}}), None),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_body(document: dict[str, Any], expected: Any) -> None:
    body = only(document).request_body
    assert (None if body is None else (body.required, body.content_types, body.schema_)) == expected


def test_every_content_type_has_the_schema_that_the_document_gives_it() -> None:
    content = {
        "application/xml": {"schema": {"type": "string"}},
        "text/xml": {"schema": {"type": "string"}},
        "application/json": {"schema": {"$ref": "#/components/schemas/P"}},
        "text/plain": {},
    }
    document = openapi({"/a": {"post": {"requestBody": {"content": content}}}}, components={"schemas": {"P": {}}})
    body = only(document).request_body
    assert body is not None
    assert [body.schema_of(name) for name in content] == [{"type": "string"}, {"type": "string"}, {"$ref": "#/components/schemas/P"}, {}]  # fmt: skip
    assert body.other_schemas.keys() == {"application/json", "text/plain"}


def test_responses_of_openapi() -> None:
    responses = {
        "200": {"description": "ok", "content": {"application/json": {"schema": {"type": "array"}}}},
        "4xx": {"$ref": "#/components/responses/E"},
        "default": {"description": "\x07odd"},
        "x-note": 1,
    }
    document = openapi(
        {"/a": {"get": {"responses": responses}}}, components={"responses": {"E": {"description": "no"}}}
    )
    found = only(document).responses
    assert [(each.status, each.description) for each in found] == [("200", "ok"), ("4XX", "no"), ("default", "odd")]
    assert (found[0].content_types, found[0].schema_) == (("application/json",), {"type": "array"})


def test_responses_of_swagger() -> None:
    document = swagger(
        {"/a": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/P"}}, "204": {}}}}}, produces=["a/b"]
    )
    assert [(each.content_types, each.schema_) for each in only(document).responses] == [(("a/b",), {"$ref": "#/definitions/P"}), ((), None)]  # fmt: skip


def test_descriptions_and_extensions_are_kept() -> None:
    operation = {
        "operationId": "getA", "summary": "S", "description": "D\nE", "tags": ["one", "two", "one", "", 3], "deprecated": True,
        "x-team": "pets", "x-large": "x" * 3000,
    }  # fmt: skip
    found = only(openapi({"/a": {"get": operation}}))
    assert (found.operation_id, found.summary, found.description) == ("getA", "S", "D\nE")
    assert (found.tags, found.deprecated, found.extensions) == (("one", "two", "3"), True, {"x-team": "pets"})
    assert found.document_url == URL


def test_a_path_item_reference_brings_its_operations_and_its_siblings_win() -> None:
    document = openapi(
        {"/a": {"$ref": "#/components/pathItems/A", "parameters": [{"name": "q", "in": "query"}]}},
        components={"pathItems": {"A": {"get": {"operationId": "one"}, "post": {}}}},
    )
    found = read(document).found
    assert [(each.method, each.operation_id, [p.name for p in each.parameters]) for each in found] == [("GET", "one", ["q"]), ("POST", None, ["q"])]  # fmt: skip


def test_an_operation_that_is_a_foreign_reference_is_still_an_operation() -> None:
    document = openapi({"/a": {"get": {"$ref": "other.yaml"}}})
    assert [(each.method, each.path) for each in read(document).found] == [("GET", "/a")]
    assert [(each.code, each.where) for each in read(document).problems] == [("external_reference", "#/paths/~1a/get")]


@pytest.mark.parametrize("path", ["/a?x=1", "/#Action=X"])
def test_what_belongs_to_no_path_is_told_and_costs_no_function(path: str) -> None:
    reading = read(openapi({path: {"get": {}}}))
    assert [found.path for found in reading.found] == [path]
    assert ["no route can call it" in problem.detail for problem in reading.problems] == [True]


def test_the_same_operation_twice_counts_once() -> None:
    document = openapi({"/a": {"get": {"operationId": "first"}}, "a": {"get": {"operationId": "second"}}})
    reading = read(document)
    assert [found.operation_id for found in reading.found] == ["first"]
    assert "operation_skipped" in {problem.code for problem in reading.problems}


def test_components_are_kept_under_the_keys_that_references_begin_with() -> None:
    assert read(openapi(components={"schemas": {}})).components == {"components": {"schemas": {}}}
    assert read(swagger(definitions={"A": {}}, parameters=1)).components == {"definitions": {"A": {}}}


VERSIONS: list[tuple[Any, str]] = [
    ({"openapi": "3.0.3", "paths": {}}, "openapi 3.0.3"),
    ({"openapi": 3.0, "paths": {}}, "openapi 3.0"),
    ({"openapi": "3.1.0"}, "openapi 3.1.0"),
    ({"openapi": "3.2.0"}, "openapi 3.2.0"),
    ({"openapi": "3.0.0-rc2"}, "openapi 3.0.0-rc2"),
    ({"paths": {}, "swagger": 2.0}, "swagger 2.0"),
    ({"swagger": 2}, "swagger 2.0"),
]


@pytest.mark.parametrize(("document", "version"), VERSIONS)
def test_versions(document: Any, version: str) -> None:
    assert read(document).version == version


@pytest.mark.parametrize("version", ["3", "3.3.0", "31", "30.1", "2.0", "", None, True, {}, "3.0\n.1"])
def test_unknown_versions_are_refused(version: Any) -> None:
    with pytest.raises(NotADocumentError, match="openapi is"):
        check_document({"openapi": version})


def test_a_defect_of_ours_costs_one_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(reader: Any, operation: dict[str, Any], pointer: str) -> tuple[()]:
        if operation["operationId"] == "bad":
            raise TypeError("unhashable type")
        return ()

    monkeypatch.setattr("discovery.operations.list_responses", fail)
    reading = read(openapi({"/a": {"get": {"operationId": "bad"}, "put": {"operationId": "good"}}}))
    assert [found.operation_id for found in reading.found] == ["good"]
    assert [(each.code, each.where) for each in reading.problems] == [("operation_skipped", "#/paths/~1a/get")]


BROKEN = [
    ("a parameter name with control characters", {"name": "a\r\nb", "in": "query"}, "document_invalid", "control"),
    ("a reference that is a number", {"$ref": 7}, "document_invalid", "not a string"),
    ("a reference to an anchor", {"$ref": "#anchor"}, "document_invalid", "no JSON pointer"),
    ("a reference to nothing", {"$ref": "#/components/x/y"}, "document_invalid", "nothing at"),
    ("a reference past the end of a list", {"$ref": "#/x-list/9"}, "document_invalid", "nothing at"),
    ("a reference that is no URL", {"$ref": "http://[oops/x#/a"}, "external_reference", "not fetched"),
    ("a parameter that is a list", [], "document_invalid", "not an object"),
]
ODD_STYLES: list[Any] = [[], {}, 7, None, True, "deepobject"]


@pytest.mark.parametrize("style", ODD_STYLES)
def test_a_style_that_is_none_is_that_of_the_place(style: Any) -> None:
    reading = read(openapi({"/a": {"get": {"parameters": [{"name": "q", "in": "query", "style": style}]}}}))
    assert reading.found[0].parameters[0].style == "form"
    assert [(each.code, "no style" in each.detail) for each in reading.problems] == [("document_invalid", True)]


@pytest.mark.parametrize(("raw", "code", "detail"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_parameter_costs_itself_only(raw: Any, code: str, detail: str) -> None:
    document = openapi({"/a": {"get": {"parameters": [raw, {"name": "kept", "in": "query"}]}}}, **{"x-list": []})
    assert [each.name for each in only(document).parameters] == ["kept"]
    (problem,) = read(document).problems
    assert (problem.code, problem.where) == (code, "#/paths/~1a/get/parameters/0")
    assert detail in problem.detail


def test_swagger_of_another_version_is_refused() -> None:
    with pytest.raises(NotADocumentError, match=r"swagger is '1\.2'"):
        check_document({"swagger": "1.2"})
