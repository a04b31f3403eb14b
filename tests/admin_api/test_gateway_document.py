"""The gateway's own document, made of several documents, is one that everybody can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from admin_api.gateway_document import make_gateway_document
from coalmine.model import Document, Function, Parameter, RequestBody, Response, VirtualService
from coalmine.model.pin import Pin
from coalmine.routing.build import build_snapshot
from tests.support.case import SEEN, define, function, param, petstore, route, to

JSON = "application/json"


class Catalog:
    """What the document asks of a reader."""

    def __init__(
        self, functions: tuple[Function, ...], documents: tuple[Document, ...], pins: tuple[Pin, ...] = ()
    ) -> None:
        self._functions = {(one.upstream, one.name): one for one in functions}
        self._documents = documents
        self._pins = pins

    def pins_of(self, upstream: str) -> tuple[Pin, ...]:
        return tuple(one for one in self._pins if one.upstream == upstream)

    def find_function(self, upstream: str, name: str) -> Function | None:
        return self._functions.get((upstream, name))

    def documents_of(self, upstream: str) -> tuple[Document, ...]:
        return tuple(one for one in self._documents if one.upstream == upstream)


def document(upstream: str, version: str, **components: Any) -> Document:
    url = f"http://{upstream}/openapi.json"
    times = {"content_hash": "", "fetched_at": SEEN, "size_bytes": 0}
    return Document(upstream=upstream, url=url, version=version, components=components, **times)


TREE = {
    "type": "object",
    "description": "a cycle",
    "properties": {
        "children": {"type": "array", "items": {"$ref": "#/definitions/Pet"}},
        "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "default": "none"},
        "photo": {"type": "file"},
        "outside": {"$ref": "http://evil.test/schemas.json#/X"},
        "example": {"type": "object", "example": {"$ref": "http://evil.test/x"}},
    },
}
NEW_TREE = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string", "nullable": True}},
    "discriminator": {"propertyName": "kind", "mapping": {"a": "Cat", "b": "http://evil.test/x"}},
}
CAT = {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"properties": {"lives": {"const": 9}}}], "required": ["kind"]}
DOCUMENTS = (
    document("v1", "swagger 2.0", definitions={"Pet": TREE}),
    document("v2", "openapi 3.0.3", components={"schemas": {"Pet": NEW_TREE, "Cat": CAT}}),
)


def answers(upstream: str, schema: Any, name: str) -> Function:
    bare = function(name, "POST", f"/api/{name}/{{id}}", param("id", "path", "integer"), upstream=upstream)
    return bare.model_copy(
        update={
            "responses": (Response(status="200", schema_=schema), Response(status="4XX", description="yours")),
            "request_body": RequestBody(content_types=(JSON,), schema_=schema),
        }
    )


FUNCTIONS = (
    *petstore("v1"),
    answers("v1", {"$ref": "#/definitions/Pet"}, "old"),
    answers("v2", {"$ref": "#/components/schemas/Cat"}, "new"),
    function("bare", "GET", "/bare", Parameter.model_validate({"name": "q", "in": "query", "content_type": JSON})),
)


def make(
    *routes: Any,
    domains: tuple[str, ...] = ("*",),
    functions: tuple[Function, ...] = FUNCTIONS,
    pins: tuple[Pin, ...] = (),
    urls: tuple[str, ...] = ("http://127.0.0.1:8080",),
) -> dict[str, Any]:
    main = VirtualService(name="main", domains=domains)
    snapshot = build_snapshot(define(*routes, functions=functions, services=(main,)))
    reader: Any = Catalog(functions, DOCUMENTS, pins)
    made = make_gateway_document(main, snapshot, reader, urls)
    OpenAPIV31SpecValidator(made).validate()
    for reference in list_references(made):
        resolve(made, reference)
    assert "evil.test" not in json.dumps(made)
    return made


def list_references(value: Any) -> Iterator[str]:
    for key, one in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if key == "$ref":
            yield one
        elif key == "mapping":
            yield from one.values()
        else:
            yield from list_references(one)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


def test_documents_of_two_dialects_with_clashes_and_cycles_become_one() -> None:
    made = make(route("old", "/old", to("v1", "old")), route("new", "/new", to("v2", "new")))
    assert sorted(made["paths"]) == ["/new/{id}", "/old/{id}"]
    assert sorted(made["components"]["schemas"]) == ["Cat", "v1.Pet", "v2.Pet"]
    pet = made["components"]["schemas"]["v1.Pet"]
    assert pet["properties"]["children"]["items"] == {"$ref": "#/components/schemas/v1.Pet"}
    assert pet["properties"]["size"] == {"type": "integer", "exclusiveMinimum": 0}
    assert pet["properties"]["photo"] == {"type": "string", "format": "binary"}
    kind = made["components"]["schemas"]["v2.Pet"]["discriminator"]
    assert kind == {"propertyName": "kind", "mapping": {"a": "#/components/schemas/Cat"}}


def test_each_content_type_of_a_body_has_its_own_schema() -> None:
    body = RequestBody(
        content_types=(JSON, "text/plain"), schema_=True, other_schemas={"text/plain": {"type": "string"}}
    )
    both = function("both", "POST", "/both").model_copy(update={"request_body": body})
    made = make(route("both", "/both", to("v1", "both")), functions=(both,))
    content = made["paths"]["/both"]["post"]["requestBody"]["content"]
    assert content == {JSON: {"schema": True}, "text/plain": {"schema": {"type": "string"}}}


def test_a_route_that_goes_on_with_what_it_had_shows_what_callers_give_and_what_they_get() -> None:
    pet = {"$ref": "#/definitions/Pet"}
    now = answers("v1", pet, "old")
    kept = now.model_copy(
        update={"parameters": (*now.parameters, param("size", "query", "integer")), "responses": (), "method": "PUT"}
    )
    old = document("v1", "swagger 2.0", definitions={"Pet": {"type": "object", "required": ["kind"]}})
    used = {"route": "kept", "upstream": "v1", "function": "old"}
    pin = Pin(**used, definition=kept, document=old, reasons=("it broke",), since=SEEN)
    made = make(route("kept", "/kept", to("v1", "old")), route("free", "/free", to("v1", "old")), pins=(pin,))
    ((method, operation),) = made["paths"]["/kept/{id}"].items()
    ((free_method, free),) = made["paths"]["/free/{id}"].items()
    schemas = made["components"]["schemas"]

    def body(one: Any) -> Any:
        return schemas[one["requestBody"]["content"][JSON]["schema"]["$ref"].rpartition("/")[2]]

    assert (method, free_method) == ("put", "post")
    assert [one["name"] for one in operation["parameters"]] == ["id", "size"]
    assert [one["name"] for one in free["parameters"]] == ["id"]
    assert body(operation) == {"type": "object", "required": ["kind"]} and "children" in body(free)["properties"]
    assert operation["responses"] == free["responses"]
    assert operation["x-coalmine-kept"] == ["it broke"] and "x-coalmine-kept" not in free


def test_the_largest_share_is_described_and_all_are_told() -> None:
    made = make(route("canary", "/pets", to("v2", "new", 10), to("v1", "findPetById", 90, id="{header.x-id}")))
    (operation,) = made["paths"]["/pets"].values()
    assert operation["operationId"] == "findPetById"
    assert operation["x-coalmine-route"] == "canary"
    assert operation["x-coalmine-destinations"] == [
        {"upstream": "v2", "function": "new", "weight": 10},
        {"upstream": "v1", "function": "findPetById", "weight": 90},
    ]
    (parameter,) = operation["parameters"]
    assert parameter == {"name": "x-id", "in": "header", "required": True, "schema": {"type": "integer"}}


def test_paths_that_differ_in_names_alone_are_one() -> None:
    made = make(
        route("read", {"template": "/pets/{id}"}, to("v1", "findPetById")),
        route("drop", {"template": "/pets/{pet}"}, to("v1", "deletePet", id="{path.pet}")),
        route("odd", {"template": "/x/{a}/{b}"}, to("v1", "findPets")),
        route("twice", {"prefix": "/x"}, to("v1", "findPets", **{":path": "/x/{c}/{c}"}), methods=["POST"]),
    )
    assert sorted(made["paths"]["/pets/{id}"]) == ["delete", "get"]
    (parameter,) = made["paths"]["/pets/{id}"]["delete"]["parameters"]
    assert (parameter["name"], parameter["schema"]) == ("id", {"type": "integer"})
    assert "/x/{a}/{b}" in made["paths"]


def test_what_cannot_be_called_by_everybody_is_named() -> None:
    made = make(
        route("regex", {"regex": "/a.*"}, to("v1", "findPets")),
        route("gone", "/gone", to("v9", "findPets")),
        route("bad", {"regex": "("}, to("v1", "findPets")),
        route("unknown", "/unknown", to("v1", "nobody")),
        route("lost", "/lost", to("v2", "findPets")),
        route("queried", "/queried", to("v1", "findPets"), query=[{"name": "a", "present": True}]),
    )
    assert made["paths"] == {}
    assert sorted(made["x-coalmine-unlisted"]) == ["bad", "gone", "lost", "queried", "regex", "unknown"]


def test_a_document_in_a_parameter_stays_one() -> None:
    (parameter,) = make(route("r", "/", to("v1", "bare")))["paths"]["/"]["get"]["parameters"]
    assert parameter == {"name": "q", "in": "query", "required": False, "content": {JSON: {"schema": {}}}}


def test_the_servers_are_the_gateway_under_its_domains() -> None:
    assert make()["servers"] == [{"url": "http://127.0.0.1:8080"}]
    urls = ("https://127.0.0.1:8443", "http://127.0.0.1:8080")
    assert [server["url"] for server in make(urls=urls, domains=("shop.test",))["servers"]] == [
        "https://shop.test:8443",
        "http://shop.test:8080",
    ]
    exact, suffix = make(domains=("shop.test", "*.shop.test"))["servers"]
    assert exact == {"url": "http://shop.test:8080"}
    assert suffix["url"] == "http://{name}.shop.test:8080"
    assert suffix["variables"]["name"]["default"] == "www"
