"""``call``: the request that a function wants, sent to its upstream or through the proxy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from coalmine.cli.call_parts import Asked, Written, content_type_of, find_conditions, find_path, split_values
from coalmine.errors import CoalmineError
from coalmine.model import Parameter, RequestBody, Route, Upstream, VirtualService
from tests.admin_api.support import make_function
from tests.coalmine.cli.conftest import Cli


class _Echo(BaseHTTPRequestHandler):
    """Answers with the request; below /fail with an error that is no JSON."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        told = {"method": self.command, "path": self.path, "x": self.headers.get("x"), "body": body}
        failed = self.path.startswith("/fail")
        self.send_response(503 if failed else 200)
        self.end_headers()
        self.wfile.write(b"\x1b[2Jno" if failed else json.dumps(told).encode())

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def echo() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


FUNCTIONS = (
    make_function(
        "echo",
        "find",
        "/cats/{id}",
        parameters=(
            Parameter(name="id", place="path", required=True, style="simple"),
            Parameter(name="tags", place="query", schema_={"type": "array"}),
            Parameter(name="x", place="header", style="simple"),
        ),
    ),
    make_function(
        "echo",
        "add",
        "/cats",
        "POST",
        request_body=RequestBody(
            required=True,
            content_types=("application/json",),
            schema_={"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
        ),
    ),
    make_function("echo", "broken", "/fail"),
)


@pytest.fixture
def caller(cli: Cli, echo: int) -> Cli:
    with cli.api.catalog.write() as writer:
        writer.put_upstream(Upstream(name="echo", endpoints=(f"http://127.0.0.1:{echo}",)))
    cli.api.discover("echo", *FUNCTIONS)
    return cli


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a path value is one segment": ("echo/find id=a/b?c", {"path": "/cats/a%2Fb%3Fc"}),
    "a name that only one upstream has": ("find id=1", {"path": "/cats/1"}),
    "a list in a query": ("find id=1 tags=a,b", {"path": "/cats/1?tags=a&tags=b"}),
    "a list given one by one": ("find id=1 tags=a,b tags=c", {"path": "/cats/1?tags=a%2Cb&tags=c"}),
    "a list in JSON": ('find id=1 tags=["a,b",2]', {"path": "/cats/1?tags=a%2Cb&tags=2"}),
    "what looks like a template is a value": ("find id={query.x} x={id}", {"path": "/cats/%7Bquery.x%7D", "x": "{id}"}),
    "a header": ("find id=1 x=y=z", {"x": "y=z"}),
    "a header beside": ("find id=1 -H x:1", {"x": "1"}),
    "fields of a body": (
        "add name=7 age=7 other=[1]",
        {"body": {"name": "7", "age": 7, "other": [1]}, "method": "POST"},
    ),
    "a field given several times": (
        "add other=1 other=x name=a name=2",
        {"body": {"other": [1, "x"], "name": ["a", 2]}},
    ),
    "a text without quotes": ("add other=seven", {"body": {"other": "seven"}}),
    "a whole body": ("add --data [1]", {"body": [1]}),
}


@pytest.mark.parametrize(("line", "expected"), CALLS.values(), ids=CALLS)
def test_calls_at_the_upstream(caller: Cli, line: str, expected: dict[str, Any]) -> None:
    got = caller(f"call {line} --via direct").json
    got["body"] = json.loads(got["body"]) if got["body"] else None
    assert {key: got[key] for key in expected} == expected


def test_the_call_as_a_curl_line(caller: Cli, echo: int) -> None:
    printed = caller("call add name=x --via direct -o curl").out
    assert printed == (
        f"curl -sS -X POST http://127.0.0.1:{echo}/cats -H 'content-type: application/json' "
        """--data-binary '{"name": "x"}'\n"""
    )


REFUSED = {
    "a missing parameter": ("find", "needs the path parameter id"),
    "a misspelt parameter": ("find id=1 tag=x", "did you mean tags?"),
    "two values for one": ("find id=1 id=2", "id takes one value and is given twice"),
    "a parameter of nobody": ("broken zzz=x", "it takes none"),
    "fields and a body": ("add name=x --data {}", "has no parameter name"),
    "no such function": ("echo/nothing", "[not_found]"),
}


@pytest.mark.parametrize(("line", "said"), REFUSED.values(), ids=REFUSED)
def test_calls_that_cannot_be_made(caller: Cli, line: str, said: str) -> None:
    assert said in caller(f"call {line} --via direct", code=1).err


def test_an_answer_that_is_an_error_is_exit_code_1(caller: Cli) -> None:
    failed = caller("call broken --via direct", code=1)
    assert failed.err == "503 Service Unavailable\n"


