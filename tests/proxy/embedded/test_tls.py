"""TLS towards upstreams: verified, with SNI, against the system's authorities."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded.tls import upstream_context
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream

# A certificate for "localhost" that signs itself, and its key; for these tests only, valid for a hundred years.
PEM = Path(__file__).parent.parent / "support" / "localhost.pem"


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    upstream_context.cache_clear()
    with RawUpstream(tls=context) as upstream:
        yield upstream
    upstream_context.cache_clear()


def test_an_upstream_that_nobody_vouches_for_is_refused(upstream: RawUpstream) -> None:
    origin = f"https://localhost:{upstream.port}"
    with Gateway(define(route(), up=origin)) as gateway, gateway.client() as client:
        answered = client.ask(request())
    assert (answered.status, b"upstream_unreachable" in answered.body) == (502, True)
    assert b"certificate" in answered.body
    assert upstream.seen == []


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("127.0.0.1", 502)])
def test_a_trusted_upstream_is_served_by_its_own_name_only(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    origin = f"https://{host}:{upstream.port}"
    with Gateway(define(route(), up=origin)) as gateway, gateway.client() as client:
        assert [client.ask(request("POST", "/", body=b"abc")).status for _ in range(3)] == [status] * 3
    assert len({seen.connection for seen in upstream.seen}) == (status == 200)
