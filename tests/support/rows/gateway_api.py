"""What applies of the Gateway API's HTTPRoute conformance suite; each group of rows names its origin there.

Where a rule of theirs has several matches, there is one route for each. Left out on purpose: HEAD does match a GET
route here (RFC 9110 section 9.3.2), and a redirect to another host does not carry the listener's port along.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coalmine.model import Definitions, Route
from tests.support.case import Answer, Call, Case, Pairs, Request, ask, define, get, problem, route, rows, to

V1, V2 = to("v1"), to("v2")
_404 = problem("no_route", 404)


def of_suite(name: str, group: str, definitions: Definitions, *given: tuple[Any, ...]) -> tuple[Case, ...]:
    cases = rows(group, definitions, *given)
    return tuple(replace(one, name=f"{name}: {one.name}", origin=f"gateway-api {name}") for one in cases)


def goes_to(upstream: str, target: str, method: str = "GET", **more: Any) -> Call:
    return Call(upstream, method, target, **more)


def _exact(name: str, path: str, upstream: str) -> Route:
    return route(name, {"exact": path}, to(upstream))


def _header(name: str, value: str) -> dict[str, str]:
    return {"name": name, "exact": value}


_PATHS = (
    *of_suite(
        "HTTPExactPathMatching",
        "matchers",
        define(_exact("one", "/one", "v1"), _exact("two", "/two", "v2")),
        ("the first", get("/one"), goes_to("v1", "/one")),
        ("the second", get("/two"), goes_to("v2", "/two")),
        ("the root", get("/"), _404),
        ("below", get("/one/example"), _404),
        ("a slash at the end", get("/two/"), _404),
        ("upper case", get("/Two"), _404),
    ),
    *of_suite(
        "HTTPRoutePathMatchOrder",
        "order",
        define(
            _exact("a", "/match/exact/one", "v1"),
            _exact("b", "/match/exact", "v2"),
            _exact("c", "/match", "v1"),
            route("d", "/match/prefix/one", V2),
            route("e", "/match/prefix", V1),
            route("f", "/match", V2),
        ),
        ("exact, long", get("/match/exact/one"), goes_to("v1", "/match/exact/one")),
        ("exact, middle", get("/match/exact"), goes_to("v2", "/match/exact")),
        ("exact, short", get("/match"), goes_to("v1", "/match")),
        ("prefix, long", get("/match/prefix/one/any"), goes_to("v2", "/match/prefix/one/any")),
        ("prefix, middle", get("/match/prefix/any"), goes_to("v1", "/match/prefix/any")),
        ("prefix, short", get("/match/any"), goes_to("v2", "/match/any")),
    ),
)

_CONDITIONS = (
    *of_suite(
        "HTTPRouteHeaderMatching",
        "matchers",
        define(
            route("one", "/", V1, headers=[_header("version", "one")]),
            route("two", "/", V2, headers=[_header("version", "two")]),
            route("orange", "/", V1, headers=[_header("version", "two"), _header("color", "orange")]),
            route("blue", "/", V1, headers=[_header("color", "blue")]),
            route("green", "/", V1, headers=[_header("color", "green")]),
            route("red", "/", V2, headers=[_header("color", "red")]),
            route("yellow", "/", V2, headers=[_header("color", "yellow")]),
        ),
        ("version one", get("/", Version="one"), goes_to("v1", "/")),
        ("version two", get("/", Version="two"), goes_to("v2", "/")),
        ("version two, orange", get("/", Version="two", Color="orange"), goes_to("v1", "/")),
        ("version two, blue: the older route", get("/", Version="two", Color="blue"), goes_to("v2", "/")),
        ("orange alone", get("/", Color="orange"), _404),
        ("another header", get("/", Some_Other_Header="one"), _404),
        ("blue", get("/", Color="blue"), goes_to("v1", "/")),
        ("green", get("/", Color="green"), goes_to("v1", "/")),
        ("red", get("/", Color="red"), goes_to("v2", "/")),
        ("yellow", get("/", Color="yellow"), goes_to("v2", "/")),
        ("purple", get("/", Color="purple"), _404),
    ),
    *of_suite(
        "HTTPRouteMethodMatching",
        "matchers",
        define(
            route("post", "/", V1, methods=["POST"]),
            route("get", "/", V2, methods=["GET"]),
            route("path1", "/path1", V1, methods=["GET"]),
            route("one", "/", V2, methods=["PUT"], headers=[_header("version", "one")]),
            route("path3", "/path3", V1, methods=["PATCH"]),
            route("path4", "/path4", V1, methods=["DELETE"], headers=[_header("version", "three")]),
            route("path5", "/path5", V1),
            route("patch", "/", V2, methods=["PATCH"]),
        ),
        ("POST", ask("POST", "/"), goes_to("v1", "/", "POST")),
        ("GET", ask("GET", "/"), goes_to("v2", "/")),
        ("GET and a path", ask("GET", "/path1"), goes_to("v1", "/path1")),
        ("PUT and a header", ask("PUT", "/", version="one"), goes_to("v2", "/", "PUT")),
        ("PUT alone", ask("PUT", "/"), _404),
        ("PATCH and a path", ask("PATCH", "/path3"), goes_to("v1", "/path3", "PATCH")),
        ("all three", ask("DELETE", "/path4", version="three"), goes_to("v1", "/path4", "DELETE")),
        ("two of three", ask("DELETE", "/path4"), _404),
        ("the path goes before the method", ask("PATCH", "/path5"), goes_to("v1", "/path5", "PATCH")),
    ),
    *of_suite(
        "HTTPRouteQueryParamMatching",
        "matchers",
        define(
            route("whale", "/", V1, query=[_header("animal", "whale")]),
            route("dolphin", "/", V2, query=[_header("animal", "dolphin")]),
            route("blue", "/", V1, query=[_header("animal", "dolphin"), _header("color", "blue")]),
            route("upper", "/", V2, query=[_header("ANIMAL", "Whale")]),
            route("path1", "/path1", V2, query=[_header("animal", "whale")]),
            route("path5", "/path5", V1),
            route("hydra", "/", V2, query=[_header("animal", "hydra")]),
        ),
        ("whale", get("/?animal=whale"), goes_to("v1", "/?animal=whale")),
        ("dolphin", get("/?animal=dolphin"), goes_to("v2", "/?animal=dolphin")),
        ("dolphin, blue", get("/?animal=dolphin&color=blue"), goes_to("v1", "/?animal=dolphin&color=blue")),
        ("names mind upper and lower case", get("/?ANIMAL=Whale"), goes_to("v2", "/?ANIMAL=Whale")),
        ("another parameter", get("/?animal=whale&otherparam=x"), goes_to("v1", "/?animal=whale&otherparam=x")),
        ("another color", get("/?animal=dolphin&color=yellow"), goes_to("v2", "/?animal=dolphin&color=yellow")),
        ("blue alone", get("/?color=blue"), _404),
        ("a dog", get("/?animal=dog"), _404),
        ("no part of a value", get("/?animal=whaledolphin"), _404),
        ("no query", get("/"), _404),
        ("a longer path", get("/path1?animal=whale"), goes_to("v2", "/path1?animal=whale")),
        ("the path goes before the query", get("/path5?animal=hydra"), goes_to("v1", "/path5?animal=hydra")),
    ),
)

_EDITS = {
    "set": {"X-Header-Set": "set-overwrites-values"},
    "add": {"X-Header-Add": "header-val-1"},
    "remove": ["X-Header-Remove"],
}

_REWRITES = of_suite(
    "HTTPRouteRewritePath",
    "rewrite",
    define(
        route("one", "/prefix/one", V1, rewrite={"prefix": "/one"}),
        route("strip", "/strip-prefix", V1, rewrite={"prefix": "/"}),
        route("full", "/full/one", V1, rewrite={"regex": {"pattern": "^.*$", "substitution": "/one"}}),
        route(
            "headers",
            "/prefix/rewrite-path-and-modify-headers",
            V1,
            rewrite={"prefix": "/prefix"},
            request_headers=_EDITS,
        ),
    ),
    ("a prefix", get("/prefix/one/two"), goes_to("v1", "/one/two")),
    ("a prefix that goes", get("/strip-prefix/three"), goes_to("v1", "/three")),
    ("a prefix that was everything goes", get("/strip-prefix"), goes_to("v1", "/")),
    ("the full path", get("/full/one/two"), goes_to("v1", "/one")),
    (
        "a prefix and headers",
        get("/prefix/rewrite-path-and-modify-headers/one", x_header_remove="remove-val", x_header_set="set-val"),
        goes_to(
            "v1",
            "/prefix/one",
            edited=(("x-header-set", "set-overwrites-values"), ("x-header-add", "header-val-1")),
        ),
    ),
)


def redirect(matched: str, /, **changes: Any) -> Route:
    return route(matched.strip("/"), matched, redirect=changes)


def location(status: int, location: str) -> Answer:
    return Answer(status, headers=(("location", location),))


_REDIRECTS = (
    *of_suite(
        "HTTPRouteRedirectPath",
        "redirect",
        define(
            redirect("/original-prefix", prefix="/replacement-prefix"),
            redirect("/full", path="/full-path-replacement"),
            redirect("/path-and-host", host="example.org", prefix="/replacement-prefix"),
            redirect("/path-and-status", prefix="/replacement-prefix", status=301),
            redirect("/full-path-and-host", host="example.org", path="/replacement-full"),
        ),
        ("a prefix", get("/original-prefix/lemon"), location(302, "/replacement-prefix/lemon")),
        ("the full path", get("/full/path/original"), location(302, "/full-path-replacement")),
        ("prefix and host", get("/path-and-host"), location(302, "http://example.org/replacement-prefix")),
        ("prefix and status", get("/path-and-status"), location(301, "/replacement-prefix")),
        ("path and host", get("/full-path-and-host"), location(302, "http://example.org/replacement-full")),
    ),
    *of_suite(
        "HTTPRouteRedirectPortAndScheme",
        "redirect",
        define(
            redirect("/nil-and-nil", host="example.org"),
            redirect("/nil-and-80", host="example.org", port=80),
            redirect("/nil-and-8080", host="example.org", port=8080),
            redirect("/https-and-nil", host="example.org", scheme="https"),
            redirect("/https-and-443", host="example.org", scheme="https", port=443),
            redirect("/https-and-8443", host="example.org", scheme="https", port=8443),
        ),
        ("neither", get("/nil-and-nil"), location(302, "http://example.org/nil-and-nil")),
        ("the default port", get("/nil-and-80"), location(302, "http://example.org/nil-and-80")),
        ("another port", get("/nil-and-8080"), location(302, "http://example.org:8080/nil-and-8080")),
        ("another scheme", get("/https-and-nil"), location(302, "https://example.org/https-and-nil")),
        ("its default port", get("/https-and-443"), location(302, "https://example.org/https-and-443")),
        ("both", get("/https-and-8443"), location(302, "https://example.org:8443/https-and-8443")),
    ),
)


def _preflight(target: str, origin: str, method: str) -> Request:
    return ask("OPTIONS", target, origin=origin, access_control_request_method=method)


def _allow(**headers: str) -> Pairs:
    return tuple((f"access-control-{name.replace('_', '-')}", value) for name, value in headers.items())


_CREDENTIALS = ("access-control-allow-credentials",)
_CORS = of_suite(
    "HTTPRouteCORS",
    "cors",
    define(
        route(
            "cors-1",
            "/cors-1",
            V1,
            cors={
                "allow_origins": ["https://www.foo.com", "https://*.bar.com"],
                "allow_methods": ["GET", "OPTIONS"],
                "allow_headers": ["x-header-1", "x-header-2"],
                "expose_headers": ["x-header-3", "x-header-4"],
                "max_age_seconds": 3600,
                "allow_credentials": True,
            },
        ),
        route("cors-2", "/cors-2", V1, cors={"allow_origins": ["https://www.foo.com"], "allow_methods": ["*"]}),
        route("wildcard", "/wildcard", V1, cors={"allow_origins": ["*"], "allow_methods": ["PUT"]}),
    ),
    (
        "a preflight from an exact origin",
        _preflight("/cors-1", "https://www.foo.com", "GET"),
        Answer(
            204,
            headers=_allow(
                allow_origin="https://www.foo.com",
                allow_methods="GET, OPTIONS",
                allow_headers="x-header-1, x-header-2",
                expose_headers="x-header-3, x-header-4",
                max_age="3600",
                allow_credentials="true",
            ),
        ),
    ),
    (
        "a preflight from a wildcard's origin",
        _preflight("/cors-1", "https://xpto.www.bar.com", "GET"),
        Answer(204, headers=_allow(allow_origin="https://xpto.www.bar.com", allow_credentials="true")),
    ),
    (
        "a preflight from another origin",
        _preflight("/cors-1", "https://foobar.com", "GET"),
        Answer(204, absent=("access-control-allow-origin",)),
    ),
    (
        "a simple request",
        get("/cors-1", origin="https://www.bar.com"),
        goes_to("v1", "/cors-1", adds=_allow(allow_origin="https://www.bar.com", allow_credentials="true")),
    ),
    (
        "a wildcard for methods",
        _preflight("/cors-2", "https://www.foo.com", "POST"),
        Answer(204, headers=_allow(allow_origin="https://www.foo.com", allow_methods="*"), absent=_CREDENTIALS),
    ),
    (
        "a wildcard for origins, with a port",
        _preflight("/wildcard", "https://foobar.com:12345", "PUT"),
        Answer(204, headers=_allow(allow_origin="*", allow_methods="PUT"), absent=_CREDENTIALS),
    ),
)

GATEWAY_API = (*_PATHS, *_CONDITIONS, *_REWRITES, *_REDIRECTS, *_CORS)
