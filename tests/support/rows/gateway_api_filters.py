"""What applies of the Gateway API's HTTPRoute conformance suite beyond matching: filters, weights and mirrors.

Its backends answer with the fields that they were sent; those of the table do not, so answers are edited from nothing.
HTTPRouteTimeoutRequest and HTTPRouteTimeoutBackendRequest need a slow backend: tests/proxy/embedded/test_timeouts.py.
"""

from __future__ import annotations

from typing import Any

from coalmine.model import Route
from tests.support.case import define, get, route, to
from tests.support.rows.gateway_api import V1, V2, goes_to, location, of_suite, redirect

_FULL = {
    "set": {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2"},
    "add": {"X-Header-Add-1": "header-add-1", "X-Header-Add-2": "header-add-2", "X-Header-Add-3": "header-add-3"},
    "remove": ["X-Header-Remove-1", "X-Header-Remove-2"],
}
_MODIFIED = {
    "set": {"X-Header-Set": "set-overwrites-values"},
    "add": {"X-Header-Add": "header-val-1", "X-Header-Add-Append": "header-val-2"},
    "remove": ["X-Header-Remove"],
}
_AFTER_MODIFIED = (
    ("x-header-add", "header-val-1"),
    ("x-header-add-append", "append-val-1,header-val-2"),
    ("x-header-set", "set-overwrites-values"),
)


def _editing(side: str) -> tuple[Route, ...]:
    edits: dict[str, dict[str, Any]] = {
        "set": {"set": {"X-Header-Set": "set-overwrites-values"}},
        "add": {"add": {"X-Header-Add": "add-appends-values"}},
        "remove": {"remove": ["X-Header-Remove"]},
        "multiple": _FULL,
        "case-insensitivity": {
            "set": {"X-Header-Set": "header-set"},
            "add": {"X-Header-Add": "header-add"},
            "remove": ["X-Header-Remove"],
        },
    }
    return tuple(route(name, f"/{name}", V1, **{side: edit}) for name, edit in edits.items())


_HEADERS = (
    *of_suite(
        "HTTPRouteRequestHeaderModifier",
        "headers",
        define(*_editing("request_headers")),
        (
            "set, absent",
            get("/set", some_other_header="val"),
            goes_to("v1", "/set", edited=(("some-other-header", "val"), ("x-header-set", "set-overwrites-values"))),
        ),
        (
            "set, there",
            get("/set", some_other_header="val", x_header_set="some-other-value"),
            goes_to("v1", "/set", edited=(("some-other-header", "val"), ("x-header-set", "set-overwrites-values"))),
        ),
        (
            "add, absent",
            get("/add", some_other_header="val"),
            goes_to("v1", "/add", edited=(("some-other-header", "val"), ("x-header-add", "add-appends-values"))),
        ),
        (
            "add, there",
            get("/add", some_other_header="val", x_header_add="some-other-value"),
            goes_to("v1", "/add", edited=(("x-header-add", "some-other-value,add-appends-values"),)),
        ),
        ("remove", get("/remove", x_header_remove="val"), goes_to("v1", "/remove", gone=("x-header-remove",))),
        (
            "all together",
            get(
                "/multiple",
                x_header_set_2="set-val-2",
                x_header_add_2="add-val-2",
                x_header_remove_2="remove-val-2",
                another_header="another-header-val",
            ),
            goes_to(
                "v1",
                "/multiple",
                edited=(
                    ("x-header-set-1", "header-set-1"),
                    ("x-header-set-2", "header-set-2"),
                    ("x-header-add-1", "header-add-1"),
                    ("x-header-add-2", "add-val-2,header-add-2"),
                    ("x-header-add-3", "header-add-3"),
                    ("another-header", "another-header-val"),
                ),
                gone=("x-header-remove-1", "x-header-remove-2"),
            ),
        ),
        (
            "names in any case",
            get(
                "/case-insensitivity",
                x_header_set="original-val-set",
                x_header_add="original-val-add",
                x_header_remove="original-val-remove",
            ),
            goes_to(
                "v1",
                "/case-insensitivity",
                edited=(("x-header-set", "header-set"), ("x-header-add", "original-val-add,header-add")),
                gone=("x-header-remove",),
            ),
        ),
    ),
    *of_suite(
        "HTTPRouteResponseHeaderModifier",
        "headers",
        define(*_editing("response_headers")),
        ("set", get("/set"), goes_to("v1", "/set", answered=(("x-header-set", "set-overwrites-values"),))),
        ("add", get("/add"), goes_to("v1", "/add", answered=(("x-header-add", "add-appends-values"),))),
        (
            "all together",
            get("/multiple"),
            goes_to(
                "v1",
                "/multiple",
                answered=(
                    ("x-header-set-1", "header-set-1"),
                    ("x-header-set-2", "header-set-2"),
                    ("x-header-add-1", "header-add-1"),
                    ("x-header-add-2", "header-add-2"),
                    ("x-header-add-3", "header-add-3"),
                ),
            ),
        ),
    ),
)

_HOSTS = (
    *of_suite(
        "HTTPRouteRewriteHost",
        "rewrite",
        define(
            route("one", "/one", V1, host="one.example.org"),
            route("all", "/", V2, host="example.org"),
            route("both", "/rewrite-host-and-modify-headers", V2, host="test.example.org", request_headers=_MODIFIED),
        ),
        (
            "the first",
            get("/one", host="rewrite.example"),
            goes_to("v1", "/one", headers=(("host", "one.example.org"),)),
        ),
        ("the others", get("/two", host="rewrite.example"), goes_to("v2", "/two", headers=(("host", "example.org"),))),
        (
            "a host and headers",
            get(
                "/rewrite-host-and-modify-headers",
                host="rewrite.example",
                x_header_remove="remove-val",
                x_header_add_append="append-val-1",
            ),
            goes_to(
                "v2",
                "/rewrite-host-and-modify-headers",
                headers=(("host", "test.example.org"),),
                edited=_AFTER_MODIFIED,
                gone=("x-header-remove",),
            ),
        ),
    ),
    *of_suite(
        "HTTPRouteRedirectHostAndStatus",
        "redirect",
        define(
            redirect("/hostname-redirect", host="example.org"),
            redirect("/host-and-status", host="example.org", status=301),
        ),
        ("a host", get("/hostname-redirect"), location(302, "http://example.org/hostname-redirect")),
        ("a host and a status", get("/host-and-status"), location(301, "http://example.org/host-and-status")),
    ),
)

_SHARES = (
    *of_suite(
        "HTTPRouteWeight",
        "weights",
        define(route("weighted", "/", to("v1", weight=70), to("v2", weight=30), to("v2", "findPets", weight=0))),
        ("the least draw", get("/"), goes_to("v1", "/"), (0.0,)),
        ("within the first share", get("/"), goes_to("v1", "/"), (0.699,)),
        ("within the second share", get("/"), goes_to("v2", "/"), (0.701,)),
        ("the last is never chosen", get("/"), goes_to("v2", "/"), (1 - 2**-53,)),
    ),
    *of_suite(
        "HTTPRouteRequestMirror",
        "mirror",
        define(
            route("mirror", "/mirror", V1, mirror={"upstream": "v2"}),
            route("edited", "/mirror-and-modify-headers", V1, mirror={"upstream": "v2"}, request_headers=_MODIFIED),
        ),
        ("a copy", get("/mirror"), goes_to("v1", "/mirror", mirror=("v2", "GET", "/mirror"))),
        (
            "a copy and headers",
            get("/mirror-and-modify-headers", x_header_remove="remove-val", x_header_add_append="append-val-1"),
            goes_to(
                "v1",
                "/mirror-and-modify-headers",
                edited=_AFTER_MODIFIED,
                gone=("x-header-remove",),
                mirror=("v2", "GET", "/mirror-and-modify-headers"),
            ),
        ),
    ),
)

_MATCHING = of_suite(
    "HTTPRouteMatching",
    "matchers",
    define(
        route("all", "/", V1),
        route("one", "/", V1, headers=[{"name": "version", "exact": "one"}]),
        route("v2", "/v2", V2),
        route("two", "/", V2, headers=[{"name": "version", "exact": "two"}]),
    ),
    ("the root", get("/"), goes_to("v1", "/")),
    ("below the root", get("/example"), goes_to("v1", "/example")),
    ("a header for the first", get("/", version="one"), goes_to("v1", "/")),
    ("a prefix", get("/v2"), goes_to("v2", "/v2")),
    ("below a prefix", get("/v2/example"), goes_to("v2", "/v2/example")),
    ("a header for the second", get("/", version="two"), goes_to("v2", "/")),
)

GATEWAY_API_FILTERS = (*_HEADERS, *_HOSTS, *_SHARES, *_MATCHING)
