"""TLS towards upstreams: verified, with SNI, against the system's authorities."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from proxy.embedded.tls import upstream_context
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Made for these tests, and gone with them."""
    return trustme.CA()


@pytest.fixture
def upstream(authority: trustme.CA) -> Iterator[RawUpstream]:
    """It calls itself localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
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
    upstream: RawUpstream,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    host: str,
    status: int,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    origin = f"https://{host}:{upstream.port}"
    with Gateway(define(route(), up=origin)) as gateway, gateway.client() as client:
        assert [client.ask(request("POST", "/", body=b"abc")).status for _ in range(3)] == [status] * 3
    assert len({seen.connection for seen in upstream.seen}) == (status == 200)
