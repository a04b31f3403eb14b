"""Snapshots swapped under load, graceful ends, mirrors, counting: the engine as a whole."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvloop

from coalmine.model import Route
from coalmine.routing.build import build_snapshot
from proxy.embedded.engine import Engine
from tests.proxy.support.client import RawClient, eventually, request
from tests.proxy.support.gateway import Gateway, define, route, serve
from tests.proxy.support.upstream import Closed, Peer, RawUpstream, Seen, answer, ok, unread


def late(peer: Peer, seen: Seen) -> None:
    time.sleep(0.4)
    peer.send(ok(b"late"))


def test_swapping_snapshots_under_load_loses_nothing() -> None:
    with RawUpstream(answer(ok(b"a"))) as a, RawUpstream(answer(ok(b"b"))) as b, Gateway(define()) as gateway:
        versions = [define(route(upstream=name), a=a.origin, b=b.origin) for name in ("a", "b")]
        gateway.apply(versions[0])
        end = time.monotonic() + 1.5
        results: list[set[bytes]] = []
        failures: list[object] = []

        def load() -> None:
            seen = set()
            with RawClient(gateway.address) as client:
                while time.monotonic() < end:
                    answered = client.ask(request())
                    seen.add(answered.body)
                    if answered.status != 200 or not answered.complete:
                        failures.append(answered)
            results.append(seen)

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        turn = 0
        while time.monotonic() < end:
            turn += 1
            gateway.apply(versions[turn % 2])
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        assert failures == []
        assert results == [{b"a", b"b"}] * 8
        assert turn > 20


def test_an_equal_snapshot_changes_nothing_and_connections_survive_another(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    with gateway.client() as client:
        client.ask(request())
        served = gateway.engine.served
        gateway.apply(define(route(), up=upstream.origin))
        assert gateway.engine.served is served
        gateway.apply(define(route(), route("other", "/other"), up=upstream.origin))
        client.ask(request())
        gateway.apply(define(route(), up=upstream.origin))
    assert len({seen.connection for seen in upstream.seen}) == 1


def test_endpoints_that_are_no_more_lose_their_connections() -> None:
    with RawUpstream() as old, RawUpstream() as new, Gateway(define(route(), up=old.origin)) as gateway:
        with gateway.client() as client:
            client.ask(request())
            gateway.apply(define(route(), up=new.origin))
            assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections"] == 0)
            client.ask(request())
        assert (len(old.seen), len(new.seen)) == (1, 1)


def test_a_request_in_flight_keeps_the_snapshot_it_began_with() -> None:
    with serve(late) as (gateway, upstream, client):
        client.send(request())
        upstream.wait(1)
        gateway.apply(define())
        assert client.read().body == b"late"
        assert client.ask(request()).status == 404


def test_draining_finishes_what_is_in_flight_and_accepts_nothing_more() -> None:
    with RawUpstream(late) as upstream, Gateway(define(route(), up=upstream.origin)) as gateway:
        idle, busy = gateway.client(), [gateway.client() for _ in range(20)]
        for client in busy:
            client.send(request())
        upstream.wait(20)
        begun = time.monotonic()
        gateway.drain(5)
        assert time.monotonic() - begun < 2
        answers = [client.read() for client in busy]
        assert [(a.body, a.value("connection")) for a in answers] == [(b"late", "close")] * 20
        assert idle.at_end()
        try:
            RawClient(gateway.address)
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("still accepting")
        for client in (idle, *busy):
            client.sock.close()


def test_draining_ends_what_does_not_finish() -> None:
    def hang(peer: Peer, seen: Seen) -> None:
        peer.receive()

    with serve(hang) as (gateway, upstream, client):
        client.send(request())
        upstream.wait(1)
        begun = time.monotonic()
        gateway.drain(0.3)
        assert 0.25 < time.monotonic() - begun < 1
        assert client.read().status == 0


def mirrored(**more: object) -> Route:
    return route(mirror={"upstream": "shadow", **more})


def test_a_mirror_gets_a_copy_and_never_delays_the_client() -> None:
    def slow(peer: Peer, seen: Seen) -> None:
        time.sleep(1)
        peer.send(ok(b"shadow"))

    with (
        RawUpstream() as upstream,
        RawUpstream(slow) as shadow,
        Gateway(define(mirrored(), up=upstream.origin, shadow=shadow.origin)) as gateway,
        gateway.client() as client,
    ):
        begun = time.monotonic()
        assert client.ask(request("GET", "/a?b")).body == b"ok"
        assert client.ask(request("POST", "/c", body=b"abc")).body == b"ok"
        assert client.ask(request("POST", "/d", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n").status == 200
        assert time.monotonic() - begun < 0.9
        copies = shadow.wait(3)
    assert sorted((c.method, c.target, c.body) for c in copies) == [
        ("GET", "/a?b", b""),
        ("POST", "/c", b"abc"),
        ("POST", "/d", b"abc"),
    ]


def test_a_mirror_that_fails_is_not_noticed() -> None:
    with (
        RawUpstream() as upstream,
        Gateway(define(mirrored(), up=upstream.origin, shadow="http://127.0.0.1:9")) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request()).body == b"ok"
        assert client.ask(request("POST", "/", body=b"x" * 300_000)).status == 200


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
def test_a_mirror_gets_bodies_of_any_size(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with (
        RawUpstream() as upstream,
        RawUpstream() as shadow,
        Gateway(define(mirrored(), up=upstream.origin, shadow=shadow.origin)) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request("POST", "/", body=body)).status == 200
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        for start in range(0, size, 100_000):
            piece = body[start : start + 100_000]
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert client.ask(b"0\r\n\r\n").status == 200
        assert [copy.body == body for copy in shadow.wait(2)] == [True, True]
        assert gateway.stats()["counters"]["mirrors_dropped"] == 0


def test_a_mirror_that_cannot_keep_up_is_given_up_and_never_delays() -> None:
    over = threading.Event()
    size = 20_000_000  # more than all buffers of two sockets

    def read(peer: Peer, seen: Seen) -> None:
        left = size - len(peer.buffer)
        while left:
            left -= len(peer.receive())
        peer.buffer = b""
        peer.send(ok())

    with (
        RawUpstream(unread(read)) as upstream,
        RawUpstream(unread(lambda peer, seen: over.wait(30))) as shadow,
        Gateway(define(mirrored(), up=upstream.origin, shadow=shadow.origin)) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request("POST", "/", body=b"x" * size)).status == 200
        assert not over.is_set()  # the copy is stuck to this moment
        assert eventually(lambda: gateway.stats()["counters"]["mirrors_dropped"] == 1)
        over.set()


def test_the_copy_of_a_body_that_breaks_off_breaks_off() -> None:
    ended = threading.Event()

    def read(peer: Peer, seen: Seen) -> None:
        try:
            while True:
                peer.receive()
        except Closed:
            ended.set()

    with (
        RawUpstream() as upstream,
        RawUpstream(unread(read)) as shadow,
        Gateway(define(mirrored(), up=upstream.origin, shadow=shadow.origin)) as gateway,
    ):
        with gateway.client() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000)
            assert shadow.wait(1, complete=False)
            assert not ended.is_set()
        assert ended.wait(5)


def test_every_request_is_counted_once_by_what_served_it() -> None:
    with RawUpstream() as upstream:
        routes = (route("pets", "/pets"), route("gone", "/gone", "nowhere"))
        with Gateway(define(*routes, up=upstream.origin)) as gateway:
            with gateway.client() as client:
                for _ in range(7):
                    client.ask(request("GET", "/pets"))
                client.ask(request("GET", "/gone"))
                client.ask(request("GET", "/none"))
                client.ask(b"BAD\r\n\r\n")
            assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)
            stats = gateway.stats()
    rows = {(r["virtual_service"], r["route"], r["upstream"], r["code"]): r for r in stats["requests"]}
    assert {key: row["count"] for key, row in rows.items()} == {
        ("main", "pets", "up", 200): 7,
        ("main", "gone", "", 503): 1,
        ("", "", "", 404): 1,
        ("", "", "", 400): 1,
    }
    pets = rows["main", "pets", "up", 200]
    assert pets["seconds_buckets"][-1] == [10.0, 7]
    assert pets["upstream_count"] == 7
    assert 0 < pets["upstream_seconds_sum"] <= pets["seconds_sum"]
    assert stats["version"] == build_snapshot(define(*routes, up=upstream.origin)).version
    assert stats["gauges"]["upstream_connections"] == 1
    assert stats["counters"]["bad_requests"] == 1


def test_a_client_that_leaves_is_counted_as_499() -> None:
    def hang(peer: Peer, seen: Seen) -> None:
        peer.receive()

    with serve(unread(hang)) as (gateway, upstream, client):
        client.send(request("POST", "/", "Content-Length: 10") + b"hello")
        upstream.wait(1, complete=False)
        client.sock.close()
        assert eventually(lambda: [row["code"] for row in gateway.stats()["requests"]] == [499])


def test_an_upstream_that_comes_and_goes_leaves_nothing_behind(gateway: Gateway, upstream: RawUpstream) -> None:
    def moody(peer: Peer, seen: Seen) -> None:
        peer.send(ok(b"x"))
        if int(seen.target[1:]) % 3 == 0:
            raise Closed

    upstream.script = moody
    with gateway.client() as client:
        assert {client.ask(request("GET", f"/{n}")).status for n in range(60)} == {200}
    assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)
    watched = gateway.call(lambda: set(gateway.engine.sweep.watched))
    assert watched == set()


def test_connections_that_wait_are_accepted_several_in_a_turn() -> None:
    waiting = 24

    async def count_accepted(turns: int) -> int:
        engine = Engine()
        with socket.create_server(("127.0.0.1", 0), backlog=100) as sock, ExitStack() as clients:
            address = sock.getsockname()
            await engine.serve(sock)
            for _ in range(waiting):
                clients.enter_context(socket.create_connection(address))  # the kernel needs nobody to accept it
            for _ in range(turns):
                await asyncio.sleep(0)
            accepted = engine.counters.connections
            await engine.drain(0.0)
        with pytest.raises(ConnectionRefusedError):  # no server is left behind
            socket.create_connection(address)
        return accepted

    assert uvloop.run(count_accepted(turns=10)) == waiting
