"""Rows: calls that are checked against the document of their function before anything is sent."""

from __future__ import annotations

import json
from typing import Any

from coalmine.model import Document, RequestBody
from tests.support.case import SEEN, Answer, Call, ask, define, function, get, param, problem, route, rows, to

JSON = "application/json"
DOCUMENT = Document(
    upstream="v1",
    url="http://127.0.0.1:9001/openapi.json",
    content_hash="0",
    version="openapi 3.0.3",
    fetched_at=SEEN,
    size_bytes=1,
    components={
        "components": {
            "schemas": {
                "Pet": {
                    "type": "object",
                    "required": ["id", "name"],
                    "properties": {
                        "id": {"type": "integer", "readOnly": True},
                        "name": {"type": "string", "minLength": 1},
                        "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "nullable": True},
                        "mother": {"$ref": "#/components/schemas/Pet"},
                        "kind": {"$ref": "#/components/schemas/Kind"},
                    },
                    "additionalProperties": False,
                },
                "Kind": {"type": "string", "enum": ["cat", "dog"]},
                "Order": {
                    "oneOf": [{"$ref": "#/components/schemas/Gift"}, {"$ref": "#/components/schemas/Sale"}],
                    "discriminator": {"propertyName": "t", "mapping": {"gift": "Gift"}},
                },
                "Gift": {"type": "object", "required": ["t", "to"], "properties": {"to": {"type": "string"}}},
                "Sale": {"type": "object", "required": ["t", "price"], "properties": {"price": {"type": "number"}}},
                "Foreign": {"$ref": "http://elsewhere.test/schemas.json#/Foreign"},
            }
        }
    },
)
PET = {"$ref": "#/components/schemas/Pet"}


def takes(name: str, *types: str, required: bool = False, schema: Any = PET) -> Any:
    made = function(name, "POST", f"/api/{name}")
    body = RequestBody(content_types=types, required=required, schema_=schema)
    return made.model_copy(update={"request_body": body})


FUNCTIONS = (
    function(
        "search",
        "GET",
        "/api/search/{page}",
        param("page", "path", {"type": "integer", "minimum": 1}),
        param("limit", "query", {"type": "integer", "maximum": 100}),
        param("exact", "query", "boolean"),
        param("price", "query", {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        param("kinds", "query", {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}}),
        param("ids", "query", {"type": "array", "items": {"type": "integer"}, "maxItems": 3}, style="pipeDelimited"),
        param("box", "query", {"type": "object", "properties": {"x": {"type": "integer"}}}, style="deepObject"),
        param("either", "query", {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["all", "1e"]}]}),
        param("filter", "query", {"type": "object", "required": ["a"]}, content_type=JSON),
        param("x-trace", "header", {"type": "string", "format": "uuid"}),
        param("theme", "cookie", {"enum": ["dark", "light"]}),
        param("foreign", "query", {"$ref": "#/components/schemas/Foreign"}),
    ),
    takes("pets", JSON),
    takes("required", JSON, required=True),
    takes("many", "application/xml", JSON),
    takes("form", "application/x-www-form-urlencoded", JSON),
    takes("anything", "*/*"),
    takes("order", JSON, schema={"$ref": "#/components/schemas/Order"}),
    takes("page", JSON).model_copy(update={"parameters": (param("size", "query", "integer"),)}),
    function("merge", "GET", "/api/merge", param("size", "query", "integer"), upstream="v1"),
)
ROUTES = tuple(
    route(one.name, f"/{one.name}", to("v1", one.name), validate=True) for one in FUNCTIONS if one.name != "merge"
)
FIXED = route("fixed", "/fixed", to("v1", "merge", size="{query.wanted}"), validate=True)
FREE = route("free", "/free", to("v1", "search"))


def wrong(pointer: str, detail: str) -> Answer:
    return problem("invalid_call", 422, errors=[{"pointer": pointer, "detail": detail}])


def sent(target: str, method: str = "GET") -> Call:
    return Call("v1", method, target)


def pet(**content: Any) -> Any:
    return ask("POST", "/pets", body=json.dumps(content), kind=JSON)


