"""Source addresses behind trusted proxies, on real connections."""

from __future__ import annotations

import pytest

from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream

FORWARDED = "X-Forwarded-For: 6.6.6.6, 203.0.113.7"


@pytest.mark.parametrize(
    ("trusted", "status"),
    [
        pytest.param((), 404, id="nobody is trusted by default"),
        pytest.param(("192.0.2.0/24",), 404, id="another proxy is trusted"),
        pytest.param(("127.0.0.0/8",), 200, id="this one is"),
    ],
)
def test_x_forwarded_for_counts_from_trusted_proxies_only(trusted: tuple[str, ...], status: int) -> None:
    with RawUpstream() as upstream:
        definitions = define(route(match={"source_cidrs": ["203.0.113.0/24"]}), up=upstream.origin)
        with Gateway(definitions, trusted_proxies=trusted) as gateway, gateway.client() as client:
            for _ in range(2):
                assert client.ask(request("GET", "/", FORWARDED)).status == status
        forwarded = [value for one in upstream.seen for name, value in one.headers if name == "x-forwarded-for"]
        assert forwarded == ["6.6.6.6, 203.0.113.7, 127.0.0.1"] * (2 if status == 200 else 0)


CLAIMS = (
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.test:8443",
    "X-Forwarded-Port: 8443",
    "X-Real-IP: 1.1.1.1",
)


def test_what_trusted_proxies_say_about_scheme_and_host_stands() -> None:
    redirecting = route("old", "/old", redirect={"host": "new.test"})
    with RawUpstream() as upstream:
        definitions = define(route(), redirecting, up=upstream.origin)
        with Gateway(definitions, trusted_proxies=("127.0.0.0/8",)) as gateway, gateway.client() as client:
            assert client.ask(request("GET", "/", *CLAIMS)).status == 200
            assert client.ask(request("GET", "/", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b")).status == 200
            location = client.ask(request("GET", "/old", *CLAIMS)).value("location")
        first, second = upstream.seen
    assert [first.values(claim.partition(":")[0].lower()) for claim in CLAIMS] == [
        [claim.partition(": ")[2]] for claim in CLAIMS
    ]
    assert [second.values(name) for name in ("x-forwarded-proto", "x-forwarded-host")] == [["http"], ["gateway.test"]]
    assert location == "https://new.test/old"
