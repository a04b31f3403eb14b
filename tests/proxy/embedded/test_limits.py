"""Time, connections, pipelined requests: everything has an end."""

from __future__ import annotations

import threading
import time

from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, answer, ok


def late(seconds: float = 0.3) -> object:
    def script(peer: Peer, seen: Seen) -> None:
        time.sleep(seconds)
        peer.send(ok(seen.target.encode()))

    return script


def test_a_head_that_does_not_arrive_in_time_is_408() -> None:
    with Gateway(define(), header_timeout_seconds=0.2) as gateway, gateway.client() as client:
        answered = client.send(b"GET / HTTP/1.1\r\nHost: a\r\n").read()
        assert (answered.status, answered.value("connection")) == (408, "close")
        assert client.at_end()


def test_a_connection_that_says_nothing_is_closed() -> None:
    with Gateway(define(), header_timeout_seconds=0.2) as gateway, gateway.client() as client:
        assert client.at_end(2)


def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    with (
        RawUpstream(late(0.5)) as upstream,
        Gateway(define(route(), up=upstream.origin), idle_timeout_seconds=0.2) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request()).status == 200
        assert client.at_end(2)


def test_requests_sent_ahead_are_answered_in_order(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.scripts = [late()]  # type: ignore[list-item]
    upstream.script = lambda peer, seen: peer.send(ok(seen.target.encode() + seen.body))
    with gateway.client() as client:
        client.send(
            request("GET", "/1") + request("GET", "/2") + request("POST", "/3", body=b"abc") + request("GET", "/4")
        )
        assert [client.read().body for _ in range(4)] == [b"/1", b"/2", b"/3abc", b"/4"]


def test_thousands_of_requests_sent_ahead_need_no_stack(gateway: Gateway) -> None:
    one = request("OPTIONS", "/", "Max-Forwards: 0")
    with gateway.client() as client:
        sending = threading.Thread(target=client.send, args=(one * 3_000,))
        sending.start()
        assert {client.read().status for _ in range(3_000)} == {200}
        sending.join()


def test_what_follows_a_good_request_is_judged_by_itself(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(request() + b"GARBAGE\r\n\r\n")
        assert [client.read().status for _ in range(2)] == [200, 400]
        assert client.at_end()


def test_a_client_that_sends_ahead_without_reading_is_not_read_on() -> None:
    with (
        RawUpstream(answer(ok(b"x" * 100_000))) as upstream,
        Gateway(define(route(), up=upstream.origin)) as gateway,
        gateway.client(receive_buffer=16_384) as client,
    ):
        client.sock.settimeout(0.5)
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                sent += client.sock.send(request() * 100)
        except TimeoutError:
            pass
        assert sent < 32 * 1024 * 1024
        assert len(upstream.seen) < 300


def test_a_client_may_end_its_side_and_still_get_its_answers(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.scripts = [late()]  # type: ignore[list-item]
    with gateway.client() as client:
        client.send(request("GET", "/1") + request("GET", "/2"))
        client.sock.shutdown(1)
        assert [client.read().status for _ in range(2)] == [200, 200]
        assert client.at_end()


def test_half_a_request_behind_a_whole_one_is_given_up_when_the_client_ends_its_side(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    with gateway.client() as client:
        client.send(request("GET", "/1") + request("POST", "/2", "Content-Length: 5") + b"he")
        client.sock.shutdown(1)
        assert client.read().status == 200
        assert client.at_end()
    assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)


def test_a_connection_too_many_is_told_so() -> None:
    with RawUpstream() as upstream, Gateway(define(route(), up=upstream.origin), max_connections=3) as gateway:
        clients = [gateway.client() for _ in range(3)]
        assert [client.ask(request()).status for client in clients] == [200] * 3
        with gateway.client() as client:
            answered = client.send(request()).read()
            assert (answered.status, answered.value("retry-after")) == (503, "1")
            assert b"overloaded" in answered.body
        clients[0].sock.close()
        assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 2)
        with gateway.client() as client:
            assert client.ask(request()).status == 200
        assert gateway.stats()["counters"]["connections_refused"] == 1
        for client in clients[1:]:
            client.sock.close()


def test_a_body_is_read_only_up_to_the_limit() -> None:
    search = route(
        "search",
        "/search",
        destinations=[{"upstream": "up", "function": "find", "parameters": {"name": "{body.name}"}}],
    )
    from tests.support.case import function, param

    find = function("find", "GET", "/pets", param("name", "query", required=True), upstream="up")
    with RawUpstream() as upstream:
        definitions = define(search, up=upstream.origin)
        definitions = type(definitions)(
            definitions.upstreams, (find,), definitions.virtual_services, definitions.routes, frozenset()
        )
        with Gateway(definitions, max_read_body_bytes=100) as gateway, gateway.client() as client:
            json = "Content-Type: application/json"
            assert client.ask(request("POST", "/search", json, body=b'{"name": "Rex"}')).status == 200
            assert client.ask(request("POST", "/search", json, body=b"x" * 101)).status == 413
        with Gateway(definitions, max_read_body_bytes=100) as gateway, gateway.client() as client:
            chunked = b"40\r\n" + b"x" * 64 + b"\r\n"
            answered = client.ask(request("POST", "/search", json, "Transfer-Encoding: chunked") + chunked * 2)
            assert (answered.status, answered.value("connection")) == (413, "close")
        with Gateway(definitions) as gateway, gateway.client() as client:
            client.send(request("POST", "/search", json, "Expect: 100-continue", "Content-Length: 15"))
            assert client.read(interim=True).status == 100
            assert client.ask(b'{"name": "Ada"}').status == 200
        assert [seen.target for seen in upstream.seen] == ["/pets?name=Rex", "/pets?name=Ada"]