VALIDATE = rows(
    "validate",
    define(*ROUTES, FIXED, FREE, functions=FUNCTIONS, documents=(DOCUMENT,)),
    (
        "faults of parameters and of the body are told at once",
        ask("POST", "/page?size=x", body="{}", kind=JSON),
        problem(
            "invalid_call",
            422,
            errors=[
                {"pointer": "/query/size", "detail": '"x" is not of type "integer"'},
                {"pointer": "/body", "detail": '"name" is a required property'},
            ],
        ),
    ),
    (
        "a wrong parameter counts more than a body of the wrong type",
        ask("POST", "/page?size=x", body="{}", kind="text/plain"),
        wrong("/query/size", '"x" is not of type "integer"'),
    ),
    (
        "the discriminator tells whose faults count",
        ask("POST", "/order", body='{"t": "gift", "to": 7}', kind=JSON),
        wrong("/body/to", '7 is not of type "string"'),
    ),
    (
        "a discriminator may have a schema's name",
        ask("POST", "/order", body='{"t": "Sale"}', kind=JSON),
        wrong("/body", '"price" is a required property'),
    ),
    (
        "a discriminator that names nothing",
        ask("POST", "/order", body='{"t": "loan"}', kind=JSON),
        wrong("/body/t", "is none of Gift, Sale, gift"),
    ),
    # Parameters.
    ("what fits is sent as it came", get("/search/1?limit=5&exact=true"), sent("/api/search/1?limit=5&exact=true")),
    (
        "a path value that is no integer is refused",
        get("/search/one"),
        wrong("/path/page", '"one" is not of type "integer"'),
    ),
    (
        "a path value below the minimum is refused",
        get("/search/0"),
        wrong("/path/page", "0 is less than the minimum of 1"),
    ),
    (
        "a query value that is no integer is refused",
        get("/search/1?limit=1.5"),
        wrong("/query/limit", '"1.5" is not of type "integer"'),
    ),
    (
        "an integer is written as JSON writes it",
        get("/search/1?limit=05"),
        wrong("/query/limit", '"05" is not of type "integer"'),
    ),
    (
        "an empty value is no integer",
        get("/search/1?limit="),
        wrong("/query/limit", '"" is not of type "integer"'),
    ),
    (
        "each of several values is checked, whichever the service takes",
        get("/search/1?limit=5&limit=500"),
        wrong("/query/limit", "500 is greater than the maximum of 100"),
    ),
    (
        "a truth value is true or false",
        get("/search/1?exact=yes"),
        wrong("/query/exact", '"yes" is not of type "boolean"'),
    ),
    ("a number may have a fraction", get("/search/1?price=0.5"), sent("/api/search/1?price=0.5")),
    (
        "exclusiveMinimum: true is that of OpenAPI 3.0",
        get("/search/1?price=0"),
        wrong("/query/price", "0 is less than or equal to the minimum of 0"),
    ),
    (
        "items of a list are checked, through references",
        get("/search/1?kinds=cat&kinds=cow"),
        wrong("/query/kinds/1", '"cow" is not one of "cat" or "dog"'),
    ),
    (
        "items of a delimited list are told apart as the style says",
        get("/search/1?ids=1%7C2|x"),
        wrong("/query/ids/2", '"x" is not of type "integer"'),
    ),
    (
        "a list may be too long",
        get("/search/1?ids=1|2|3|4"),
        wrong("/query/ids", "[1,2,3,4] has more than 3 items"),
    ),
    ("properties of an object are read", get("/search/1?box[x]=1"), sent("/api/search/1?box[x]=1")),
    (
        "properties of an object are checked",
        get("/search/1?box[x]=a"),
        wrong("/query/box/x", '"a" is not of type "integer"'),
    ),
    ("a value may be read as a number", get("/search/1?either=7"), sent("/api/search/1?either=7")),
    ("the same value may be read as a text", get("/search/1?either=all"), sent("/api/search/1?either=all")),
    (
        "what fits no alternative is refused",
        get("/search/1?either=some"),
        wrong("/query/either", "fits none of the alternatives (anyOf)"),
    ),
    (
        "a document in a parameter is read",
        get("/search/1?filter=%7B%22a%22:1%7D"),
        sent("/api/search/1?filter=%7B%22a%22:1%7D"),
    ),
    (
        "a document in a parameter is checked",
        get("/search/1?filter=%7B%7D"),
        wrong("/query/filter", '"a" is a required property'),
    ),
    (
        "a header is checked",
        get("/search/1", x_trace="me"),
        wrong("/header/x-trace", '"me" is not a "uuid"'),
    ),
    (
        "a cookie is checked",
        get("/search/1", cookie="theme=blue"),
        wrong("/cookie/theme", '"blue" is not one of "dark" or "light"'),
    ),
    (
        "bytes that are no UTF-8 are refused",
        get("/search/1?limit=%FF"),
        wrong("/query/limit", "is not UTF-8"),
    ),
    ("a reference to another document asks for nothing", get("/search/1?foreign=x"), sent("/api/search/1?foreign=x")),
    (
        "what the route itself gives is checked, too",
        get("/fixed?wanted=big"),
        wrong("/query/size", '"big" is not of type "integer"'),
    ),
    (
        "every fault is told at once",
        get("/search/0?limit=101"),
        problem(
            "invalid_call",
            422,
            errors=[
                {"pointer": "/path/page", "detail": "0 is less than the minimum of 1"},
                {"pointer": "/query/limit", "detail": "101 is greater than the maximum of 100"},
            ],
        ),
    ),
    ("a route that does not validate sends anything", get("/free/x?limit=y"), sent("/api/search/x?limit=y")),
    # Bodies.
    ("a body that fits is sent, read-only properties left out", pet(name="Tom"), sent("/api/pets", "POST")),
    ("null fits what is nullable", pet(name="Tom", age=None), sent("/api/pets", "POST")),
    (
        "a body that lacks something is refused",
        pet(),
        wrong("/body", '"name" is a required property'),
    ),
    (
        "a body is checked through references that lead in circles",
        pet(name="Tom", mother={"name": "Eva", "mother": {"name": ""}}),
        wrong("/body/mother/mother/name", '"" is shorter than 1 character'),
    ),
    (
        "properties that nobody knows are refused where the schema says so",
        pet(name="Tom", colour="red"),
        wrong("/body/colour", "is not allowed here"),
    ),
    (
        "the bound of a nullable property holds for numbers",
        pet(name="Tom", age=0),
        wrong("/body/age", "0 is less than or equal to the minimum of 0"),
    ),
    (
        "a body that is no JSON is refused",
        ask("POST", "/pets", body="{", kind=JSON),
        problem("invalid_body", 400),
    ),
    (
        "a name that stands twice is refused: readers disagree on what it means",
        ask("POST", "/pets", body='{"name": "Tom", "name": ""}', kind=JSON),
        problem("invalid_body", 400),
    ),
    (
        "JSON that is nested without end is refused",
        ask("POST", "/pets", body="[" * 10_000, kind=JSON),
        problem("invalid_body", 400),
    ),
    ("an optional body may be missing", ask("POST", "/pets"), sent("/api/pets", "POST")),
    (
        "a required body may not",
        ask("POST", "/required"),
        wrong("/body", "the function needs a body"),
    ),
    (
        "a content type that the function does not take is refused",
        ask("POST", "/pets", body="name=Tom", kind="application/x-www-form-urlencoded"),
        problem("unsupported_media_type", 415),
    ),
    (
        "a body without a content type is refused",
        ask("POST", "/pets", body="{}"),
        problem("unsupported_media_type", 415),
    ),
    (
        "compressed JSON cannot be read and is refused",
        ask("POST", "/pets", body="{}", kind=JSON, content_encoding="gzip"),
        problem("unsupported_media_type", 415),
    ),
    (
        "a type that is not JSON passes unread where the function takes it",
        ask("POST", "/many", body="<pet/>", kind="application/xml"),
        sent("/api/many", "POST"),
    ),
    (
        "JSON beside another first type is checked by its own schema",
        ask("POST", "/form", body="[]", kind=JSON),
        wrong("/body", '[] is not of type "object"'),
    ),
    (
        "a schema for any type holds for JSON",
        ask("POST", "/anything", body="[]", kind="application/merge-patch+json"),
        wrong("/body", '[] is not of type "object"'),
    ),
    (
        "any type is taken where the function takes any",
        ask("POST", "/anything", body="x", kind="text/plain"),
        sent("/api/anything", "POST"),
    ),
)
VALIDATE += rows(
    "validate",
    define(*ROUTES, functions=FUNCTIONS, documents=(DOCUMENT,)),
    ("a body beyond what is read is refused", pet(name="Tom Tomson"), problem("body_too_large", 413), (), 8),
)
