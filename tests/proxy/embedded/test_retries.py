"""Connections kept, requests sent once, and what happens when an upstream fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import Gateway, define, route, serve
from tests.proxy.support.upstream import (
    Peer,
    RawUpstream,
    Seen,
    answer,
    answer_and_close,
    free_port,
    ok,
    reset,
    silent,
    unread,
)


def test_one_upstream_connection_serves_many_clients_in_turn(gateway: Gateway, upstream: RawUpstream) -> None:
    for _ in range(5):
        with gateway.client() as client:
            assert [client.ask(request()).status for _ in range(4)] == [200] * 4
    assert len({seen.connection for seen in upstream.seen}) == 1


def test_a_connection_that_closes_while_idle_leaves_the_pool(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        client.ask(request())
        upstream.close_connections()
        assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections_idle"] == 0)
        assert client.ask(request("POST", "/", body=b"x")).status == 200


def test_a_connection_is_not_kept_longer_than_the_upstream_announces() -> None:
    with (
        RawUpstream(answer(ok(b"", "Keep-Alive: timeout=2"))) as upstream,
        Gateway(define(route(), up=upstream.origin)) as gateway,
    ):
        with gateway.client() as client:
            client.ask(request())
        assert gateway.stats()["gauges"]["upstream_connections_idle"] == 1
        assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections_idle"] == 0, 3)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_stale_connection_is_replaced_for_idempotent_methods(
    gateway: Gateway, upstream: RawUpstream, method: str
) -> None:
    with gateway.client() as client:
        client.ask(request())
        upstream.scripts = [reset]
        assert client.ask(request(method, "/", body=b"abc")).status == 200
    assert [seen.body for seen in upstream.seen[1:]] == [b"abc", b"abc"]


def test_a_post_is_sent_once_whatever_happens(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        client.ask(request())
        upstream.scripts = [reset]
        answered = client.ask(request("POST", "/post", body=b"abc"))
        assert (answered.status, answered.complete) == (502, True)
    time.sleep(0.1)
    assert [seen.target for seen in upstream.seen] == ["/", "/post"]


@contextmanager
def busy_loop(gateway: Gateway) -> Iterator[None]:
    """While the block runs, the gateway's loop does not turn: what happens meanwhile it finds all at once."""
    held = threading.Event()
    thread = threading.Thread(target=gateway.call, args=(lambda: held.wait(5),))
    thread.start()
    try:
        yield
        time.sleep(0.05)
    finally:
        held.set()
        thread.join(5)


@pytest.mark.parametrize("hangs_up", [False, True], ids=["for the first time", "not for the first time"])
def test_any_number_of_connections_may_end_at_once_and_no_get_is_lost(
    gateway: Gateway, upstream: RawUpstream, hangs_up: bool
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.client()) for _ in range(5)]
        for _ in range(1 + hangs_up):
            upstream.close_connections()
            assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections"] == 0)
            with busy_loop(gateway):
                for client in clients:
                    client.send(request())
            assert [client.read().status for client in clients] == [200] * 5
        opened = upstream.opened
        with busy_loop(gateway):
            for client in clients:
                client.send(request("GET", "/again"))
            upstream.close_connections()
        assert [client.read().status for client in clients] == [200] * 5
        assert upstream.opened == opened + 5


def test_a_post_does_not_go_to_a_connection_that_has_ended_already(gateway: Gateway, upstream: RawUpstream) -> None:
    """Of an upstream that does so: it hangs up on connections that idle."""
    with gateway.client() as client:
        client.ask(request())
        upstream.close_connections()
        assert eventually(lambda: gateway.stats()["gauges"]["upstream_connections_idle"] == 0)
        client.ask(request())
        with busy_loop(gateway):
            client.send(request("POST", "/post", body=b"abc"))
            upstream.close_connections()
        assert client.read().status == 200
    assert [seen.target for seen in upstream.seen] == ["/", "/", "/post"]


def test_a_fresh_connection_that_fails_is_not_tried_again() -> None:
    with serve(reset) as (_gateway, upstream, client):
        assert client.ask(request()).status == 502
        assert len(upstream.seen) == 1


def test_an_upstream_that_nobody_serves_is_502() -> None:
    with Gateway(define(route(), up=f"http://127.0.0.1:{free_port()}")) as gateway, gateway.client() as client:
        answered = client.ask(request())
        assert (answered.status, b"upstream_unreachable" in answered.body) == (502, True)
        assert client.ask(request()).status == 502


def test_link_local_addresses_are_refused_unless_allowed() -> None:
    definitions = define(route(), up="http://169.254.169.254")
    with Gateway(definitions) as gateway, gateway.client() as client:
        answered = client.ask(request())
        assert (answered.status, b"link-local" in answered.body) == (502, True)


RETRIED = [
    ("a reset", reset, {"on": ["reset"]}),
    ("a 503 as a gateway error", answer(ok(b"", status="503 Busy")), {"on": ["gateway-error"]}),
    ("a 500 as a 5xx", answer(ok(b"", status="500 Oops")), {"on": ["5xx"]}),
    ("a 409", answer(ok(b"", status="409 Conflict")), {"on": ["retriable-4xx"]}),
    ("an answer that is not HTTP", answer_and_close(b"SSH-2.0\r\n"), {"on": ["5xx"]}),
    ("silence", silent, {"on": ["timeout"], "per_try_timeout_seconds": 0.15}),
]


