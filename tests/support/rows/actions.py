"""Rewrites, redirects, direct responses, weights, sticky users, CORS, faults, mirrors, hosts and header edits."""

from __future__ import annotations

from coalmine.model import Route
from tests.support.case import Answer, Call, Request, ask, define, get, problem, route, rows, to


def _v1(target: str, **more: object) -> Call:
    return Call("v1", "GET", target, **more)  # type: ignore[arg-type]


def _prefix(name: str, prefix: str, new: str) -> Route:
    return route(name, prefix, to("v1"), rewrite={"prefix": new})


def _regex(name: str, prefix: str, pattern: str, substitution: str) -> Route:
    rewrite = {"regex": {"pattern": pattern, "substitution": substitution}}
    return route(name, prefix, to("v1"), rewrite=rewrite)


REWRITE = (
    *rows(
        "rewrite",
        define(
            _prefix("petstore", "/petstore", "/api/pets"),
            _prefix("strip", "/strip", "/"),
            _prefix("slash", "/slash/", "/api/"),
            _prefix("root", "/", "/base"),
            route("exact", {"exact": "/exact"}, to("v1"), rewrite={"prefix": "/whole"}),
            route("template", {"template": "/t/{x}"}, to("v1"), rewrite={"prefix": "/whole"}),
            _regex("groups", "/service", "^/service/([^/]+)(/.*)$", "\\2/instance/\\1"),
            _regex("every", "/many", "o", "0"),
            _regex("query", "/breaks", "/breaks", "/a?b=1"),
            _regex("relative", "/relative", "^/relative/?", ""),
            _regex("climb", "/climb", "^/climb", "/.."),
            route("function", "/function", to("v1", "findPets"), rewrite={"prefix": "/x"}),
        ),
        ("the article: a prefix becomes another", get("/petstore"), _v1("/api/pets")),
        ("the article: what follows the prefix stays", get("/petstore/1"), _v1("/api/pets/1")),
        ("a slash at the end stays", get("/petstore/"), _v1("/api/pets/")),
        ("the query stays", get("/petstore?limit=1"), _v1("/api/pets?limit=1")),
        ("encoded text stays encoded", get("/petstore/a%2Fb"), _v1("/api/pets/a%2Fb")),
        ("a prefix is taken away", get("/strip/a"), _v1("/a")),
        ("a prefix that was everything leaves the root", get("/strip"), _v1("/")),
        ("a slash behind a prefix that goes leaves the root", get("/strip/"), _v1("/")),
        ("slashes at the ends of prefixes are not doubled", get("/slash/a"), _v1("/api/a")),
        ("a prefix with a slash replaces the whole path as it is", get("/slash"), _v1("/api/")),
        ("everything moves below a base", get("/a/b"), _v1("/base/a/b")),
        ("the root moves below a base", get("/"), _v1("/base/")),
        ("an exact path is replaced as a whole", get("/exact"), _v1("/whole")),
        ("a template's path is replaced as a whole", get("/t/1"), _v1("/whole")),
        ("a regular expression with groups", get("/service/foo/v1/api"), _v1("/v1/api/instance/foo")),
        ("every match is replaced", get("/many/foo/oo?o=o"), _v1("/many/f00/00?o=o")),
        ("a rewrite cannot make a query", get("/breaks"), problem("bad_request", 400)),
        ("a rewrite leaves a path", get("/relative/x"), problem("bad_request", 400)),
        ("a rewrite cannot leave the root", get("/climb/x"), problem("bad_request", 400)),
        ("a function's path is its own", get("/function"), _v1("/api/pets")),
    ),
)


def _redirect(name: str, matched: str, /, **redirect: object) -> Route:
    return route(name, matched, redirect=redirect)


def _location(status: int, location: str) -> Answer:
    return Answer(status, headers=(("location", location),), body=b"")


REDIRECT = rows(
    "redirect",
    define(
        _redirect("host", "/host", host="example.org"),
        _redirect("scheme", "/scheme", scheme="https", status=301),
        _redirect("port", "/port", port=8443, scheme="https"),
        _redirect("http-port", "/http-port", port=80),
        _redirect("path", "/path", path="/new/place", status=303),
        _redirect("prefix", "/old", prefix="/new", status=308),
        _redirect("strip", "/strip", prefix="/", status=307),
    ),
    ("another host", get("/host/a?b=c"), _location(302, "http://example.org/host/a?b=c")),
    ("another scheme", get("/scheme"), _location(301, "https://gateway.test/scheme")),
    (
        "another scheme forgets the port",
        get("/scheme", host="gateway.test:8080"),
        _location(301, "https://gateway.test/scheme"),
    ),
    ("another port", get("/port"), _location(302, "https://gateway.test:8443/port")),
    ("the default port is not written", get("/http-port"), _location(302, "http://gateway.test/http-port")),
    ("another path keeps the query", get("/path/x?q=1"), _location(303, "/new/place?q=1")),
    ("another prefix", get("/old/a/b"), _location(308, "/new/a/b")),
    ("another prefix, nothing behind it", get("/old"), _location(308, "/new")),
    ("a redirect never names a host by accident", get("/strip//evil.test/"), _location(307, "/evil.test/")),
    ("a method does not matter to a redirect", ask("POST", "/old"), _location(308, "/new")),
)

