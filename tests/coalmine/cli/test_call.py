"""``call``: the request that a function wants, sent to its upstream or through the proxy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from coalmine.cli.call import client_path, split_values
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
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
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
    "a header": ("find id=1 x=y=z", {"x": "y=z"}),
    "a header beside": ("find id=1 -H x:1", {"x": "1"}),
    "fields of a body": (
        "add name=7 age=7 other=[1]",
        {"body": {"name": "7", "age": 7, "other": [1]}, "method": "POST"},
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


PATHS: dict[str, tuple[dict[str, str], dict[str, str], str | None]] = {
    "an exact path": ({"exact": "/a"}, {"id": "1"}, "/a"),
    "a prefix and what follows": ({"prefix": "/a/"}, {"id": "x/y"}, "/a/x%2Fy"),
    "a prefix alone": ({"prefix": "/"}, {}, "/"),
    "a template": ({"template": "/a/{id}.json"}, {"id": "1"}, "/a/1.json"),
    "a template with a hole": ({"template": "/a/{other}"}, {"id": "1"}, None),
    "a pattern": ({"regex": "/a"}, {}, None),
}


@pytest.mark.parametrize(("path", "given", "expected"), PATHS.values(), ids=PATHS)
def test_the_path_that_a_client_asks_for(path: dict[str, str], given: Mapping[str, str], expected: str | None) -> None:
    assert client_path({"path": path}, {"path": "/cats/{id}"}, given) == expected


def test_a_body_without_a_schema_takes_json_as_json() -> None:
    function = {"name": "f", "path": "/", "parameters": [], "request_body": {"schema": None}}
    assert split_values(function, {"a": "1", "b": "x"}, None) == ({}, '{"a": 1, "b": "x"}')
    with pytest.raises(CoalmineError, match="has no parameter a"):
        split_values({**function, "request_body": None}, {"a": "1"}, None)


VIA_PROXY = {
    "a prefix": ({"path": {"prefix": "/cat"}}, "/cat/7?tags=a%2Cb"),
    "a template": ({"path": {"template": "/c/{id}"}}, "/c/7?tags=a%2Cb"),
    "conditions": (
        {
            "path": {"prefix": "/cat"},
            "headers": [{"name": "x-canary", "exact": "true"}],
            "query": [{"name": "v", "exact": "2"}],
        },
        "/cat/7?v=2&tags=a%2Cb' -H 'x-canary: true",
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


def test_the_proxys_url_stands_alone_on_a_line(cli: Cli) -> None:
    assert cli("proxy url").out == "http://127.0.0.1:8080\n"
    assert cli("proxy url -o json").json == {"url": "http://127.0.0.1:8080"}
    assert cli("proxy url -o curl").out.endswith("/api/v1/proxy\n")