@pytest.mark.parametrize(("script", "policy"), [row[1:] for row in RETRIED], ids=[row[0] for row in RETRIED])
def test_a_route_can_have_failures_tried_again(script: object, policy: dict[str, object]) -> None:
    with RawUpstream() as upstream:
        definitions = define(route(retries={"attempts": 2, **policy}), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            upstream.scripts = [script, script]  # type: ignore[list-item]
            assert client.ask(request("POST", "/", body=b"abc")).status == 200
            assert gateway.stats()["counters"]["retries"] == 2
        assert [seen.body for seen in upstream.wait(3)] == [b"abc"] * 3


NOT_RETRIED = [
    ("another condition", answer(ok(b"", status="503 Busy")), {"on": ["reset"]}, 503),
    ("a 404", answer(ok(b"", status="404 Not Found")), {"on": ["5xx", "retriable-4xx"]}, 404),
]


@pytest.mark.parametrize(
    ("script", "policy", "status"), [row[1:] for row in NOT_RETRIED], ids=[row[0] for row in NOT_RETRIED]
)
def test_other_failures_are_not(script: object, policy: dict[str, object], status: int) -> None:
    with RawUpstream(script) as upstream:  # type: ignore[arg-type]
        definitions = define(route(retries={"attempts": 2, **policy}), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert client.ask(request()).status == status
        assert len(upstream.seen) == 1


def test_tries_end_and_the_last_answer_stands() -> None:
    with RawUpstream(answer(ok(b"busy", status="503 Busy"))) as upstream:
        definitions = define(route(retries={"attempts": 2, "on": ["5xx"]}), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            answered = client.ask(request())
            assert (answered.status, answered.body) == (503, b"busy")
        assert len(upstream.seen) == 3


def test_a_body_too_large_to_keep_is_not_sent_again() -> None:
    with RawUpstream(answer(ok(b"", status="503 Busy"))) as upstream:
        definitions = define(route(retries={"attempts": 2, "on": ["5xx"]}), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert client.ask(request("PUT", "/", body=b"x" * 200_000)).status == 503
        assert len(upstream.seen) == 1


def test_a_retry_goes_to_another_endpoint() -> None:
    with RawUpstream() as upstream:
        endpoints = (f"http://127.0.0.1:{free_port()}", upstream.origin)
        definitions = define(route(retries={"attempts": 1, "on": ["connect-failure"]}), up=endpoints)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert [client.ask(request()).status for _ in range(10)] == [200] * 10


def test_endpoints_take_turns_and_a_failing_one_is_left_out() -> None:
    with RawUpstream() as good, RawUpstream(answer(ok(b"", status="500 Oops"))) as bad:
        with Gateway(define(route(), up=(good.origin, bad.origin))) as gateway, gateway.client() as client:
            statuses = [client.ask(request()).status for _ in range(30)]
            assert gateway.stats()["gauges"]["endpoints_ejected"] == 1
        assert statuses[:10].count(500) == 5
        assert statuses[10:] == [200] * 20


def test_the_last_endpoint_is_never_left_out() -> None:
    with RawUpstream(answer(ok(b"", status="500 Oops"))) as bad:
        with Gateway(define(route(), up=bad.origin)) as gateway, gateway.client() as client:
            assert [client.ask(request()).status for _ in range(12)] == [500] * 12
        assert len(bad.seen) == 12


def test_silence_is_504_at_the_routes_timeout() -> None:
    with serve(silent, timeout_seconds=0.3) as (_gateway, upstream, client):
        begun = time.monotonic()
        answered = client.ask(request())
        assert (answered.status, b"upstream_timeout" in answered.body) == (504, True)
        assert 0.25 < time.monotonic() - begun < 0.6
        upstream.script = answer(ok(b"again"))
        assert client.ask(request()).body == b"again"


def test_silence_within_an_answer_breaks_it_off() -> None:
    def stall(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        peer.receive()

    with serve(stall, timeout_seconds=0.2) as (_gateway, _upstream, client):
        answered = client.ask(request())
        assert (answered.status, answered.complete) == (200, False)


def test_a_slow_answer_that_keeps_coming_is_not_late() -> None:
    def drip(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(0.1)
            peer.send(b"x")

    with serve(drip, timeout_seconds=0.3) as (_gateway, _upstream, client):
        assert client.ask(request()).body == b"x" * 6


def test_a_client_that_stops_sending_its_body_is_408_not_504() -> None:
    with (
        RawUpstream(unread(silent)) as upstream,
        Gateway(define(route(timeout_seconds=0.2), up=upstream.origin)) as gateway,
        gateway.client() as client,
    ):
        answered = client.ask(request("POST", "/", "Content-Length: 10") + b"hello")
        assert (answered.status, answered.value("connection")) == (408, "close")


def test_a_slow_upstream_does_not_delay_others() -> None:
    with RawUpstream() as fast, RawUpstream(silent) as slow:
        routes = (route("slow", "/slow", "slow"), route("fast", "/", "fast"))
        with Gateway(define(*routes, fast=fast.origin, slow=slow.origin)) as gateway:
            waiting = [gateway.client().send(request("GET", "/slow")) for _ in range(20)]
            with gateway.client() as client:
                begun = time.monotonic()
                assert [client.ask(request()).status for _ in range(20)] == [200] * 20
                assert time.monotonic() - begun < 1
            for client in waiting:
                client.sock.close()