DIRECT = rows(
    "direct-response",
    define(
        route("text", "/text", direct_response={"status": 200, "body": "hello"}),
        route("json", "/json", direct_response={"body": "{}", "headers": {"Content-Type": "application/json"}}),
        route("empty", "/empty", direct_response={"status": 404, "headers": {"X-Why": "closed"}}),
    ),
    ("a text", get("/text"), Answer(200, headers=(("content-type", "text/plain; charset=utf-8"),), body=b"hello")),
    ("its own content type", get("/json"), Answer(200, headers=(("content-type", "application/json"),), body=b"{}")),
    (
        "no body, a header",
        get("/empty"),
        Answer(404, headers=(("x-why", "closed"),), absent=("content-type",), body=b""),
    ),
)

WEIGHTS = (
    *rows(
        "weights",
        define(
            route("ten", "/ten", to("v2", "findPets", weight=10), to("v1", "findPets", weight=90)),
            route("zero", "/zero", to("v2", weight=0), to("v1", weight=1)),
            route("single", "/single", to("v2", weight=7)),
            route("other", "/id", to("v1", "findPetById", weight=1), to("v2", "deletePet", weight=1)),
        ),
        ("the first tenth", get("/ten"), Call("v2", "GET", "/api/pets"), (0.0,)),
        ("the end of the first tenth", get("/ten"), Call("v2", "GET", "/api/pets"), (0.0999,)),
        ("the beginning of the rest", get("/ten"), _v1("/api/pets"), (0.1,)),
        ("the end of the rest", get("/ten"), _v1("/api/pets"), (0.999999,)),
        ("a weight of zero gets nothing", get("/zero"), _v1("/zero"), (0.0,)),
        ("one destination needs no chance", get("/single"), Call("v2", "GET", "/single")),
        ("each destination has its own function", get("/id/7"), Call("v2", "DELETE", "/api/pets/7"), (0.75,)),
    ),
)


def _sticky(name: str, sticky: dict[str, object], old: int, new: int) -> Route:
    return route(name, f"/{name}", to("v1", weight=old), to("v2", weight=new), sticky=sticky)


_COOKIE = {"cookie": {"name": "coalmine", "ttl_seconds": 60}}

