"""Where documents do not follow their specification, told without fetching anything and without giving up."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from discovery.document import check_document
from discovery.validation import MAX_VIOLATIONS, _literal, _Refusing, find_violations, neutralise
from discovery.validator import Findings, validate

INFO = {"title": "T", "version": "1"}
OK = {"200": {"description": "ok"}}
FINE: list[dict[str, Any]] = [
    {"swagger": "2.0", "info": INFO, "paths": {"/a": {"get": {"responses": OK}}}},
    {"openapi": "3.0.3", "info": INFO, "paths": {"/a": {"get": {"responses": OK}}}},
    {"openapi": "3.1.0", "info": INFO, "paths": {"/a": {"get": {}}}},
    {"openapi": "3.2.0", "info": INFO, "paths": {"/a": {"query": {}}}},
]
VERSIONS = [document.get("openapi", "2.0") for document in FINE]


def find(document: dict[str, Any]) -> list[tuple[str, str]]:
    return find_violations(check_document(document))


@pytest.mark.parametrize("document", FINE, ids=VERSIONS)
def test_documents_that_follow_their_specification(document: dict[str, Any]) -> None:
    assert find(document) == []


@pytest.mark.parametrize("document", FINE, ids=VERSIONS)
def test_a_violation_has_a_place_and_does_not_repeat_the_value(document: dict[str, Any]) -> None:
    wrong = {**document, "paths": {"/a": {"get": {"responses": OK, "tags": {"secret": 1}}}}}
    violations = find(wrong)
    assert violations
    assert all(pointer.startswith("/paths/~1a") for pointer, _ in violations)
    assert not any("secret" in detail for _, detail in violations)


def of_30(**more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "info": INFO, "paths": {}, **more}


def get(path: str, **operation: Any) -> dict[str, Any]:
    return of_30(paths={path: {"get": {"responses": OK, **operation}}})


NUMBER = {"name": "n", "in": "query", "schema": {"type": "integer", "default": "one"}}
TWICE = {"/a": {"get": {"operationId": "x", "responses": OK}}, "/b": {"get": {"operationId": "x", "responses": OK}}}
A = {"$ref": "#/components/schemas/A"}
SCHEMAS = {"A": {"type": "object", "properties": {"n": {"type": "integer", "default": "one"}}}}
MEANING: dict[str, tuple[dict[str, Any], str, str]] = {
    "a path parameter that nobody declared": (get("/a/{id}"), "/paths/~1a~1{id}/get", "'id'"),
    "a default of another type": (get("/a", parameters=[NUMBER]), "/paths/~1a/get/parameters/0/schema", "integer"),
    "an operation id that stands twice": (of_30(paths=TWICE), "/paths/~1b/get", "not unique"),
    "through a reference, where it really stands": (
        get("/a", parameters=[{**NUMBER, "schema": A}]) | {"components": {"schemas": SCHEMAS}},
        "/components/schemas/A/properties/n", "integer",
    ),
    "a path template that has no end": (get("/a/{id"), "/paths/~1a~1{id/get", "cannot be checked"),
    "a reference that leads nowhere": (
        get("/a", parameters=[{**NUMBER, "schema": {"$ref": "#/components/schemas/No"}}]),
        "/paths/~1a/get/parameters/0/schema", "'/components/schemas/No'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "pointer", "words"), MEANING.values(), ids=MEANING)
def test_what_only_the_meaning_tells(document: dict[str, Any], pointer: str, words: str) -> None:
    found = [(where, detail) for where, detail in find(document) if words in detail]
    assert [where for where, _ in found] == [pointer]
    assert all(len(detail) <= 300 for _, detail in found)


def test_what_cannot_be_checked_costs_that_part_only() -> None:
    document = get("/a/{id", parameters=[NUMBER])
    document["paths"]["/b/{id}"] = {"get": {"responses": OK}}
    assert {pointer for pointer, _ in find(document)} >= {"/paths/~1a~1{id/get", "/paths/~1b~1{id}/get"}


def test_the_first_ones_tell() -> None:
    paths = {f"/{number}": {"get": {"responses": {"nonsense": 1}}} for number in range(100)}
    found = find(of_30(paths=paths))
    assert (len(found), found[-1]) == (MAX_VIOLATIONS + 1, ("", "there is more, which is not listed"))


def test_pointers_of_what_is_not_there_end_where_something_is() -> None:
    loop = {"$ref": "#/a"}
    assert _literal({"a": loop}, ("a", "b")) == "/a"
    assert _literal({"a": [1]}, ("a", 0, "b")) == "/a/0"
    assert _literal({"a": [1]}, ("a", 5)) == "/a"


# Nothing is fetched ----------------------------------------------------------------------------------


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The origin of a service, and what it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", paths
    server.shutdown()
    server.server_close()
    thread.join()


def luring(origin: str, version: str) -> list[dict[str, Any]]:
    """Documents that want something fetched, each in its own way."""
    external = {"$ref": f"{origin}/schema.json#/A"}
    wants = [
        external,
        {"$ref": "file:///etc/passwd"},
        {"$ref": "ftp://127.0.0.1/a"},
        {"$ref": "//127.0.0.1/a"},
        {"$ref": "other.json#/A"},
        {"$id": f"{origin}/base/", "properties": {"a": {"$ref": "#/components/schemas/B"}}},
        {"$id": f"{origin}/base/", "allOf": [{"$ref": "relative.json"}]},
        {"$schema": f"{origin}/dialect", "type": "object"},
        {"$dynamicRef": f"{origin}/dynamic#x"},
        {"type": "integer", "default": "x", "allOf": [external]},
        {"default": 1, "$id": f"{origin}/d", "$ref": "x"},
    ]
    top = {"swagger": "2.0"} if version == "2.0" else {"openapi": version}
    key = "definitions" if version == "2.0" else "components"
    made: list[dict[str, Any]] = []
    for want in wants:
        schemas = {"A": want, "B": {"type": "object"}}
        parameter = {"name": "p", "in": "query", "schema": {"$ref": f"#/{key}/schemas/A"}, "default": 1}
        operation = {"parameters": [parameter, want], "responses": {"200": {"description": "", "schema": want}}}
        document = {**top, "info": INFO, "paths": {"/a": {"get": operation}, "/b": want}}
        if version != "2.0":
            document["jsonSchemaDialect"] = f"{origin}/dialect"
        made.append(document | ({"definitions": schemas} if version == "2.0" else {"components": {"schemas": schemas}}))
    return made


@pytest.mark.parametrize("version", VERSIONS)
def test_no_document_gets_anything_fetched(asked: tuple[str, list[str]], version: str) -> None:
    origin, paths = asked
    for document in luring(origin, version):
        find(document)
    assert paths == []


def test_whoever_resolves_a_reference_all_the_same_is_refused() -> None:
    for scheme in ("http", "file", "ftp", ""):
        assert scheme in _Refusing()
        with pytest.raises(Exception, match="which is not fetched"):
            _Refusing()[scheme]("http://127.0.0.1/a")


def test_properties_that_are_only_named_like_references_stay() -> None:
    named = {
        "properties": {"$ref": {"type": "string"}, "id": {"type": "integer"}},
        "x": [{"$ref": "#/a"}, {"$ref": "b"}],
    }
    assert neutralise(named) == {**named, "x": [{"$ref": "#/a"}, {}]}


# The process -----------------------------------------------------------------------------------------


def test_the_process_can_open_nothing_and_still_validates(asked: tuple[str, list[str]]) -> None:
    origin, paths = asked
    code = (
        "import json, sys, urllib.request\n"
        "from discovery import child, validator\n"
        "validator.warm_up(); child.open_nothing()\n"
        "told = []\n"
        f"for target in ('{origin}/x', 'file:///etc/hostname'):\n"
        "    try: urllib.request.urlopen(target)\n"
        "    except OSError as error: told.append(str(error))\n"
        "found = [validator.validate(line.encode()).model_dump() for line in sys.stdin]\n"
        "print(json.dumps([told, found]))"
    )
    documents = [get("/a/{id}", parameters=[NUMBER]), *FINE, *luring(origin, "3.1.0"), *luring(origin, "3.0.3")]
    lines = "\n".join(map(json.dumps, documents))
    done = subprocess.run([sys.executable, "-c", code], input=lines, capture_output=True, text=True, timeout=60)
    told, found = json.loads(done.stdout)
    assert len(told) == 2
    assert all("Too many open files" in error or "not known" in error for error in told)
    assert [Findings.model_validate(one) for one in found] == [validate(json.dumps(one).encode()) for one in documents]
    assert paths == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"[1]", "the top is a list", id="no document"),
        pytest.param(b'{"openapi": "3.0.0",', "line 1", id="no JSON"),
        pytest.param(b"[" * 100_000, "", id="too deep"),
    ],
)
def test_what_is_no_document_is_told(data: bytes, words: str) -> None:
    found = validate(data)
    assert (found.violations, bool(found.failed), words in found.failed) == ([], True, True)


def test_a_defect_costs_the_advice_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(document: object) -> None:
        raise BaseException("panic")

    monkeypatch.setattr("discovery.validator.find_violations", panic)
    assert validate(json.dumps(FINE[0]).encode()).failed == "that failed (BaseException)"
    monkeypatch.setattr("discovery.validator.find_violations", lambda document: (_ for _ in ()).throw(MemoryError))
    assert validate(json.dumps(FINE[0]).encode()).failed == "it is too deep or too large"
