"""Gloo's route options: each is said in Coalmine's words, or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.coalmine.manifests.support import TO_CATS, faults_of, only, parse, route, service, short

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a prefix, as in 2019": ("{prefixRewrite: {prefixRewrite: /b}}", {"rewrite": {"prefix": "/b"}}),
    "a prefix, as later": ("{prefixRewrite: /b}", {"rewrite": {"prefix": "/b"}}),
    "an empty prefix": ("{prefixRewrite: ''}", {}),
    "a pattern": (
        r"{regexRewrite: {pattern: {googleRe2: {}, regex: '^/a/(.*)'}, substitution: '/\1'}}",
        {"rewrite": {"regex": {"pattern": "^/a/(.*)", "substitution": "/\\1"}}},
    ),
    "a timeout": ("{timeout: 1.5s}", {"timeout_seconds": 1.5}),
    "a timeout in several units": ("{timeout: 1m30s}", {"timeout_seconds": 90.0}),
    "milliseconds": ("{timeout: 250ms}", {"timeout_seconds": 0.25}),
    "retries": (
        "{retries: {retryOn: 'connect-failure, 5xx', numRetries: 3, perTryTimeout: 2s}}",
        {"retries": {"attempts": 3, "on": ["connect-failure", "5xx"], "per_try_timeout_seconds": 2.0}},
    ),
    "a retry without words": ("{retries: {numRetries: 1}}", {"retries": {"attempts": 1}}),
    "headers of the request": (
        "{headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: b}, append: false}], "
        "requestHeadersToRemove: [c]}}",
        {"request_headers": {"set": {"a": "b"}, "remove": ["c"]}},
    ),
    "headers of the answer are appended unless it says otherwise": (
        "{headerManipulation: {responseHeadersToAdd: [{header: {key: a, value: 100%%}}]}}",
        {"response_headers": {"add": {"a": "100%"}}},
    ),
    "nothing about headers": ("{headerManipulation: {}}", {}),
    "cors": (
        "{cors: {allowOrigin: ['https://a.example.com'], allowMethods: [GET], allowHeaders: [x], "
        "exposeHeaders: [y], maxAge: 60s, allowCredentials: true}}",
        {
            "cors": {
                "allow_origins": ["https://a.example.com"],
                "allow_methods": ["GET"],
                "allow_headers": ["x"],
                "expose_headers": ["y"],
                "allow_credentials": True,
                "max_age_seconds": 60,
            }
        },
    ),
    "no cors": ("{cors: {disableForRoute: true}}", {}),
    "a fault": (
        "{faults: {abort: {percentage: 50, httpStatus: 503}, delay: {percentage: 50, fixedDelay: 2s}}}",
        {"fault": {"abort_status": 503, "delay_seconds": 2.0, "percent": 50.0}},
    ),
    "a fault for nobody": ("{faults: {abort: {httpStatus: 503}}}", {}),
    "a shadow": (
        "{shadowing: {upstream: {name: dogs, namespace: x}, percentage: 12.5}}",
        {"mirror": {"upstream": "dogs", "percent": 12.5}},
    ),
    "another host": ("{hostRewrite: a.example.com}", {"host": "a.example.com"}),
    "the upstream's host": ("{autoHostRewrite: true}", {"host": "upstream"}),
    "its own host": ("{autoHostRewrite: false}", {}),
    "what says nothing": ("{rateLimits: {}, jwt: null, tags: []}", {}),
}


@pytest.mark.parametrize("key", ["options", "routePlugins"])
@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_options_in_coalmines_words(options: str, expected: dict[str, Any], key: str) -> None:
    made = only(service(route(TO_CATS, more=f"{key}: {options}")))
    assert made.pop("match") == {"path": {"prefix": "/cats"}}
    assert made == {"destinations": [{"upstream": "cats"}], **expected}


REFUSED: dict[str, tuple[str, str, str]] = {
    "a rate limit": ("{ratelimit: {x: 1}}", "/ratelimit", "unsupported_manifest"),
    "a transformation": ("{transformations: {x: 1}}", "/transformations", "unsupported_manifest"),
    "no timeout at all": ("{timeout: 0s}", "/timeout", "unsupported_manifest"),
    "a timeout without a unit": ("{timeout: '5'}", "/timeout", "invalid_value"),
    "a timeout that is a mapping": ("{timeout: {seconds: 5}}", "/timeout", "wrong_type"),
    "a back-off": ("{retries: {numRetries: 1, retryBackOff: {x: 1}}}", "/retries/retryBackOff", "unsupported_manifest"),
    "origins by pattern": (
        "{cors: {allowOrigin: ['*'], allowOriginRegex: ['.*']}}",
        "/cors/allowOriginRegex",
        "unsupported_manifest",
    ),
    "a header with a variable": (
        "{headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: '%HOSTNAME%'}}]}}",
        "/headerManipulation/requestHeadersToAdd/0/header/value",
        "unsupported_manifest",
    ),
    "a header twice": (
        "{headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: b}}, {header: {key: a, value: c}}]}}",
        "/headerManipulation/requestHeadersToAdd/1/header/key",
        "unsupported_manifest",
    ),
    "a header from a secret": (
        "{headerManipulation: {requestHeadersToAdd: [{headerSecretRef: {name: s}}]}}",
        "/headerManipulation/requestHeadersToAdd/0/headerSecretRef",
        "unsupported_manifest",
    ),
    "two shares of faults": (
        "{faults: {abort: {percentage: 1, httpStatus: 500}, delay: {percentage: 2, fixedDelay: 1s}}}",
        "/faults",
        "unsupported_manifest",
    ),
    "two rewrites": (
        "{prefixRewrite: /b, regexRewrite: {pattern: {regex: a}, substitution: b}}",
        "/regexRewrite",
        "unsupported_manifest",
    ),
    "a header as the host": ("{hostRewriteHeader: x}", "/hostRewriteHeader", "unsupported_manifest"),
}


@pytest.mark.parametrize(("options", "pointer", "code"), REFUSED.values(), ids=REFUSED)
def test_options_that_cannot_be_said(options: str, pointer: str, code: str) -> None:
    (fault,) = faults_of(service(route(TO_CATS, more=f"options: {options}")))
    assert (fault.pointer, fault.code) == (f"/0/spec/virtualHost/routes/0/options{pointer}", code)


WRONG: dict[str, tuple[str, str]] = {
    "a prefix without a slash, as in 2019": ("{prefixRewrite: {prefixRewrite: nope}}", "/prefixRewrite/prefixRewrite"),
    "a prefix without a slash, as later": ("{prefixRewrite: nope}", "/prefixRewrite"),
    "an empty pattern": ("{regexRewrite: {pattern: {regex: ''}, substitution: x}}", "/regexRewrite/pattern/regex"),
    "too many tries": ("{retries: {numRetries: 99}}", "/retries/numRetries"),
    "a timeout of days": ("{timeout: 48h}", "/timeout"),
    "a share above all": ("{shadowing: {upstream: {name: x}, percentage: 200}}", "/shadowing/percentage"),
    "a shadow's name": ("{shadowing: {upstream: {name: X Y}}}", "/shadowing/upstream/name"),
    "a fault's status": ("{faults: {abort: {percentage: 1, httpStatus: 99}}}", "/faults/abort/httpStatus"),
    "an age of years": ("{cors: {allowOrigin: ['*'], maxAge: 99999999s}}", "/cors/maxAge"),
    "no origin": ("{cors: {allowCredentials: true}}", "/cors/allowOrigin"),
    "a method that is none": ("{cors: {allowOrigin: ['*'], allowMethods: [GET, 'a b']}}", "/cors/allowMethods/1"),
    "a header to remove": (
        "{headerManipulation: {requestHeadersToRemove: [fine, 'a b']}}",
        "/headerManipulation/requestHeadersToRemove/1",
    ),
    "a header to add": (
        "{headerManipulation: {requestHeadersToAdd: [{header: {key: fine}}, {header: {key: 'a b', value: c}}]}}",
        "/headerManipulation/requestHeadersToAdd/1/header",
    ),
    "a host": ("{hostRewrite: 'a b'}", "/hostRewrite"),
}


@pytest.mark.parametrize(("options", "pointer"), WRONG.values(), ids=WRONG)
def test_what_our_rules_refuse_is_told_where_it_stands_in_theirs(options: str, pointer: str) -> None:
    (fault,) = faults_of(service(route(TO_CATS, more=f"routePlugins: {options}")))
    assert (fault.pointer, fault.code) == (f"/0/spec/virtualHost/routes/0/routePlugins{pointer}", "invalid_value")


def test_a_fault_of_shared_options_is_told_once() -> None:
    routes = route(TO_CATS) + route(TO_CATS, matcher="exact: /b")
    (fault,) = faults_of(service(routes, more="    options: {prefixRewrite: nope}"))
    assert fault.pointer == "/0/spec/virtualHost/options/prefixRewrite"


def test_what_retries_cannot_do_is_told_where_it_stands() -> None:
    (fault,) = faults_of(service(route(TO_CATS, more="options: {retries: {retryOn: refused-stream}}")))
    assert fault.pointer == "/0/spec/virtualHost/routes/0/options/retries/retryOn"
    assert "connect-failure" in fault.detail


@pytest.mark.parametrize("option", ["regexRewrite", "retries", "cors", "faults", "shadowing", "headerManipulation"])
def test_an_option_of_the_wrong_type_is_one_fault(option: str) -> None:
    (fault,) = faults_of(service(route(TO_CATS, more=f"options: {{{option}: yes please}}")))
    assert (fault.pointer.rpartition("/")[2], fault.code) == (option, "wrong_type")


def test_options_of_the_virtual_host_hold_for_all_its_routes_that_say_nothing_else() -> None:
    shared = (
        "    options: {timeout: 9s, headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: b}}], "
        "requestHeadersToRemove: [x]}}"
    )
    own = (
        "options: {timeout: 1s, headerManipulation: {requestHeadersToAdd: "
        "[{header: {key: c, value: d}, append: false}], requestHeadersToRemove: [y]}}"
    )
    first, second = parse(service(route(TO_CATS) + route(TO_CATS, matcher="exact: /b", more=own), more=shared)).routes
    assert short(first)["timeout_seconds"] == 9.0
    assert short(second)["timeout_seconds"] == 1.0
    assert short(second)["request_headers"] == {"add": {"a": "b"}, "set": {"c": "d"}, "remove": ["x", "y"]}
