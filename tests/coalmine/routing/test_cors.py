"""The CORS protocol: origins, and what the case table does not show."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Cors
from coalmine.routing.cors import CorsPolicy, is_preflight
from coalmine.routing.decision import RequestHead


def head(**headers: str) -> RequestHead:
    pairs = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return RequestHead("OPTIONS", "/", headers=pairs)


ORIGINS = [
    ("https://*.example.com", "https://a.example.com", True),
    ("https://*.example.com", "https://a.b.example.com", True),
    ("https://*.example.com", "https://example.com", False),
    ("https://*.example.com", "https://.example.com", False),
    ("https://*.example.com", "https://a.example.com.evil.test", False),
    ("https://*.example.com", "https://evil.test/.example.com", False),
    ("https://*.example.com", "https://a.example.com:8443", False),
    ("https://*.example.com:8443", "https://a.example.com:8443", True),
    ("https://Example.com", "https://example.COM", True),
    ("https://a.b", "https://a-b", False),
    ("https://**", "https://a.b", True),
    ("*", "null", True),
    ("null", "null", True),
    ("https://*", "https://" + "a" * 400, False),
]


@pytest.mark.parametrize(("allowed", "origin", "expected"), ORIGINS)
def test_origins(allowed: str, origin: str, expected: bool) -> None:
    headers = dict(CorsPolicy(Cors(allow_origins=(allowed,))).headers(head(origin=origin)))
    assert ("access-control-allow-origin" in headers) is expected


def policy(**more: Any) -> CorsPolicy:
    return CorsPolicy(Cors.model_validate({"allow_origins": ["https://page.test"], **more}))


def test_a_request_without_an_origin_gets_only_vary() -> None:
    assert policy(expose_headers=["x-a"]).headers(head()) == (("vary", "origin"),)
    assert policy(allow_origins=["*"]).headers(head()) == ()


def test_empty_lists_are_not_written() -> None:
    asked = head(origin="https://page.test", access_control_request_method="GET")
    names = [name for name, _ in policy(allow_methods=[]).preflight(asked).headers]
    assert names == ["access-control-allow-origin", "vary"]


def test_a_wildcard_with_credentials_echoes_nothing_where_nothing_was_asked() -> None:
    asked = head(origin="https://page.test", access_control_request_method="GET")
    reply = policy(allow_headers=["*"], allow_credentials=True).preflight(asked)
    assert "access-control-allow-headers" not in dict(reply.headers)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (head(origin="a", access_control_request_method="GET"), True),
        (head(access_control_request_method="GET"), False),
        (head(origin="a"), False),
        (RequestHead("GET", "/", headers=head(origin="a", access_control_request_method="GET").headers), False),
    ],
)
def test_is_preflight(given: RequestHead, expected: bool) -> None:
    assert is_preflight(given) is expected