def test_nobody_at_the_upstream(caller: Cli) -> None:
    with caller.api.catalog.write() as writer:
        writer.put_upstream(Upstream(name="echo", endpoints=("http://127.0.0.1:1",)))
    assert "[upstream_unreachable]" in caller("call broken --via direct", code=1).err


def test_no_route_calls_it(caller: Cli) -> None:
    assert "coalmine add route" in caller("call broken", code=1).err


PATHS: dict[str, tuple[dict[str, str], dict[str, str], Asked | None]] = {
    "an exact path": ({"exact": "/a"}, {}, Asked("/a", [])),
    "an exact path that has no place for a parameter": ({"exact": "/a"}, {"id": "1"}, Asked("/a", ["id=1"])),
    "a prefix and what follows": ({"prefix": "/a/"}, {"id": "x%2Fy"}, Asked("/a/x%2Fy", [])),
    "a prefix alone": ({"prefix": "/"}, {}, Asked("/", [])),
    "a template": ({"template": "/a/{id}.json"}, {"id": "1"}, Asked("/a/1.json", [])),
    "a template that has no place for a parameter": ({"template": "/a/b"}, {"id": "1"}, Asked("/a/b", ["id=1"])),
    "a template with a hole": ({"template": "/a/{other}"}, {"id": "1"}, None),
    "a pattern": ({"regex": "/a"}, {}, None),
}


@pytest.mark.parametrize(("path", "given", "expected"), PATHS.values(), ids=PATHS)
def test_the_path_that_a_client_asks_for(path: dict[str, str], given: dict[str, str], expected: Asked | None) -> None:
    assert find_path({"path": path}, {"path": "/cats/{id}"}, Written(given, given, [], [])) == expected


def test_a_body_without_a_schema_takes_json_as_json() -> None:
    function = {"name": "f", "path": "/", "parameters": [], "request_body": {"schema": None}}
    assert split_values(function, {"a": ["1"], "b": ["x"]}, None) == ({}, '{"a": 1, "b": "x"}')
    with pytest.raises(CoalmineError, match="has no parameter a"):
        split_values({**function, "request_body": None}, {"a": ["1"]}, None)


VIA_PROXY = {
    "a prefix": ({"path": {"prefix": "/cat"}}, "/cat/7?tags=a&tags=b"),
    "a template": ({"path": {"template": "/c/{id}"}}, "/c/7?tags=a&tags=b"),
    "conditions": (
        {
            "path": {"prefix": "/cat"},
            "headers": [{"name": "x-canary", "exact": "true"}],
            "query": [{"name": "v", "exact": "2"}],
        },
        "/cat/7?v=2&tags=a&tags=b' -H 'x-canary: true",
    ),
}


@pytest.mark.parametrize(("match", "asked"), VIA_PROXY.values(), ids=VIA_PROXY)
def test_the_request_that_a_client_would_send(caller: Cli, match: dict[str, Any], asked: str) -> None:
    with caller.api.catalog.write() as writer:
        writer.put_virtual_service(VirtualService(name="zoo", domains=("zoo.example.com",)))
        definition = {"name": "cat", "virtual_service": "zoo", "match": match}
        destination = {"upstream": "echo", "function": "find"}
        writer.put_route(Route.model_validate({**definition, "destinations": [destination]}))
    printed = caller("call find id=7 tags=a,b -o curl").out
    assert printed == f"curl -sS 'http://127.0.0.1:8080{asked}' -H 'host: zoo.example.com'\n"


def test_a_name_that_several_upstreams_have_is_the_one_that_is_routed(caller: Cli) -> None:
    with caller.api.catalog.write() as writer:
        writer.put_upstream(Upstream(name="other", endpoints=("http://127.0.0.1:1",)))
    caller.api.discover("other", make_function("other", "find", "/dogs/{id}"))
    assert "say which: echo/find, other/find" in caller("call find id=1", code=1).err
    put_route(caller, "find", {"path": {"prefix": "/canary"}, "headers": [{"name": "x", "exact": "1"}]})
    with caller.api.catalog.write() as writer:
        destinations = [
            {"upstream": "echo", "function": "find"},
            {"upstream": "other", "function": "find", "weight": 9},
        ]
        writer.put_route(Route.model_validate({"name": "two", "destinations": destinations}))
    assert caller("call find id=1 -o curl").out == "curl -sS http://127.0.0.1:8080/1\n"
    assert "say which" in caller("call find id=1 --via direct", code=1).err


