"""Delays, copies, hosts and tries: what the case table says, where time and other clients come into it."""

from __future__ import annotations

import time
from itertools import cycle

from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import Gateway, define, route, serve
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, silent

DELAY = {"delay_seconds": 0.5}


def test_a_delay_blocks_nobody_else() -> None:
    with RawUpstream() as upstream:
        routes = (route("slow", "/slow", fault=DELAY), route("fast", "/"))
        with Gateway(define(*routes, up=upstream.origin)) as gateway, gateway.client() as client:
            waiting = [gateway.client().send(request("GET", "/slow")) for _ in range(50)]
            begun = time.monotonic()
            assert [client.ask(request()).status for _ in range(50)] == [200] * 50
            assert time.monotonic() - begun < 0.4
            assert [one.read().status for one in waiting] == [200] * 50
            assert 0.45 < time.monotonic() - begun < 1.5
            for one in waiting:
                one.sock.close()


def test_a_delay_is_not_part_of_the_timeout() -> None:
    with serve(fault={"delay_seconds": 0.3}, timeout_seconds=0.2) as (_gateway, _upstream, client):
        assert client.ask(request()).status == 200


def test_a_client_that_leaves_during_a_delay_is_not_sent_on() -> None:
    with serve(fault=DELAY) as (gateway, upstream, client):
        client.send(request())
        assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 1)
        client.reset()
        assert eventually(lambda: gateway.stats()["gauges"]["client_connections"] == 0)
        time.sleep(0.6)
        assert (upstream.seen, gateway.stats()["requests"][0]["code"]) == ([], 499)


def test_a_share_of_the_requests_is_copied() -> None:
    draws = cycle((0.05, 0.1, 0.5, 0.95))
    with RawUpstream() as upstream, RawUpstream() as shadow:
        mirror = {"upstream": "shadow", "percent": 10}
        definitions = define(route(mirror=mirror), up=upstream.origin, shadow=shadow.origin)
        with Gateway(definitions, draw=lambda: next(draws)) as gateway, gateway.client() as client:
            for number in range(40):
                assert client.ask(request("GET", f"/{number}")).status == 200
            assert gateway.stats()["counters"]["mirrors"] == 10
            copies = shadow.wait(10)
    assert sorted(int(seen.target[1:]) for seen in copies) == list(range(0, 40, 4))


def test_each_endpoint_is_called_by_its_own_name() -> None:
    with RawUpstream() as one, RawUpstream() as two:
        definitions = define(route(host="upstream"), up=(one.origin, two.origin))
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert [client.ask(request()).status for _ in range(4)] == [200] * 4
        for upstream in (one, two):
            assert [seen.values("host") for seen in upstream.seen] == [[f"127.0.0.1:{upstream.port}"]] * 2


def test_tries_end_with_the_timeout_of_them_all() -> None:
    retries = {"attempts": 10, "on": ["timeout"], "per_try_timeout_seconds": 0.2}
    with serve(silent, timeout_seconds=0.7, retries=retries) as (gateway, upstream, client):
        begun = time.monotonic()
        answered = client.ask(request())
        assert (answered.status, b"upstream_timeout" in answered.body) == (504, True)
        assert 0.6 < time.monotonic() - begun < 1.0
        assert 3 <= len(upstream.seen) <= 4  # the last one is cut short
        assert gateway.stats()["counters"]["retries"] == len(upstream.seen) - 1


def test_a_try_that_answers_in_time_may_take_long_over_it() -> None:
    def slowly(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for byte in b"late":
            time.sleep(0.15)
            peer.send(bytes([byte]))

    retries = {"attempts": 1, "on": ["timeout"], "per_try_timeout_seconds": 0.2}
    with serve(slowly, timeout_seconds=1, retries=retries) as (_gateway, upstream, client):
        assert client.ask(request()).body == b"late"
        assert len(upstream.seen) == 1