STICKY = (
    *rows(
        "sticky",
        define(
            _sticky("user", {"header": "X-User"}, 90, 10),
            _sticky("more", {"header": "X-User"}, 50, 50),
            _sticky("cookie", _COOKIE, 50, 50),
            _sticky("source", {"source_address": True}, 50, 50),
            route("one", "/one", to("v1"), sticky=_COOKIE),
        ),
        ("a user's version does not depend on chance", get("/user", x_user="u1"), _v1("/user"), (0.99,)),
        ("another user's version", get("/user", x_user="u26"), Call("v2", "GET", "/user"), (0.0,)),
        ("who has v2 keeps it when its weight grows", get("/more", x_user="u26"), Call("v2", "GET", "/more"), (0.0,)),
        ("without the header chance decides", get("/user"), Call("v2", "GET", "/user"), (0.95,)),
        (
            "a cookie is minted",
            get("/cookie"),
            _v1(
                "/cookie",
                adds=(("set-cookie", "coalmine=10000000000000; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),),
            ),
            (0.5,),
        ),
        (
            "the minted cookie leads to the same version",
            get("/cookie", cookie="coalmine=10000000000000"),
            _v1("/cookie", headers=(("cookie", "coalmine=10000000000000"),)),
            (0.75,),
        ),
        (
            "an empty cookie is none",
            get("/cookie", cookie="coalmine="),
            _v1("/cookie", adds=(("set-cookie", "coalmine=10*"),)),
            (0.5,),
        ),
        ("a cookie is minted for later, too", get("/one"), _v1("/one", adds=(("set-cookie", "coalmine=10*"),)), (0.5,)),
        ("a source address", get("/source", source="127.0.0.4"), _v1("/source"), (0.99,)),
        ("another source address", get("/source", source="127.0.0.3"), Call("v2", "GET", "/source"), (0.0,)),
    ),
)

_PAGE = "https://page.test"
_PREFLIGHT = {"origin": _PAGE, "access_control_request_method": "PUT"}


def _preflight(target: str, **headers: str) -> Request:
    return ask("OPTIONS", target, **{**_PREFLIGHT, **headers})  # type: ignore[arg-type]


def _allow(**headers: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"access-control-{name.replace('_', '-')}", value) for name, value in headers.items())


_CORS = {
    "allow_origins": [_PAGE, "https://*.shop.test"],
    "allow_methods": ["GET", "PUT"],
    "allow_headers": ["x-a", "x-b"],
    "expose_headers": ["x-c"],
    "max_age_seconds": 600,
}
_NOT_ALLOWED = ("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-credentials")

CORS = rows(
    "cors",
    define(
        route("strict", "/strict", to("v1"), methods=["PUT", "GET"], cors=_CORS),
        route("open", "/open", to("v1"), cors={"allow_origins": ["*"], "allow_headers": ["*"], "allow_methods": ["*"]}),
        route(
            "trusting",
            "/trusting",
            to("v1"),
            cors={
                "allow_origins": ["*"],
                "allow_credentials": True,
                "allow_headers": ["*"],
                "allow_methods": ["*"],
            },
        ),
        route("pet", "/pet", to("v1", "findPetById"), cors=_CORS),
        route("gone", "/gone", to("gone"), cors=_CORS),
        route("options", "/options", to("v2"), methods=["OPTIONS"], cors=_CORS),
        route("none", "/none", to("v2")),
    ),
    (
        "a preflight is answered by the route of the method it asks about",
        _preflight("/strict"),
        Answer(
            204,
            headers=(
                *_allow(allow_origin=_PAGE, allow_methods="GET, PUT", allow_headers="x-a, x-b", max_age="600"),
                ("vary", "origin, access-control-request-method, access-control-request-headers"),
            ),
            absent=("access-control-allow-credentials",),
            body=b"",
        ),
    ),
    (
        "a preflight of a page that is not allowed",
        _preflight("/strict", origin="https://evil.test"),
        Answer(204, absent=_NOT_ALLOWED),
    ),
    (
        "a preflight from a wildcard's host",
        _preflight("/strict", origin="https://eu.shop.test"),
        Answer(204, headers=_allow(allow_origin="https://eu.shop.test")),
    ),
    (
        "a wildcard stands for a host, not for its own end",
        _preflight("/strict", origin="https://shop.test"),
        Answer(204, absent=_NOT_ALLOWED),
    ),
    (
        "a wildcard does not leave the scheme",
        _preflight("/strict", origin="http://eu.shop.test"),
        Answer(204, absent=_NOT_ALLOWED),
    ),
    (
        "an open route answers with a star",
        _preflight("/open", access_control_request_headers="x-z"),
        Answer(204, headers=_allow(allow_origin="*", allow_methods="*", allow_headers="*")),
    ),
    (
        "with credentials what was asked for is named",
        _preflight("/trusting", access_control_request_headers="x-z"),
        Answer(
            204, headers=_allow(allow_origin=_PAGE, allow_credentials="true", allow_methods="PUT", allow_headers="x-z")
        ),
    ),
    (
        "a preflight for a method that no route takes",
        ask("OPTIONS", "/strict", origin=_PAGE, access_control_request_method="DELETE"),
        problem("no_route", 404),
    ),
    ("a preflight where nothing is said about CORS goes on", _preflight("/none"), Call("v2", "OPTIONS", "/none")),
    (
        "a route for OPTIONS alone answers preflights",
        _preflight("/options"),
        Answer(204, headers=_allow(allow_origin=_PAGE)),
    ),
    ("OPTIONS without an origin is no preflight", ask("OPTIONS", "/open"), Call("v1", "OPTIONS", "/open")),
    ("a preflight does not call the function", _preflight("/pet"), Answer(204, headers=_allow(allow_origin=_PAGE))),
    (
        "the answer to a page gets the headers",
        get("/strict", origin=_PAGE),
        _v1("/strict", adds=(*_allow(allow_origin=_PAGE, expose_headers="x-c"), ("vary", "origin"))),
    ),
    ("the answer to nobody's page varies by origin, too", get("/strict"), _v1("/strict", adds=(("vary", "origin"),))),
    ("an open route's answer", get("/open", origin="null"), _v1("/open", adds=_allow(allow_origin="*"))),
    (
        "a problem gets the headers, so that the page can read it",
        get("/pet", origin=_PAGE),
        Answer(400, "missing_parameter", headers=_allow(allow_origin=_PAGE)),
    ),
    (
        "so does the problem of a route",
        get("/gone", origin=_PAGE),
        Answer(503, "upstream_missing", headers=_allow(allow_origin=_PAGE)),
    ),
    (
        "so does a call whose body was read first",
        ask("POST", "/pet", body='{"id":1}', kind="application/json", origin=_PAGE),
        Call("v1", "GET", "/api/pets/1", body=b"", adds=_allow(allow_origin=_PAGE)),
    ),
    (
        "so does the refusal of a body that is not read to its end",
        ask("POST", "/pet", body='{"id":1, "name":"Tom"}', kind="application/json", origin=_PAGE),
        Answer(413, "body_too_large", headers=_allow(allow_origin=_PAGE)),
        (),
        8,
    ),
)

FAULT = rows(
    "fault",
    define(
        route("abort", "/abort", to("v1"), fault={"abort_status": 418}),
        route("some", "/some", to("v1", weight=1), to("v2", weight=1), fault={"abort_status": 503, "percent": 10}),
        route("delay", "/delay", to("v1"), fault={"delay_seconds": 0.01}),
        route("both", "/both", to("v1"), fault={"abort_status": 500, "delay_seconds": 0.01}),
        route("direct", "/direct", direct_response={"status": 200, "body": "x"}, fault={"delay_seconds": 0.01}),
        route("never", "/never", to("v1"), fault={"abort_status": 500, "percent": 0}),
        route("body", "/body", to("v1", "findPetById"), fault={"delay_seconds": 0.01}),
    ),
    ("every request is aborted", get("/abort"), Answer(418, "fault_injected", members=(("code", "fault_injected"),))),
    ("a share is aborted", get("/some"), Answer(503, "fault_injected"), (0.0999,)),
    ("the rest is served", get("/some"), _v1("/some"), (0.1, 0.4)),
    ("chance for the fault and for the destination are two", get("/some"), Call("v2", "GET", "/some"), (0.9, 0.6)),
    ("a delay", get("/delay"), _v1("/delay", delay_seconds=0.01)),
    ("a delay and an abort", get("/both"), Answer(500, "fault_injected", delay_seconds=0.01)),
    ("a delay of a direct response", get("/direct"), Answer(200, delay_seconds=0.01, body=b"x")),
    ("a fault of no percent", get("/never"), _v1("/never"), (0.0,)),
    (
        "a delay of a call whose body was read first",
        ask("POST", "/body", body='{"id":1}', kind="application/json"),
        Call("v1", "GET", "/api/pets/1", body=b"", delay_seconds=0.01),
    ),
)

MIRROR = rows(
    "mirror",
    define(
        route("plain", "/plain", to("v1"), mirror={"upstream": "v2"}),
        route("tenth", "/tenth", to("v1"), mirror={"upstream": "v2", "percent": 10}),
        route("function", "/id", to("v1"), mirror={"upstream": "v2", "function": "findPetById"}),
        route("rewritten", "/re", to("v1"), rewrite={"prefix": "/x"}, mirror={"upstream": "v2"}),
        route("called", "/called", to("v1", "findPets"), mirror={"upstream": "v2", "function": "findPets"}),
        route("gone", "/gone", to("v1"), mirror={"upstream": "gone"}),
    ),
    ("a copy of everything", get("/plain?a=1"), _v1("/plain?a=1", mirror=("v2", "GET", "/plain?a=1"))),
    ("a copy of a share", get("/tenth"), _v1("/tenth", mirror=("v2", "GET", "/tenth")), (0.05,)),
    ("no copy of the rest", get("/tenth"), _v1("/tenth"), (0.1,)),
    ("a copy may call a function", get("/id/7"), _v1("/id/7", mirror=("v2", "GET", "/api/pets/7"))),
    ("a copy that cannot be made is left out", get("/id"), _v1("/id")),
    (
        "a copy never makes the gateway read a body",
        ask("POST", "/id", body='{"id":1}', kind="application/json"),
        Call("v1", "POST", "/id"),
    ),
    ("a copy is rewritten, too", get("/re/a"), _v1("/x/a", mirror=("v2", "GET", "/x/a"))),
    (
        "a call and its copy",
        get("/called?limit=1"),
        _v1("/api/pets?limit=1", mirror=("v2", "GET", "/api/pets?limit=1")),
    ),
    ("a mirror without an upstream harms nobody", get("/gone"), _v1("/gone")),
)

HEADERS = rows(
    "headers",
    define(
        route("named", "/named", to("v1"), host="other.test"),
        route("kept", "/kept", to("v1")),
        route(
            "edited",
            "/edited",
            to("v1"),
            request_headers={"remove": ["x-old"], "set": {"X-Set": "new"}, "add": {"X-Add": "more"}},
        ),
    ),
    ("the host is preserved", get("/kept"), _v1("/kept", headers=(("host", "gateway.test"),))),
    (
        "the host with its port is preserved",
        get("/kept", host="gateway.test:8080"),
        _v1("/kept", headers=(("host", "gateway.test:8080"),)),
    ),
    ("another host is sent", get("/named"), _v1("/named", headers=(("host", "other.test"),))),
    (
        "headers are removed, set and added",
        get("/edited", x_old="1", x_set="old"),
        _v1("/edited", edited=(("x-set", "new"), ("x-add", "more"))),
    ),
)
