"""What a page of another origin gets to see: the gateway's word, on answers, on problems, and once."""

from __future__ import annotations

import pytest

from tests.proxy.support.client import Answer, request
from tests.proxy.support.gateway import Gateway, define, route, serve
from tests.proxy.support.upstream import RawUpstream, Script, answer, ok, reset, silent

PAGE = "https://shop.test"
CORS = {"allow_origins": [PAGE], "allow_credentials": True, "expose_headers": ["x-c"]}
EAGER = answer(
    ok(
        b"ok",
        "Access-Control-Allow-Origin: *",
        "ACCESS-CONTROL-ALLOW-CREDENTIALS: false",
        "Access-Control-Expose-Headers: x-upstream",
        "Access-Control-Max-Age: 5",
        "Vary: accept",
        "Set-Cookie: a=b",
    )
)


def values(answered: Answer, name: str) -> list[str]:
    return [value for key, value in answered.headers if key == name]


def test_the_gateways_headers_replace_those_of_the_upstream() -> None:
    with serve(EAGER, cors=CORS) as (_gateway, _upstream, client):
        answered = client.ask(request("GET", "/", f"Origin: {PAGE}"))
    assert values(answered, "access-control-allow-origin") == [PAGE]
    assert values(answered, "access-control-allow-credentials") == ["true"]
    assert values(answered, "access-control-expose-headers") == ["x-c"]
    assert values(answered, "access-control-max-age") == ["5"]  # the policy says nothing about it
    assert values(answered, "vary") == ["accept", "origin"]


def test_an_upstream_cannot_allow_what_the_route_does_not() -> None:
    with serve(EAGER, cors=CORS) as (_gateway, _upstream, client):
        answered = client.ask(request("GET", "/", "Origin: https://evil.test"))
    assert values(answered, "access-control-allow-origin") == []
    assert values(answered, "access-control-allow-credentials") == []
    assert values(answered, "vary") == ["accept", "origin"]


def test_an_upstream_speaks_for_itself_where_the_route_says_nothing() -> None:
    with serve(EAGER) as (_gateway, _upstream, client):
        answered = client.ask(request("GET", "/", f"Origin: {PAGE}"))
    assert values(answered, "access-control-allow-origin") == ["*"]


def test_a_minted_cookie_stands_beside_those_of_the_upstream() -> None:
    with serve(EAGER, sticky={"cookie": {"name": "side"}}) as (_gateway, _upstream, client):
        cookies = values(client.ask(request()), "set-cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["a", "side"]


def test_a_tunnel_gets_its_cookie() -> None:
    switch = answer(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    with serve(switch, sticky={"cookie": {"name": "side"}}) as (_gateway, _upstream, client):
        answered = client.ask(request("GET", "/", "Connection: Upgrade", "Upgrade: websocket"))
    assert (answered.status, len(values(answered, "set-cookie"))) == (101, 1)


FAILURES: list[tuple[str, Script, int]] = [
    ("an upstream that resets", reset, 502),
    ("an upstream that speaks nonsense", answer(b"nonsense\r\n\r\n"), 502),
    ("an upstream that is silent", silent, 504),
]


@pytest.mark.parametrize(("script", "status"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_a_page_can_read_why_it_got_nothing(script: Script, status: int) -> None:
    edits = {"set": {"x-route": "edited"}}
    with serve(script, cors=CORS, timeout_seconds=0.2, response_headers=edits) as (_gateway, _upstream, client):
        answered = client.ask(request("GET", "/", f"Origin: {PAGE}"))
    assert answered.status == status
    assert values(answered, "content-type") == ["application/problem+json"]
    assert values(answered, "access-control-allow-origin") == [PAGE]
    assert values(answered, "x-route") == ["edited"]


def test_a_page_can_read_that_nobody_is_there() -> None:
    with RawUpstream() as upstream:
        gone = upstream.origin
    with Gateway(define(route(cors=CORS), up=gone)) as gateway, gateway.client() as client:
        answered = client.ask(request("GET", "/", f"Origin: {PAGE}"))
    assert (answered.status, values(answered, "access-control-allow-origin")) == (502, [PAGE])
