"""Upgrade: a WebSocket's bytes pass both ways once, and only once, the upstream has agreed."""

from __future__ import annotations

import os
import threading

import pytest

from tests.proxy.support.client import RawClient, eventually, request
from tests.proxy.support.gateway import Gateway, serve
from tests.proxy.support.upstream import Closed, Peer, RawUpstream, Seen, answer, ok, silent

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Accept: yes\r\n\r\n"
HANDSHAKE = request("GET", "/ws", "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: abc")


def echo(peer: Peer, seen: Seen) -> None:
    peer.send(SWITCH)
    if peer.buffer:
        peer.send(peer.exact(len(peer.buffer)))
    while True:
        peer.send(peer.receive())


def exact(client: RawClient, size: int) -> bytes:
    while len(client.buffer) < size:
        assert client.fill()
    data, client.buffer = client.buffer[:size], client.buffer[size:]
    return data


def test_bytes_pass_both_ways(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = echo
    with gateway.client() as client:
        answered = client.ask(HANDSHAKE)
        assert (answered.status, answered.value("upgrade"), answered.value("connection")) == (
            101,
            "websocket",
            "Upgrade",
        )
        assert answered.value("x-accept") == "yes"
        data = os.urandom(1 << 20)
        sending = threading.Thread(target=client.send, args=(data,))
        sending.start()
        assert exact(client, len(data)) == data
        sending.join()
    (seen,) = upstream.seen
    assert (seen.values("connection"), seen.values("upgrade")) == (["Upgrade"], ["websocket"])


def test_bytes_right_behind_the_handshake_pass(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = lambda peer, seen: (peer.send(SWITCH + b"first"), peer.send(peer.exact(5)), peer.receive())
    with gateway.client() as client:
        assert client.ask(HANDSHAKE + b"eager").status == 101
        assert exact(client, 10) == b"firsteager"


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_end_of_the_upstream_is_the_end_of_the_client(gateway: Gateway, upstream: RawUpstream, end: str) -> None:
    def leave(peer: Peer, seen: Seen) -> None:
        peer.send(SWITCH + b"bye")
        if end == "reset":
            peer.exact(1)
            peer.reset()
        raise Closed

    upstream.script = leave
    with gateway.client() as client:
        assert client.ask(HANDSHAKE).status == 101
        assert exact(client, 3) == b"bye"
        client.send(b"x")
        assert client.at_end()


def test_the_end_of_the_client_is_the_end_of_the_upstream(gateway: Gateway, upstream: RawUpstream) -> None:
    gone = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        peer.send(SWITCH)
        try:
            while True:
                peer.receive()
        except Closed:
            gone.set()

    upstream.script = wait
    with gateway.client() as client:
        assert client.ask(HANDSHAKE).status == 101
    assert gone.wait(3)


def test_a_refused_handshake_opens_no_tunnel(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer(ok(b"no", status="426 Upgrade Required"))
    with gateway.client() as client:
        answered = client.ask(HANDSHAKE)
        assert (answered.status, answered.body) == (426, b"no")
        assert client.ask(request("GET", "/../up")).status == 400
    assert [seen.target for seen in upstream.seen] == ["/ws"]


def test_a_tunnel_counts_once_it_has_ended(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = echo
    before = gateway.stats()["counters"]["tunnels"]
    with gateway.client() as client:
        client.ask(HANDSHAKE)
    assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)
    stats = gateway.stats()
    assert stats["counters"]["tunnels"] == before + 1
    assert any(
        (row["code"], row["route"], row["upstream_count"]) == (101, "all", row["count"]) for row in stats["requests"]
    )


def test_the_client_may_end_its_side_of_a_tunnel_and_hear_the_rest(gateway: Gateway, upstream: RawUpstream) -> None:
    def until_the_end(peer: Peer, seen: Seen) -> None:
        peer.send(SWITCH)
        heard = b""
        while data := peer.sock.recv(65_536):
            heard += data
        peer.send(b"heard " + heard)
        raise Closed

    upstream.script = until_the_end
    with gateway.client() as client:
        assert client.ask(HANDSHAKE).status == 101
        client.send(b"all")
        client.sock.shutdown(1)
        assert exact(client, 9) == b"heard all"
        assert client.at_end()


def test_the_upstream_may_end_its_side_of_a_tunnel_and_hear_the_rest(gateway: Gateway, upstream: RawUpstream) -> None:
    heard: list[bytes] = []

    def bye_first(peer: Peer, seen: Seen) -> None:
        peer.send(SWITCH + b"bye")
        peer.sock.shutdown(1)
        while data := peer.sock.recv(65_536):
            heard.append(data)
        raise Closed

    upstream.script = bye_first
    with gateway.client() as client:
        assert client.ask(HANDSHAKE).status == 101
        assert exact(client, 3) == b"bye"
        assert client.at_end()
        client.send(b"last words")
        assert eventually(lambda: b"".join(heard) == b"last words")
        client.sock.shutdown(1)
    assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)


def test_half_a_tunnel_does_not_stay_for_ever() -> None:
    with serve(lambda peer, seen: (peer.send(SWITCH), silent(peer, seen)), options={"idle_timeout_seconds": 0.2}) as on:
        assert on.client.ask(HANDSHAKE).status == 101
        on.client.sock.shutdown(1)
        assert on.client.at_end(3)


def test_a_post_is_no_handshake(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        assert client.ask(HANDSHAKE.replace(b"GET", b"POST")).status == 200
    assert upstream.seen[0].values("upgrade") == []
