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
