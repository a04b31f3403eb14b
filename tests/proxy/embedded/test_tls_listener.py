"""The TLS listener: who is answered with which certificate, what is refused, and that HTTP goes on as without TLS."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from coalmine.tls import ServerFiles
from proxy.embedded import listener
from tests.proxy.embedded.test_tunnels import HANDSHAKE, echo, exact
from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import define, route
from tests.proxy.support.secure import SecureGateway
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, answer, default_script, ok
from tests.support.certificates import Authority

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 section 3.4
Pair = tuple[SecureGateway, RawUpstream]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> ServerFiles:
    return ServerFiles((
        authority.issue("localhost", "127.0.0.1"),
        authority.issue("b.test", "*.b.test", name="b", key_type="RSA"),
        authority.issue("c.test", "exact.b.test", name="c"),
    ))  # fmt: skip


@pytest.fixture(scope="module")
def pair(files: ServerFiles) -> Iterator[Pair]:
    redirect = route("moved", "/moved", redirect={"status": 302, "host": "other.test"})
    with RawUpstream() as upstream:
        definitions = define(route(), redirect, up=upstream.origin)
        with SecureGateway(definitions, files, header_timeout_seconds=0.5) as gateway:
            yield gateway, upstream


@pytest.fixture
def gateway(pair: Pair, upstream: RawUpstream) -> SecureGateway:
    return pair[0]


@pytest.fixture
def upstream(pair: Pair) -> RawUpstream:
    pair[1].script = default_script
    pair[1].seen.clear()
    return pair[1]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("localhost", "localhost"),
        ("b.test", "b.test"),
        ("B.TEST", "b.test"),
        ("any.b.test", "b.test"),
        ("exact.b.test", "c.test"),
        ("two.labels.b.test", "localhost"),
        ("c.test", "c.test"),
        ("unknown.test", "localhost"),
        (None, "localhost"),
    ],
)
def test_the_name_that_is_asked_for_chooses_the_certificate(
    gateway: SecureGateway, authority: Authority, asked: str | None, shown: str
) -> None:
    context = authority.client_context()
    context.check_hostname = False
    with gateway.secure_client(context, asked) as client:
        assert shown in client.names
        assert client.ask(request()).status == 200


def check_one_kind(authority: Authority, kind: str) -> ssl.SSLContext:
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # there the cipher tells the kind
    context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    return context


def test_who_can_check_one_kind_of_key_alone_is_shown_a_certificate_of_that_kind(
    authority: Authority, tmp_path: Path
) -> None:
    files = ServerFiles((
        authority.issue("first.test", name="first", key_type="RSA"),
        authority.issue("localhost", name="rsa", key_type="RSA"),
        authority.issue("localhost", "more.test", name="ecdsa"),
        authority.issue("localhost", name="late", key_type="RSA"),
    ))  # fmt: skip
    with SecureGateway(define(route(direct_response={"status": 200})), files) as gateway:
        for kind, names in (("RSA", {"localhost"}), ("ECDSA", {"localhost", "more.test"})):
            with gateway.secure_client(check_one_kind(authority, kind)) as client:
                assert client.names == names
        with gateway.secure_client(authority.client_context()) as client:
            assert client.names == {"localhost", "more.test"}
        with pytest.raises(ssl.SSLError), gateway.secure_client(check_one_kind(authority, "ECDSA"), "first.test"):
            pass


@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        (ssl.TLSVersion.TLSv1, None),
        (ssl.TLSVersion.TLSv1_1, None),
        (ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # the old ones are offered on purpose
def test_tls_before_1_2_is_refused(
    gateway: SecureGateway, authority: Authority, version: ssl.TLSVersion, spoken: str | None
) -> None:
    context = authority.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is not the client that refuses
    context.minimum_version = context.maximum_version = version
    if spoken is None:
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            gateway.secure_client(context)
    else:
        with gateway.secure_client(context) as client:
            assert client.tls.version() == spoken


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "AES256-GCM-SHA384"])
def test_ciphers_without_forward_secrecy_or_authenticated_encryption_are_refused(
    gateway: SecureGateway, authority: Authority, ciphers: str
) -> None:
    context = authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.secure_client(context)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(("h2", "http/1.1"), "http/1.1"), (("http/1.1",), "http/1.1"), ((), None)],
)
def test_http_1_1_is_what_is_spoken(
    gateway: SecureGateway, authority: Authority, offered: tuple[str, ...], chosen: str | None
) -> None:
    with gateway.secure_client(authority.client_context(alpn=offered)) as client:
        assert client.tls.selected_alpn_protocol() == chosen
        assert client.ask(request()).status == 200


def test_who_speaks_something_else_alone_is_told_in_tls(gateway: SecureGateway, authority: Authority) -> None:
    with pytest.raises(ssl.SSLError, match="no application protocol"):  # RFC 7301 section 3.2
        gateway.secure_client(authority.client_context(alpn=("h2", "acme-tls/1")))


def test_who_speaks_http_2_unannounced_is_told_in_http(gateway: SecureGateway, authority: Authority) -> None:
    with gateway.secure_client(authority.client_context()) as client:
        told = client.ask(PREFACE)
        assert (told.status, b"version_not_supported" in told.body) == (505, True)


def test_upstreams_hear_how_the_client_came(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    with gateway.secure_client(authority.client_context()) as client, gateway.client() as plain:
        client.ask(request())
        plain.ask(request())
        client.ask(request())
    assert [seen.values("x-forwarded-proto") for seen in upstream.seen] == [["https"], ["http"], ["https"]]


def test_a_redirect_stays_with_https(gateway: SecureGateway, authority: Authority) -> None:
    with gateway.secure_client(authority.client_context()) as client:
        assert client.ask(request("GET", "/moved")).value("location") == "https://other.test/moved"


def test_large_bodies_pass_both_ways_and_requests_follow_one_another(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    upstream.script = lambda peer, seen: peer.send(ok(seen.body))
    body = os.urandom(5_000_000)
    with gateway.secure_client(authority.client_context()) as client:
        for _ in range(3):
            told = client.ask(request("POST", "/", body=body))
            assert (told.status, told.body == body) == (200, True)
        assert client.send(request() + request()).read().status == client.read().status == 200


def test_a_reader_that_is_slow_costs_no_more_memory_than_the_buffers(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    written = 0
    total = 60_000_000

    def pour(peer: Peer, seen: Seen) -> None:
        nonlocal written
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        for _ in range(total // 100_000):
            peer.send(bytes(100_000))
            written += 100_000

    upstream.script = pour
    with gateway.secure_client(authority.client_context()) as client:
        client.send(request())
        time.sleep(0.5)
        before = written
        time.sleep(0.2)
        assert before == written < 40_000_000  # the kernel's buffers of four sockets grow up to some megabytes each
        held = gateway.call(lambda: [one.transport.get_write_buffer_size() for one in gateway.engine._clients])
        assert max(held) < 1_000_000
        assert len(client.read().body) == total


def test_a_websocket_passes_over_tls(gateway: SecureGateway, upstream: RawUpstream, authority: Authority) -> None:
    upstream.script = echo
    with gateway.secure_client(authority.client_context()) as client:
        assert client.ask(HANDSHAKE).status == 101
        for data in (b"\x81\x05hello", os.urandom(200_000)):
            client.send(data)
            assert exact(client, len(data)) == data


def test_the_end_of_an_answer_that_closes_is_said_in_tls(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    """A connection that merely breaks off would be an answer cut short (RFC 9112 section 9.8)."""
    upstream.script = answer(ok(b"whole"))
    with gateway.secure_client(authority.client_context()) as client:
        assert client.ask(b"GET / HTTP/1.0\r\n\r\n").body == b"whole"
        assert client.tls.recv(1) == b""  # raises where there was no close_notify


def test_an_answer_that_breaks_off_is_not_ended_in_tls(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    def break_off(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        time.sleep(0.1)
        peer.reset()

    upstream.script = break_off
    with gateway.secure_client(authority.client_context()) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(OSError):
            while client.tls.recv(1000):
                pass


def test_an_answer_that_leaves_its_request_unread_arrives(gateway: SecureGateway, authority: Authority) -> None:
    with gateway.secure_client(authority.client_context()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + bytes(200_000))
        told = client.read()
        assert (told.status, told.complete) == (400, True)


def test_a_client_that_ends_its_side_ends_the_connection_and_nothing_else(
    gateway: SecureGateway, upstream: RawUpstream, authority: Authority
) -> None:
    upstream.script = lambda peer, seen: time.sleep(0.3)
    context = authority.client_context()
    with gateway.secure_client(context) as client:
        client.send(request())
        upstream.wait(1)
        client.tls.settimeout(5)
        with pytest.raises((OSError, ValueError)):
            client.tls.unwrap().recv(1)  # close_notify, answered by one; then the end
            raise ValueError("closed")
    upstream.script = default_script
    assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)
    with gateway.secure_client(context) as client:
        assert client.ask(request()).status == 200


def test_who_does_not_speak_tls_here_is_told_in_the_clear(gateway: SecureGateway) -> None:
    with gateway.bare_client() as client:
        told = client.ask(request())
        assert (told.status, b"https://" in told.body, client.at_end()) == (400, True, True)


@pytest.mark.parametrize(
    "hello",
    [
        b"",
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x80",
    ],
)
def test_a_handshake_that_does_not_come_to_its_end_has_an_end(gateway: SecureGateway, hello: bytes) -> None:
    failed = gateway.stats()["counters"]["tls_handshakes_failed"]
    with gateway.bare_client() as client:
        began = time.monotonic()
        client.send(hello)
        client.sock.settimeout(5)
        while client.fill():
            pass
        assert time.monotonic() - began < 2
    assert eventually(lambda: gateway.stats()["counters"]["tls_handshakes_failed"] == failed + 1)
    assert eventually(lambda: not gateway.call(lambda: gateway.engine._tls and gateway.engine._tls.handshakes))


def test_a_client_that_leaves_in_its_handshake_is_forgotten(gateway: SecureGateway) -> None:
    clients = [gateway.bare_client() for _ in range(20)]
    for client in clients:
        client.reset()
    assert eventually(lambda: not gateway.call(lambda: gateway.engine._tls and gateway.engine._tls.handshakes))
    assert gateway.stats()["gauges"]["client_connections"] == 0


def test_more_connections_than_allowed_are_told_so_in_tls(files: ServerFiles, authority: Authority) -> None:
    reply = route(direct_response={"status": 200})
    with SecureGateway(define(reply), files, max_connections=1) as gateway:
        context = authority.client_context()
        with gateway.secure_client(context) as first:
            assert first.ask(request()).status == 200
            with gateway.secure_client(context) as second:
                told = second.ask(request())
            assert (told.status, told.value("retry-after")) == (503, "1")
            assert first.ask(request()).status == 200


def test_handshakes_are_bounded_like_connections(
    files: ServerFiles, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_BEYOND", 1)
    with SecureGateway(define(route(direct_response={"status": 200})), files, max_connections=2) as gateway:
        silent = [gateway.bare_client() for _ in range(3)]
        assert eventually(lambda: gateway.call(lambda: len(gateway.engine._tls.handshakes)) == 3)  # type: ignore[union-attr]
        with gateway.bare_client() as fourth:
            assert not fourth.fill()
        assert gateway.stats()["counters"]["connections_refused"] == 1
        for client in silent:
            client.sock.close()
        assert eventually(lambda: gateway.call(lambda: len(gateway.engine._tls.handshakes)) == 0)  # type: ignore[union-attr]
        with gateway.secure_client(authority.client_context()) as client:
            assert client.ask(request()).status == 200


def test_clients_show_a_certificate_where_they_must(authority: Authority, tmp_path: Path) -> None:
    strangers = Authority(tmp_path, "strangers")
    files = ServerFiles((authority.issue("localhost"),), client_ca=authority.ca_file)
    with SecureGateway(define(route(direct_response={"status": 200})), files) as gateway:
        friend = authority.client_context(pair=authority.issue("client@x.test", name="client"))
        with gateway.secure_client(friend) as client:
            assert client.ask(request()).status == 200
        stranger = authority.client_context(pair=strangers.issue("client@x.test"))
        for context in (authority.client_context(), stranger):
            # In TLS 1.3 the client hears of it when it reads: an error, and the end alone in Python 3.11.2.
            with suppress(ssl.SSLError, ConnectionError), gateway.secure_client(context) as client:
                client.send(request())
                assert client.tls.recv(1) == b""
        stats = gateway.stats()
        assert (stats["gauges"]["client_connections"], stats["counters"]["tls_handshakes_failed"]) == (0, 2)


def test_a_handshake_under_way_is_finished_while_draining(files: ServerFiles, authority: Authority) -> None:
    with SecureGateway(define(route(direct_response={"status": 200})), files) as gateway:
        bare = socket.create_connection(gateway.secure_address, timeout=5)
        assert eventually(lambda: gateway.call(lambda: len(gateway.engine._tls.handshakes)) == 1)  # type: ignore[union-attr]
        draining = threading.Thread(target=gateway.drain, args=(3,))
        draining.start()
        assert eventually(lambda: gateway.engine.draining)
        with authority.client_context().wrap_socket(bare, server_hostname="localhost") as client:
            client.sendall(request())
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        draining.join(5)
        assert not draining.is_alive()
