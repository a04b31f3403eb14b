"""Whose request it is, behind proxies."""

from __future__ import annotations

import pytest

from coalmine.routing.source import TrustedProxies

ROWS = [
    pytest.param("192.0.2.9", "203.0.113.1", "192.0.2.9", id="a stranger is not believed"),
    pytest.param("10.0.0.1", "203.0.113.1", "203.0.113.1", id="a trusted proxy is"),
    pytest.param("10.0.0.1", "", "10.0.0.1", id="a trusted proxy that says nothing"),
    pytest.param("10.0.0.1", "1.1.1.1, 203.0.113.1", "203.0.113.1", id="what a client claims is not believed"),
    pytest.param("10.0.0.1", "203.0.113.1,10.9.9.9", "203.0.113.1", id="two proxies in a row"),
    pytest.param("10.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2", id="a client inside the trusted network"),
    pytest.param("10.0.0.1", "203.0.113.1, unknown", "10.0.0.1", id="an entry that is no address ends it"),
    pytest.param("10.0.0.1", "unknown, 10.1.1.1", "10.1.1.1", id="as far as it is known"),
    pytest.param("10.0.0.1", "203.0.113.1:4711", "203.0.113.1", id="an address with its port"),
    pytest.param("::1", "[2001:db8::1]:4711", "2001:db8::1", id="an IPv6 address with its port"),
    pytest.param("::1", "[2001:db8::1]", "2001:db8::1", id="an IPv6 address in brackets"),
    pytest.param("::1", "[]", "::1", id="nothing in brackets"),
    pytest.param("::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1", id="a mapped IPv4 address is the same"),
    pytest.param("", "203.0.113.1", "", id="a peer without an address"),
]


@pytest.mark.parametrize(("peer", "forwarded_for", "source"), ROWS)
def test_the_source_of_a_request(peer: str, forwarded_for: str, source: str) -> None:
    assert TrustedProxies(["10.0.0.0/8", "::1"]).find_source(peer, forwarded_for) == source


def test_nobody_is_trusted_by_default() -> None:
    assert TrustedProxies([]).find_source("127.0.0.1", "203.0.113.1") == "127.0.0.1"


def test_a_network_that_is_none() -> None:
    with pytest.raises(ValueError):
        TrustedProxies(["10.0.0.0/33"])