FULL = make_function(
    "echo",
    "full",
    "/full/{id}",
    parameters=(
        Parameter(name="id", place="path", required=True, style="matrix", explode=True, schema_={"type": "array"}),
        Parameter(name="x", place="header", style="simple"),
        Parameter(name="c", place="cookie"),
        Parameter(name="d", place="cookie"),
        Parameter(name="p", place="query", style="pipeDelimited", explode=False, schema_={"type": "array"}),
    ),
)


def put_route(caller: Cli, function: str, match: dict[str, Any] | None = None) -> None:
    with caller.api.catalog.write() as writer:
        definition = {"name": "one", "match": match or {"path": {"prefix": "/p"}}}
        writer.put_route(
            Route.model_validate({**definition, "destinations": [{"upstream": "echo", "function": function}]})
        )
        writer.put_virtual_service(VirtualService(name="default"))


def test_every_parameter_goes_through_the_proxy_as_the_function_wants_it(caller: Cli) -> None:
    caller.api.discover("echo", FULL)
    put_route(caller, "full")
    printed = caller(["call", "full", "id=a,b", "x=é", "c=1 2", "d=3", "p=a,b&c", "-o", "curl"]).out
    assert printed == (
        "curl -sS 'http://127.0.0.1:8080/p/;id=a;id=b?p=a%7Cb%26c' -H 'x: é' -H 'cookie: c=1%202; d=3'\n"
    )


def test_a_value_that_cannot_stand_in_a_header(caller: Cli) -> None:
    caller.api.discover("echo", FULL)
    put_route(caller, "full")
    assert "header parameter x" in caller(["call", "full", "id=1", "x=a\nb"], code=1).err


def takes(*content_types: str) -> dict[str, Any]:
    return {"name": "f", "path": "/", "parameters": [], "request_body": {"content_types": content_types}}


BODIES = {
    "JSON first": (takes("text/plain", "application/json"), "application/json", '{"a": 1, "b": "x y"}'),
    "a kind of JSON": (takes("application/merge-patch+json"), "application/merge-patch+json", '{"a": 1, "b": "x y"}'),
    "a form": (takes("application/x-www-form-urlencoded"), "application/x-www-form-urlencoded", "a=1&b=x+y"),
}


@pytest.mark.parametrize(("function", "content_type", "body"), BODIES.values(), ids=BODIES)
def test_fields_become_the_body_that_the_function_takes(function: dict[str, Any], content_type: str, body: str) -> None:
    assert content_type_of(function) == content_type
    assert split_values(function, {"a": ["1"], "b": ["x y"]}, None) == ({}, body)


def test_fields_of_what_is_neither_json_nor_a_form(caller: Cli) -> None:
    with pytest.raises(CoalmineError, match="takes multipart/form-data, which cannot be made of fields"):
        split_values(takes("multipart/form-data"), {"a": ["1"]}, None)
    assert content_type_of(takes("multipart/form-data")) == "multipart/form-data"


def test_a_content_type_that_is_given_is_the_only_one(caller: Cli) -> None:
    printed = caller(["call", "add", "--data", "<a/>", "-H", "Content-Type: text/xml", "--via", "direct", "-o", "curl"])
    assert printed.out.lower().count("content-type") == 1


CONDITIONS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]] | None]] = {
    "none": ([], []),
    "exact": ([{"name": "a", "exact": "1"}], [("a", "1")]),
    "an empty exact value": ([{"name": "a", "exact": ""}], [("a", "")]),
    "anything but": ([{"name": "a", "exact": "1", "invert": True}], []),
    "anything but a pattern": ([{"name": "a", "regex": "1", "invert": True}], []),
    "present": ([{"name": "a", "present": True}], [("a", "1")]),
    "absent": ([{"name": "a", "present": False}], []),
    "not absent": ([{"name": "a", "present": False, "invert": True}], [("a", "1")]),
    "a pattern": ([{"name": "a", "exact": "1"}, {"name": "b", "regex": "1+"}], None),
}


@pytest.mark.parametrize(("entries", "expected"), CONDITIONS.values(), ids=CONDITIONS)
def test_what_a_request_carries_to_meet_conditions(
    entries: list[dict[str, Any]], expected: list[tuple[str, str]] | None
) -> None:
    assert find_conditions(entries) == expected


def test_a_route_with_a_pattern_is_passed_over(caller: Cli) -> None:
    put_route(caller, "broken", {"headers": [{"name": "a", "regex": "1+"}]})
    assert "no route of which a request could be made" in caller("call broken", code=1).err


def test_the_proxys_url_stands_alone_on_a_line(cli: Cli) -> None:
    assert cli("proxy url").out == "http://127.0.0.1:8080\n"
    assert cli("proxy url -o json").json == {"url": "http://127.0.0.1:8080"}
    assert cli("proxy url -o curl").out.endswith("/api/v1/proxy\n")
