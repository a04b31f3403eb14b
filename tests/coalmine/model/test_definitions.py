"""What one definition alone can be judged by: accepted as written, or refused at the right place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from coalmine.model import Function, Route, Upstream, VirtualService

TO_A = {"destinations": [{"upstream": "a"}]}


def upstream(**changes: Any) -> dict[str, Any]:
    return {"name": "petstore", "endpoints": ["http://127.0.0.1:9001"], **changes}


def route(**changes: Any) -> dict[str, Any]:
    return {"name": "find-pets", **TO_A, **changes}


def match(**changes: Any) -> dict[str, Any]:
    return route(match=changes)


ACCEPTED: list[tuple[str, type[Any], dict[str, Any]]] = [
    ("an upstream with two endpoints", Upstream, upstream(endpoints=["http://a:1", "http://b:2"])),
    ("an endpoint on IPv6", Upstream, upstream(endpoints=["http://[::1]:80"])),
    ("an endpoint with a closing slash", Upstream, upstream(endpoints=["http://a/"])),
    ("a document URL that is a path", Upstream, upstream(discovery={"document_url": "/v3/api-docs"})),
    ("a document URL elsewhere", Upstream, upstream(discovery={"document_url": "https://docs.example/openapi.json"})),
    ("a health check", Upstream, upstream(health_check={"path": "/up", "unhealthy_after": 5, "expected_status": 204})),
    ("a virtual service for a suffix", VirtualService, {"name": "a", "domains": ["*.example.com", "example.com"]}),
    ("a route with everything left out", Route, route()),
    ("a template", Route, match(path={"template": "/pets/{id}"})),
    ("a method in small letters", Route, match(methods=["get"])),
    ("a CIDR with host bits", Route, match(source_cidrs=["10.1.2.3/8", "::1"])),
    ("a redirect", Route, {"name": "r", "redirect": {"host": "example.com"}}),
    ("a direct response", Route, {"name": "r", "direct_response": {"status": 404, "body": "gone"}}),
    ("sticky by cookie", Route, route(sticky={"cookie": {}})),
    ("a rewrite by pattern", Route, route(rewrite={"regex": {"pattern": "a", "substitution": "b"}})),
    ("a host to send", Route, route(host="api.example.com:8080")),
    ("the upstream's host", Route, route(host="upstream")),
    ("a delay", Route, route(fault={"delay_seconds": 1})),
    ("a weight of zero beside another", Route, route(destinations=[{"upstream": "a", "weight": 0}, {"upstream": "b"}])),
    ("retries", Route, route(retries={"attempts": 2, "on": ["5xx"], "per_try_timeout_seconds": 0.5})),
]


@pytest.mark.parametrize(("kind", "value"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_accepted_and_read_back_the_same(kind: type[Any], value: dict[str, Any]) -> None:
    definition = kind.model_validate(value)
    assert kind.model_validate_json(definition.model_dump_json(by_alias=True)) == definition


REFUSED: list[tuple[str, type[Any], dict[str, Any], tuple[Any, ...], str]] = [
    ("an unknown key", Upstream, upstream(endpoint="x"), ("endpoint",), "Extra inputs"),
    ("a name in capitals", Upstream, upstream(name="Petstore"), ("name",), "pattern"),
    ("a name with a line break", Upstream, upstream(name="a\n"), ("name",), "pattern"),
    ("no endpoint", Upstream, upstream(endpoints=[]), ("endpoints",), "at least one"),
    ("an endpoint with a path", Upstream, upstream(endpoints=["http://a/api"]), ("endpoints", 0), "has a path"),
    ("an endpoint with credentials", Upstream, upstream(endpoints=["http://u:p@a"]), ("endpoints", 0), "user name"),
    ("an endpoint of another scheme", Upstream, upstream(endpoints=["ftp://a"]), ("endpoints", 0), "http://"),
    ("an endpoint without a host", Upstream, upstream(endpoints=["http://"]), ("endpoints", 0), "host"),
    ("an endpoint with port 0", Upstream, upstream(endpoints=["http://a:0"]), ("endpoints", 0), "port"),
    ("an endpoint with port 99999", Upstream, upstream(endpoints=["http://a:99999"]), ("endpoints", 0), "port"),
    ("an endpoint with a line break", Upstream, upstream(endpoints=["http://a\r\nx"]), ("endpoints", 0), "line breaks"),
    ("two schemes", Upstream, upstream(endpoints=["http://a", "https://b"]), (), "one scheme"),
    ("an endpoint twice", Upstream, upstream(endpoints=["http://a", "http://A"]), (), "twice"),
    (
        "a document URL with a space",
        Upstream,
        upstream(discovery={"document_url": "/a b"}),
        ("discovery", "document_url"),
        "spaces",
    ),
    (
        "a document URL without host",
        Upstream,
        upstream(discovery={"document_url": "//x"}),
        ("discovery", "document_url"),
        "neither",
    ),
    (
        "a document in a file",
        Upstream,
        upstream(discovery={"document_url": "file:///etc/passwd"}),
        ("discovery", "document_url"),
        "neither",
    ),
    (
        "a document URL with a password",
        Upstream,
        upstream(discovery={"document_url": "http://u@a/x"}),
        ("discovery", "document_url"),
        "user name",
    ),
    (
        "a document URL with port 99999",
        Upstream,
        upstream(discovery={"document_url": "http://a:99999/x"}),
        ("discovery", "document_url"),
        "port",
    ),
    (
        "a document URL with half a host",
        Upstream,
        upstream(discovery={"document_url": "http://[::1/x"}),
        ("discovery", "document_url"),
        "host name",
    ),
    ("no domain", VirtualService, {"name": "a", "domains": []}, ("domains",), "at least one"),
    ("a domain with a port", VirtualService, {"name": "a", "domains": ["a:80"]}, ("domains", 0), "not a domain"),
    ("a star in the middle", VirtualService, {"name": "a", "domains": ["a.*.b"]}, ("domains", 0), "not a domain"),
    ("two path kinds", Route, match(path={"exact": "/a", "prefix": "/a"}), ("match", "path"), "exactly one"),
    ("no path kind", Route, match(path={}), ("match", "path"), "exactly one"),
    ("a path without a slash", Route, match(path={"prefix": "a"}), ("match", "path", "prefix"), "slash"),
    ("a path with a query", Route, match(path={"exact": "/a?b"}), ("match", "path", "exact"), "character"),
    (
        "a header with two conditions",
        Route,
        match(headers=[{"name": "a", "exact": "b", "present": True}]),
        ("match", "headers", 0),
        "exactly one",
    ),
    (
        "a header name with a space",
        Route,
        match(headers=[{"name": "a b", "present": True}]),
        ("match", "headers", 0, "name"),
        "token",
    ),
    ("a CIDR that is none", Route, match(source_cidrs=["10.0.0.0/40"]), ("match", "source_cidrs", 0), "10.0.0.0/40"),
    ("no action", Route, {"name": "a"}, (), "exactly one of destinations"),
    ("two actions", Route, route(direct_response={"status": 200}), (), "exactly one of destinations"),
    ("weights all zero", Route, route(destinations=[{"upstream": "a", "weight": 0}]), (), "all zero"),
    (
        "a negative weight",
        Route,
        route(destinations=[{"upstream": "a", "weight": -1}]),
        ("destinations", 0, "weight"),
        "greater than",
    ),
    ("a redirect to nowhere", Route, {"name": "a", "redirect": {"status": 301}}, ("redirect",), "at least one"),
    (
        "a redirect with path and prefix",
        Route,
        {"name": "a", "redirect": {"path": "/a", "prefix": "/b"}},
        ("redirect",),
        "one of path",
    ),
    ("a redirect to a wildcard", Route, {"name": "a", "redirect": {"host": "*.b"}}, ("redirect", "host"), "host name"),
    ("sticky by nothing", Route, route(sticky={}), ("sticky",), "exactly one"),
    (
        "two rewrites",
        Route,
        route(rewrite={"prefix": "/a", "regex": {"pattern": "a", "substitution": ""}}),
        ("rewrite",),
        "exactly one",
    ),
    ("a fault that does nothing", Route, route(fault={"percent": 5}), ("fault",), "abort_status"),
    ("a host with a space", Route, route(host="a b"), ("host",), "host name"),
    (
        "a header value with a line break",
        Route,
        route(request_headers={"set": {"a": "b\r\nc"}}),
        ("request_headers", "set", "a"),
        "line breaks",
    ),
    ("a timeout of zero", Route, route(timeout_seconds=0), ("timeout_seconds",), "greater than 0"),
    (
        "a weight that is text",
        Route,
        route(destinations=[{"upstream": "a", "weight": "much"}]),
        ("destinations", 0, "weight"),
        "integer",
    ),
    (
        "a truth value for a number",
        Route,
        {"name": "a", "destinations": [{"upstream": "b", "weight": True}]},
        ("destinations", 0, "weight"),
        "true is not a number",
    ),
    (
        "a truth value for seconds",
        Route,
        {"name": "a", "direct_response": {}, "timeout_seconds": False},
        ("timeout_seconds",),
        "false is not a number",
    ),
    *(
        (
            f"an origin that no browser sends: {origin}",
            Route,
            {"name": "a", "direct_response": {}, "cors": {"allow_origins": ["https://ok.test", origin]}},
            ("cors", "allow_origins", 1),
            "is not an origin",
        )
        for origin in ("a.test", "*.a.test", "https://a.test/", "https://a.test/path", "https://", "https://u@a.test")
    ),
]


@pytest.mark.parametrize(
    ("kind", "value", "place", "part"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_where_the_mistake_is(
    kind: type[Any], value: dict[str, Any], place: tuple[Any, ...], part: str
) -> None:
    with pytest.raises(ValidationError) as error:
        kind.model_validate(value)
    found = error.value.errors()
    assert [item["loc"] for item in found] == [place]
    assert part in found[0]["msg"]


def test_definitions_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Upstream.model_validate(upstream()).name = "other"


def test_a_function_is_flat_json() -> None:
    function = {
        "upstream": "a",
        "name": "f",
        "method": "GET",
        "path": "/",
        "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-01-01T00:00:00Z",
    }
    assert Function.model_validate(function).model_dump(by_alias=True)["request_body"] is None
