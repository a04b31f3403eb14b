"""Upgrade: a WebSocket's bytes pass both ways once, and only once, the upstream has agreed."""

from __future__ import annotations

import os
import threading

import pytest

from tests.proxy.support.client import RawClient, eventually, request
from tests.proxy.support.gateway import Gateway
from tests.proxy.support.upstream import Closed, Peer, RawUpstream, Seen, answer, ok

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
    assert any(row["code"] == 101 and row["route"] == "all" for row in stats["requests"])
