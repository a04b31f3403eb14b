"""Hostile services: what they answer, and what the report must say. Pages are bytes, documents, or behaviours.

Each row: a sentence, the pages, the outcome that one attempt must have, and a part of its detail.
"""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

import gzip
import itertools
import json
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.discovery.services import Page, petstore, reply

DOCUMENT = "/openapi.json"
HTML = b"<!DOCTYPE html><html><body><div id=app></div></body></html>"
MEGABYTE = 1024 * 1024


class Refused(NamedTuple):
    sentence: str
    page: Page
    outcome: str
    detail: str = ""


class Read(NamedTuple):
    """A document that is read although parts of it are hostile: the functions it gives, or how many."""

    sentence: str
    page: Page
    functions: set[str] | int
    problem: str = ""


def _paths(**operations: Any) -> dict[str, Any]:
    return {"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": operations or {}}


def _at(path: str, operation: Any) -> dict[str, Any]:
    return _paths(**{path: {"get": operation}})


def _gzip_bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(b" " * MEGABYTE) for _ in range(megabytes)), packer.flush()])


def _raw(*pieces: bytes, pause: float = 0.0) -> Callable[[BaseHTTPRequestHandler], None]:
    """Bytes on the wire as they are, without any help of the HTTP library."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)

    return answer


def _endless(piece: bytes, pause: float = 0.0) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in itertools.count():
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)

    return answer


def _drip_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        handler.wfile.write(b"X-%d: y\r\n" % number)
        time.sleep(0.1)


def _laughs() -> bytes:
    lines = [b"openapi: 3.0.0\nx-a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [b"x-%c: &%c [%s]" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)]
    return b"\n".join(lines)


def _merge_bomb() -> bytes:
    keys = b", ".join(b"k%d: 1" % number for number in range(1000))
    return (
        b"openapi: 3.0.0\nx-a: &a {"
        + keys
        + b"}\npaths:\n"
        + b"".join(b"  /%d: {<<: [*a, *a, *a, *a]}\n" % number for number in range(1000))
    )


def _reference_bomb() -> dict[str, Any]:
    """100 kB that name 30 million parameters."""
    shared = [{"name": f"p{number}", "in": "query", "schema": {"type": "string"}} for number in range(3000)]
    item = {"parameters": shared, "get": {}}
    paths = {f"/{number}": {"$ref": "#/components/pathItems/all"} for number in range(10_000)}
    return {"openapi": "3.1.0", "components": {"pathItems": {"all": item}}, "paths": paths}


def _schema_bomb() -> dict[str, Any]:
    """A parameter schema of 200 kB that 5,000 operations refer to: a gigabyte if it were copied."""
    schema = {"type": "string", "enum": ["x" * 100] * 2000}
    parameter = {"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/Large"}}
    paths = {f"/{number}": {"get": {"parameters": [parameter]}} for number in range(5_000)}
    return {"openapi": "3.1.0", "components": {"schemas": {"Large": schema}}, "paths": paths}


def _many(count: int) -> dict[str, Any]:
    return _paths(**{f"/p{number}": {"get": {}} for number in range(count)})


def _chain(length: int) -> dict[str, Any]:
    links = {f"l{number}": {"$ref": f"#/components/parameters/l{number + 1}"} for number in range(length)}
    document = _at("/a", {"operationId": "a", "parameters": [{"$ref": "#/components/parameters/l0"}]})
    return {**document, "components": {"parameters": links}}


def _redirect(location: str, status: int = 302) -> Callable[[BaseHTTPRequestHandler], None]:
    return reply(status, Location=location)


REFUSED: list[Refused] = [
    # Bytes and time
    Refused("a body larger than the limit, announced", reply(200, b" " * (3 * MEGABYTE)), "too_large", "2097152"),
    Refused("a body announced as a terabyte", reply(200, b"x", Content_Length="1099511627776"), "too_large"),
    Refused("a body without end", _endless(b"[" * 65536), "too_large"),
    Refused("a body without end, in chunks of whitespace", _endless(b" " * 65536), "too_large"),
    Refused("a body that drips", _endless(b" ", 0.05), "too_slow"),
    Refused("a head that drips", _drip_head, "too_slow"),
    Refused("no answer at all", lambda handler: time.sleep(1.5), "too_slow"),
    Refused("a head without end", _raw(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"y" * 300_000), "unreachable", "not HTTP"),
    Refused("a body that ends early", reply(200, b'{"openapi"', Content_Length="100"), "unreachable", "not HTTP"),
    Refused("something that is not HTTP", _raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "unreachable", "not HTTP"),
    Refused("an empty answer", reply(200, b""), "unreadable", "empty"),
    # Encodings
    Refused("a gzip bomb of 1 : 1000", reply(200, _gzip_bomb(300), Content_Encoding="gzip"), "too_large"),
    Refused("a gzip bomb that does not say so", reply(200, _gzip_bomb(300)), "too_large"),
    Refused("gzip in gzip", reply(200, gzip.compress(gzip.compress(b"{}")), Content_Encoding="gzip"), "bad_encoding", "twice"),
    Refused("gzip in gzip in gzip, unannounced", reply(200, gzip.compress(gzip.compress(gzip.compress(b"{}")))), "bad_encoding"),
    Refused("gzip that is cut off", reply(200, gzip.compress(b"x" * 999)[:-9], Content_Encoding="gzip"), "bad_encoding", "ends before"),
    Refused("gzip with a tail", reply(200, gzip.compress(b"{}") + b"more", Content_Encoding="gzip"), "bad_encoding", "follows"),
    Refused("gzip that is none", reply(200, b"{}", Content_Encoding="gzip"), "bad_encoding"),
    Refused("an encoding that was not asked for", reply(200, b"{}", Content_Encoding="br"), "bad_encoding", "'br'"),
    Refused("text that is not UTF-8", reply(200, b"openapi: \xff\xfe\xfa"), "unreadable", "utf-8"),
    # Redirects
    Refused("a redirect to another host", _redirect("http://192.0.2.1/openapi.json"), "redirect_refused", "192.0.2.1"),
    Refused("a redirect to another port", _redirect("http://127.0.0.1:1/openapi.json"), "redirect_refused"),
    Refused("a redirect to https", _redirect("https://127.0.0.1/openapi.json"), "redirect_refused"),
    Refused("a redirect to cloud metadata", _redirect("http://169.254.169.254/latest/meta-data/", 307), "redirect_refused"),
    Refused("a redirect to a file", _redirect("file:///etc/passwd"), "redirect_refused"),
    Refused("a redirect without a scheme", _redirect("//192.0.2.1/x", 308), "redirect_refused"),
    Refused("a redirect to itself", _redirect(DOCUMENT, 301), "redirect_refused", "more than 3"),
    Refused("a redirect that is no URL", _redirect("http://[oops/"), "unreachable"),
    # What comes back
    Refused("a page", HTML, "html"),
    Refused("a page that says it is JSON", reply(200, HTML, Content_Type="application/json"), "html"),
    Refused("a page after a byte order mark and spaces", b"\xef\xbb\xbf \n " + HTML, "html"),
    Refused("XML", b"<?xml version='1.0'?><a/>", "html"),
    Refused("a forbidden document", reply(403, b"{}"), "refused_status", "403"),
    Refused("a server error", reply(500, json.dumps(petstore()).encode()), "refused_status", "500"),
    Refused("a 304 that nobody asked for", reply(304), "unchanged"),
    Refused("JSON that is no document", {"status": "UP"}, "not_a_document", "neither an openapi nor a swagger key"),
    Refused("a list", b"[1, 2]", "not_a_document", "a list"),
    Refused("text", b"hello", "not_a_document", "text"),
    Refused("null", b"null", "not_a_document", "null"),
    Refused("a version from the future", {"openapi": "4.0.0", "paths": {}}, "not_a_document", "4.0.0"),
    Refused("a version from the past", {"swaggerVersion": "1.2", "apis": []}, "not_a_document", "1.2"),
    Refused("a version that is a list", {"openapi": ["3.0.0"], "paths": {}}, "not_a_document", "a list"),
    Refused("a version of a megabyte", {"openapi": "3" * MEGABYTE, "paths": {}}, "not_a_document", "333"),
    Refused("paths that are a list", {"openapi": "3.0.0", "paths": []}, "not_a_document", "a list"),
    # Complexity
    Refused("30,000 nested brackets", b"[" * 30_000, "too_complex"),
    Refused("30,000 nested brackets in YAML", b"openapi: " + b"[" * 30_000, "too_complex"),
    Refused("100,000 nested objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_complex"),
    Refused("an indentation of 2,000 levels", b"".join(b" " * i + b"a:\n" for i in range(1900)), "too_complex"),
    Refused("a billion laughs", _laughs(), "too_complex"),
    Refused("a bomb of merge keys", _merge_bomb(), "too_complex"),
    Refused("an anchor that contains itself", b"openapi: 3.0.0\npaths: &a {/x: *a}", "unreadable", "*a"),
    Refused("a million YAML nodes", b"- a\n" * 500_000, "not_a_document"),
    Refused("a bomb of references", _reference_bomb(), "too_complex", "parameters"),
    Refused("a bomb of schemas", _schema_bomb(), "too_complex"),
    Refused("more operations than anybody has", _many(20_001), "too_complex", "20000 operations"),
    Refused("NaN", b'{"openapi": "3.0.0", "paths": {"/a": {"get": {"x-a": NaN}}}}', "unreadable", "NaN"),
    Refused("a number of 5,000 digits", b'{"openapi": "3.0.0", "x": ' + b"9" * 5000 + b"}", "unreadable", "digits"),
    Refused("half a character", b'{"openapi": "3.0.0", "info": {"title": "\\ud800"}}', "unreadable", "surrogate"),
]  # fmt: skip

MARKUP = "<script>alert(1)</script>'; DROP TABLE functions; --"

READ: list[Read] = [
    Read("line breaks in a name become spaces", _at("/a", {"operationId": "a\r\nSet-Cookie: x=1"}), {"a Set-Cookie: x=1"}),
    Read("NUL and escapes in a name become spaces", _at("/a", {"operationId": "a\x00\x1b[31mb"}), {"a [31mb"}),
    Read("marks that turn the direction of writing go", _at("/a", {"operationId": "a\u202eb"}), {"a b"}),
    Read("markup and SQL in a name are data", _at("/a", {"operationId": MARKUP}), {MARKUP}),
    Read("a name of 100 kB is cut and told apart", _at("/a", {"operationId": "n" * 100_000}), 1),
    Read("two names of 100 kB that differ at the end", _paths(**{
        "/a": {"get": {"operationId": "n" * 100_000 + "a"}}, "/b": {"get": {"operationId": "n" * 100_000 + "b"}}}), 2),
    Read("a name of spaces is none", _at("/a", {"operationId": "   "}), {"get.a"}),
    Read("a name that is a list is none", _at("/a", {"operationId": ["x"]}), {"get.a"}),
    Read("a path with line breaks is skipped", _paths(**{
        "/a\r\nHost: evil": {"get": {}}, "/b": {"get": {}}}), {"get.b"}, "operation_skipped"),
    Read("a path of 10,000 characters is skipped", _paths(**{"/" + "a" * 10_000: {"get": {}}, "/b": {"get": {}}}), {"get.b"}, "operation_skipped"),
    Read("a base path that climbs stays at the root", {**petstore(base="/../../etc"), "paths": {"/a": {"get": {}}}}, {"get.etc.a"}),
    Read("a base path with a line break is none", {**petstore(base="/a\r\nb"), "paths": {"/a": {"get": {}}}}, {"get.a"}),
    Read("a server elsewhere gives its path only", {**_at("/a", {}), "servers": [{"url": "http://169.254.169.254/v1?x#y"}]}, {"get.v1.a"}),
    Read("a server that is no URL is none", {**_at("/a", {}), "servers": [{"url": "http://[oops/v1"}]}, {"get.a"}),
    Read("external references are not fetched", _at("/a", {"parameters": [{"$ref": "http://127.0.0.1:1/p.json#/x"}]}), {"get.a"}, "external_reference"),
    Read("references to files are not read", _at("/a", {"parameters": [{"$ref": "file:///etc/passwd"}]}), {"get.a"}, "external_reference"),
    Read("a reference to itself costs its parameter", {
        **_at("/a", {"parameters": [{"$ref": "#/components/parameters/p"}]}),
        "components": {"parameters": {"p": {"$ref": "#/components/parameters/p"}}}}, {"get.a"}, "document_invalid"),
    Read("a chain of references costs its parameter", _chain(1000), {"a"}, "document_invalid"),
    Read("a path item that refers to itself is skipped", _paths(**{"/a": {"$ref": "#/paths/~1a"}, "/b": {"get": {}}}), {"get.b"}, "document_invalid"),
    Read("schemas that contain themselves stay graphs", {
        **_at("/a", {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}}}}),
        "components": {"schemas": {"T": {"properties": {"t": {"$ref": "#/components/schemas/T"}}}}}}, {"get.a"}),
    Read("a name of a schema that leads to itself costs its parameter's schema", {
        "openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"$id": "x", "$ref": "x"}}]}}}}, {"get.a"}, "document_invalid"),
    Read("a thousand schemas of the same name", {
        **_at("/a", {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": "#n"}}]}), "openapi": "3.1.0",
        "components": {"schemas": {f"s{n}": {"$anchor": "n", "$id": "x" if n % 2 else ["x"], "type": "string"} for n in range(1000)}}}, {"get.a"}),
    Read("a document that calls itself by a name of nonsense", {**_at("/a", {}), "openapi": "3.2.0", "$self": "http://[oops"}, {"get.a"}),
    Read("references to the whole document and to all its paths", {
        **_at("/a", {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": "#"}}]}),
        "components": {"schemas": {"A": {"$ref": "#/paths"}, "B": {"$ref": "#/paths/~1a/get/parameters/0"}}}}, {"get.a"}),
    Read("thousands of references to other documents are counted, not listed", {
        **_at("/a", {}), "components": {"schemas": {f"s{n}": {"$ref": f"{n}.json"} for n in range(5000)}}}, {"get.a"}, "external_reference"),
    Read("a style that is a list", _at("/a", {"parameters": [{"name": "p", "in": "query", "style": ["form"]}]}), {"get.a"}, "document_invalid"),
    Read("nonsense where operations should be is skipped", _paths(**{
        "/a": {"get": 1, "put": [], "post": "x", "delete": None, "patch": {}}}), {"patch.a"}, "operation_skipped"),
    Read("nonsense in every field of an operation", _at("/a", {
        "parameters": {"x": 1}, "responses": [1], "tags": "x", "summary": 1, "deprecated": "no", "requestBody": 1, "servers": 1}), {"get.a"}, "document_invalid"),
    Read("nonsense in every field of a parameter", _at("/a", {"parameters": [
        1, None, {}, {"name": "", "in": "query"}, {"name": "x", "in": "nowhere"}, {"name": {}, "in": "query"},
        {"name": "y", "in": "query", "schema": [1], "style": 7, "explode": "yes", "required": "true"}]}), {"get.a"}, "document_invalid"),
    Read("a method that is no token is skipped", {
        "openapi": "3.2.0", "paths": {"/a": {"additionalOperations": {"GET /evil HTTP/1.1\r\n": {}, "COPY": {}}}}}, {"copy.a"}, "operation_skipped"),
    Read("thousands of problems are counted, not listed", _paths(**{f"/{n}": {"get": 1, "put": {}} for n in range(1000)}), 1000, "operation_skipped"),
    Read("thousands of duplicates all get names", _paths(**{f"/{n}": {"get": {"operationId": "same"}} for n in range(2000)}), 2000, "function_renamed"),
    Read("deep nesting within the limit is read", {**_at("/a", {}), "x-deep": json.loads("[" * 150 + "]" * 150)}, {"get.a"}),
    Read("numeric strings and odd statuses", _at("/a", {"responses": {"200": {}, "2XX": {}, "999": {}, "banana": 1}}), {"get.a"}),
    Read("gzip that was not announced", gzip.compress(json.dumps(_at("/a", {})).encode()), {"get.a"}),
    Read("a wrong content type", reply(200, json.dumps(_at("/a", {})).encode(), Content_Type="image/png"), {"get.a"}),
    Read("a redirect within the origin", _redirect("/real.json"), 3),
]  # fmt: skip
