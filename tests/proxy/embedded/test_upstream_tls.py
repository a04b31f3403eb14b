"""TLS towards upstreams: who is trusted, what they are asked for and shown, and what is said when it fails."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import pytest

from coalmine.model import Definitions, Upstream
from coalmine.tls import Pair
from coalmine.tls.client import default_tls
from tests.proxy.embedded.test_tunnels import HANDSHAKE, echo, exact
from tests.proxy.support.client import Answer, eventually, request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, ok
from tests.support.certificates import Authority, copy, replace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.issue("localhost", "service.test")


@contextmanager
def serving(context: ssl.SSLContext, **more: Any) -> Iterator[RawUpstream]:
    with RawUpstream(tls=context, **more) as upstream:
        yield upstream


def of(upstream: RawUpstream, tls: dict[str, Any] | None, host: str = "localhost", **more: Any) -> Definitions:
    one = Upstream.model_validate(
        {"name": "up", "endpoints": [f"https://{host}:{upstream.port}"], **({"tls": tls} if tls else {}), **more}
    )
    return with_fields(define(route(timeout_seconds=5)), upstreams=(one,))


def ask(definitions: Definitions, count: int = 1) -> list[Answer]:
    with Gateway(definitions) as gateway, gateway.client() as client:
        return [client.ask(request("POST", "/", body=b"abc")) for _ in range(count)]


def why(definitions: Definitions) -> str:
    """The detail of the problem that a request is answered with."""
    (told,) = ask(definitions)
    assert (told.status, b'"upstream_tls"' in told.body) == (502, True), told.body
    return told.body.decode()


def test_without_a_word_the_system_s_authorities_decide(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(authority.server_context(pair)) as upstream:
        default_tls.cache_clear()
        assert "issuer" in why(of(upstream, None))
        assert upstream.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
        default_tls.cache_clear()
        assert [told.status for told in ask(of(upstream, None), 3)] == [200] * 3
        assert len({seen.connection for seen in upstream.seen}) == 1
        assert "127.0.0.1" in why(of(upstream, None, host="127.0.0.1"))
        monkeypatch.undo()
        default_tls.cache_clear()


@pytest.mark.parametrize("inline", [False, True])
def test_given_authorities_stand_for_the_system_s(authority: Authority, pair: Pair, inline: bool) -> None:
    tls = {"ca": Path(authority.ca_file).read_text()} if inline else {"ca_file": authority.ca_file}
    with serving(authority.server_context(pair)) as upstream:
        assert [told.status for told in ask(of(upstream, tls), 2)] == [200, 200]


def test_a_certificate_that_is_named_itself_is_trusted(authority: Authority, pair: Pair) -> None:
    with serving(authority.server_context(pair)) as upstream:
        assert [told.status for told in ask(of(upstream, {"ca_file": pair.certificate}))] == [200]


def test_the_name_that_is_given_is_asked_for_and_has_to_be_proved(authority: Authority, pair: Pair) -> None:
    asked: list[str] = []
    context = authority.server_context(pair)
    context.sni_callback = lambda _, name, __: asked.append(name)  # type: ignore[assignment, misc]
    with serving(context) as upstream:
        tls = {"ca_file": authority.ca_file, "server_name": "service.test"}
        assert [told.status for told in ask(of(upstream, tls, host="127.0.0.1"))] == [200]
        assert "other.test" in why(of(upstream, {**tls, "server_name": "other.test"}))
    assert asked == ["service.test", "other.test"]


def _expired(authority: Authority, folder: Path) -> ssl.SSLContext:
    return authority.server_context(authority.issue("localhost", name="old", days=(-90, -1)))


def _early(authority: Authority, folder: Path) -> ssl.SSLContext:
    return authority.server_context(authority.issue("localhost", name="early", days=(1, 90)))


def _stranger(authority: Authority, folder: Path) -> ssl.SSLContext:
    strangers = Authority(folder, "strangers")
    return strangers.server_context(strangers.issue("localhost", name="stranger"))


def _other_name(authority: Authority, folder: Path) -> ssl.SSLContext:
    return authority.server_context(authority.issue("elsewhere.test"))


def _old_tls(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = authority.server_context(authority.issue("localhost", name="oldtls"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def _wants_client(authority: Authority, folder: Path) -> ssl.SSLContext:
    return authority.server_context(authority.issue("localhost", name="strict"), client_ca=authority.ca_file)


def _wants_client_1_2(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = _wants_client(authority, folder)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # the old ones are spoken on purpose
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_expired, "certificate has expired"),
        (_early, "certificate is not yet valid"),
        (_stranger, "tls.ca_file"),
        (_other_name, "tls.server_name"),
        (_old_tls, "speaks no TLS 1.2"),
        (_wants_client, "wants a client certificate"),
        (_wants_client_1_2, "client certificate"),
    ],
)
def test_an_upstream_that_cannot_be_trusted_is_sent_nothing_and_the_reason_is_told(
    authority: Authority, tmp_path: Path, make: Callable[[Authority, Path], ssl.SSLContext], words: str
) -> None:
    with serving(make(authority, tmp_path)) as upstream:
        told = why(of(upstream, {"ca_file": authority.ca_file}))
        assert words in told and f"https://localhost:{upstream.port}: " in told
        assert upstream.seen == []


def test_an_upstream_that_speaks_no_tls_is_told(authority: Authority) -> None:
    def answer_at_once(peer: Peer, seen: Seen) -> None: ...

    with RawUpstream(answer_at_once) as upstream:
        upstream.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        assert "not TLS" in why(of(upstream, {"ca_file": authority.ca_file}))


def test_a_client_certificate_is_shown(authority: Authority) -> None:
    server = authority.server_context(authority.issue("localhost", name="strict"), client_ca=authority.ca_file)
    client = authority.issue("gateway@x.test", name="client")
    tls = {
        "ca_file": authority.ca_file,
        "client_certificate_file": client.certificate,
        "client_key_file": client.key,
    }
    with serving(server) as upstream:
        assert [told.status for told in ask(of(upstream, tls), 2)] == [200, 200]


def test_only_who_says_so_is_not_verified_and_it_stands_as_a_warning(authority: Authority, tmp_path: Path) -> None:
    with serving(_stranger(authority, tmp_path)) as upstream:
        definitions = of(upstream, {"verify": False})
        assert [told.status for told in ask(definitions)] == [200]
        with Gateway(definitions) as gateway:
            problems = gateway.call(lambda: gateway.engine.served.table.snapshot.problems)
        assert [(one.code, one.where, one.severity) for one in problems] == [
            ("upstream_unverified", "upstreams/up", "warning")
        ]


def test_connections_are_not_shared_between_rules_of_trust(authority: Authority, pair: Pair) -> None:
    with serving(authority.server_context(pair)) as upstream:
        trusting = of(upstream, {"verify": False})
        strict = of(upstream, {"ca_file": authority.ca_file, "server_name": "other.test"})
        right = of(upstream, {"ca_file": authority.ca_file})
        with Gateway(trusting) as gateway, gateway.client() as client:
            assert client.ask(request()).status == 200
            gateway.apply(strict)
            assert client.ask(request()).status == 502
            gateway.apply(right)
            assert [client.ask(request()).status for _ in range(2)] == [200, 200]
            gateway.apply(with_fields(right, routes=(route(timeout_seconds=6),)))
            assert client.ask(request()).status == 200
        assert [seen.connection for seen in upstream.seen] == [1, 3, 3, 3]


def test_two_upstreams_at_one_address_trust_each_for_itself(authority: Authority, pair: Pair) -> None:
    with serving(authority.server_context(pair)) as upstream:
        origin = f"https://localhost:{upstream.port}"
        trusting = Upstream.model_validate({"name": "a", "endpoints": [origin], "tls": {"verify": False}})
        strict = Upstream.model_validate({"name": "b", "endpoints": [origin], "tls": {"ca": _other_ca()}})
        routes = define(route("a", "/a", "a"), route("b", "/b", "b"))
        with Gateway(with_fields(routes, upstreams=(trusting, strict))) as gateway, gateway.client() as client:
            assert [client.ask(request("GET", path)).status for path in ("/a", "/b", "/a")] == [200, 502, 200]


def _other_ca() -> str:
    import trustme

    return trustme.CA().cert_pem.bytes().decode()


def test_files_that_change_count_for_the_next_connection(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    strangers = Authority(tmp_path, "strangers")
    with (
        serving(authority.server_context(pair)) as upstream,
        Gateway(of(upstream, {"ca_file": strangers.ca_file})) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request()).status == 502
        replace(strangers.ca_file, Path(authority.ca_file).read_bytes())
        assert client.ask(request()).status == 200


def test_connections_that_idle_end_with_the_trust_that_they_were_made_in(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    strangers = Authority(tmp_path, "strangers")
    with (
        serving(authority.server_context(pair)) as upstream,
        Gateway(of(upstream, {"ca_file": authority.ca_file})) as gateway,
        gateway.client() as client,
    ):
        assert [client.ask(request()).status for _ in range(2)] == [200, 200]
        assert gateway.stats()["counters"]["upstream_connections_opened"] == 1
        replace(authority.ca_file, Path(strangers.ca_file).read_bytes())
        assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections"] == 0)
        assert client.ask(request()).status == 502


@pytest.mark.parametrize("spoil", [lambda path: Path(path).unlink(), lambda path: replace(path, b"nonsense")])
def test_a_file_that_goes_leaves_what_was_read(
    authority: Authority, pair: Pair, spoil: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(authority.server_context(pair)) as upstream:
        upstream.script = lambda peer, seen: peer.send(ok(b"", "Connection: close"))
        with Gateway(of(upstream, {"ca_file": authority.ca_file})) as gateway, gateway.client() as client:
            assert client.ask(request()).status == 200
            spoil(authority.ca_file)
            assert [client.ask(request()).status for _ in range(2)] == [200, 200]
            assert [record.getMessage().startswith("upstreams/up: ") for record in caplog.records] == [True]
            assert [(one["code"], one["where"]) for one in gateway.stats()["problems"]] == [
                ("tls_files_unusable", "upstreams/up")
            ]
        with Gateway(of(upstream, {"ca_file": authority.ca_file})) as fresh, fresh.client() as client:
            told = client.ask(request())
            assert (told.status, authority.ca_file in told.body.decode()) == (502, True)


def test_renewed_client_certificates_are_shown(authority: Authority, tmp_path: Path) -> None:
    server = authority.server_context(authority.issue("localhost", name="strict"), client_ca=authority.ca_file)
    client = authority.issue("gateway@x.test", name="client", days=(-90, -1))
    tls = {"ca_file": authority.ca_file, "client_certificate_file": client.certificate, "client_key_file": client.key}
    with serving(server) as upstream, Gateway(of(upstream, tls)) as gateway, gateway.client() as asking:
        assert b"upstream_tls" in asking.ask(request()).body
        copy(authority.issue("gateway@x.test", name="renewed"), client)
        assert asking.ask(request()).status == 200


def test_health_checks_trust_as_requests_do(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    check = {"interval_seconds": 1, "unhealthy_after": 1, "healthy_after": 1}
    with serving(authority.server_context(pair)) as upstream:
        for name, failed in (("service.test", 0), ("other.test", 1)):
            tls = {"ca_file": authority.ca_file, "server_name": name}
            with Gateway(of(upstream, tls, health_check=check), draw=lambda: 0.0) as gateway:
                assert eventually(lambda gateway=gateway: gateway.stats()["counters"]["health_checks"] >= 1)
                assert gateway.stats()["counters"]["health_checks_failed"] >= failed
                assert bool(gateway.stats()["gauges"]["endpoints_unhealthy"]) is bool(failed)


def test_large_bodies_pass_both_ways(authority: Authority, pair: Pair) -> None:
    body = os.urandom(5_000_000)
    with serving(authority.server_context(pair)) as upstream:
        upstream.script = lambda peer, seen: peer.send(ok(seen.body))
        definitions = of(upstream, {"ca_file": authority.ca_file})
        with Gateway(definitions) as gateway, gateway.client() as client:
            told = client.ask(request("POST", "/", body=body))
            assert (told.status, told.body == body) == (200, True)


def test_a_websocket_passes(authority: Authority, pair: Pair) -> None:
    with serving(authority.server_context(pair)) as upstream:
        upstream.script = echo
        with Gateway(of(upstream, {"ca_file": authority.ca_file})) as gateway, gateway.client() as client:
            assert client.ask(HANDSHAKE).status == 101
            for data in (b"\x81\x05hello", os.urandom(100_000)):
                client.send(data)
                assert exact(client, len(data)) == data


@pytest.mark.parametrize("farewell", [True, False])
def test_an_answer_that_ends_with_its_connection_is_whole_only_after_a_farewell(
    authority: Authority, pair: Pair, farewell: bool
) -> None:
    """RFC 9112 section 9.8: whoever can cut a connection could cut an answer short."""

    def pour(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        secure = peer.sock
        assert isinstance(secure, ssl.SSLSocket)
        if farewell:
            secure.unwrap().close()
        secure.close()

    with serving(authority.server_context(pair)) as upstream:
        upstream.script = pour
        with Gateway(of(upstream, {"ca_file": authority.ca_file})) as gateway, gateway.client() as client:
            told = client.ask(request())
    assert (told.body, told.complete) == (b"all there is", farewell)
