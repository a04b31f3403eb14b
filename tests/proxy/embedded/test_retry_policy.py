"""What may be sent twice, how often, and how much of it is kept for that."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from proxy.embedded.retry import FEW_RETRIES, RETRY_SHARE, RetryBudget
from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream, Script, answer, free_port, ok, reset, silent, unread

BUSY = answer(ok(b"", status="503 Busy"))

# What happens, the method, the route's ``on`` (None: it names nothing), how often the upstream is asked.
TIMES: list[tuple[str, Script, str, list[str] | None, int]] = [
    ("a GET that was reset", reset, "GET", None, 2),
    ("a PUT that was reset", reset, "PUT", None, 2),
    ("a POST that was reset", reset, "POST", None, 1),
    ("a PATCH that was reset", reset, "PATCH", None, 1),
    ("an unknown method that was reset", reset, "BREW", None, 1),
    ("a POST that was reset, where the owner says so", reset, "POST", ["connect-failure", "reset"], 2),
    ("a GET that failed", BUSY, "GET", None, 1),
    ("a POST that failed", BUSY, "POST", None, 1),
    ("a POST that failed, where the owner says so", BUSY, "POST", ["5xx"], 2),
    ("a POST that failed, where the owner speaks of resets", BUSY, "POST", ["reset"], 1),
    ("a POST without an answer", silent, "POST", None, 1),
    ("a POST without an answer, where the owner says so", silent, "POST", ["timeout"], 2),
]


@pytest.mark.parametrize(("script", "method", "on", "times"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_a_request_is_sent_so_often(script: Script, method: str, on: list[str] | None, times: int) -> None:
    with RawUpstream(script) as upstream:
        retries = {"attempts": 1, "per_try_timeout_seconds": 0.3, **({} if on is None else {"on": on})}
        definitions = define(route(retries=retries), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert client.ask(request(method, "/", body=b"abc")).status >= 500
        assert [seen.body for seen in upstream.seen] == [b"abc"] * times


def test_a_post_that_was_never_sent_is_tried_elsewhere() -> None:
    with RawUpstream() as upstream:
        endpoints = (f"http://127.0.0.1:{free_port()}", upstream.origin)
        with Gateway(define(route(retries={"attempts": 1}), up=endpoints)) as gateway, gateway.client() as client:
            assert [client.ask(request("POST", "/", body=b"abc")).status for _ in range(4)] == [200] * 4
        assert [seen.body for seen in upstream.seen] == [b"abc"] * 4


# How large the body is, the limit, how often the upstream is asked.
SIZES = [("within the limit", 1_000, 1_000, 2), ("beyond the limit", 1_001, 1_000, 1), ("nothing is kept", 1, 0, 1)]


@pytest.mark.parametrize(("size", "limit", "times"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_a_body_is_sent_again_if_it_was_kept(size: int, limit: int, times: int) -> None:
    with RawUpstream(BUSY) as upstream:
        definitions = define(route(retries={"attempts": 1, "on": ["5xx"]}), up=upstream.origin)
        with Gateway(definitions, max_replay_body_bytes=limit) as gateway, gateway.client() as client:
            assert client.ask(request("PUT", "/", body=b"x" * size)).status == 503
        assert [len(seen.body) for seen in upstream.seen] == [size] * times


def test_a_body_that_is_still_coming_is_sent_again_as_far_as_it_came() -> None:
    with RawUpstream() as upstream:
        upstream.scripts = [unread(reset)]
        definitions = define(route(retries={"attempts": 1, "on": ["reset"]}), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            client.send(request("PUT", "/", "Content-Length: 6") + b"abc")
            upstream.wait(2, complete=False)
            assert client.ask(b"def").status == 200
        assert upstream.seen[-1].body == b"abcdef"


def test_a_body_larger_than_the_limit_waits_for_a_connection_and_is_sent_once() -> None:
    with RawUpstream() as upstream:
        endpoints = (upstream.origin, f"http://127.0.0.1:{free_port()}")  # the turn begins with the second
        definitions = define(route(retries={"attempts": 1}), up=endpoints)
        with Gateway(definitions, max_replay_body_bytes=1_000) as gateway, gateway.client() as client:
            assert client.ask(request("POST", "/", body=b"x" * 300_000)).status == 200
        assert [len(seen.body) for seen in upstream.seen] == [300_000]


def test_a_connection_that_comes_too_late_is_not_used_too() -> None:
    """The first try hangs in its handshake until the second one is under way."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, RawUpstream() as upstream:
        address = full.getsockname()
        filler = socket.create_connection(address)  # as many as may wait: the next handshake hangs for a second
        upstream.script = lambda peer, seen: (time.sleep(0.6), peer.send(ok(b"second")))
        retries = {"attempts": 1, "on": ["timeout"], "per_try_timeout_seconds": 0.7}
        endpoints = (upstream.origin, f"http://127.0.0.1:{address[1]}")  # the turn begins with the second
        with Gateway(define(route(retries=retries), up=endpoints)) as gateway, gateway.client() as client:
            client.send(request())
            upstream.wait()
            full.accept()[0].close()
            assert client.read().body == b"second"
            full.settimeout(0.5)
            with pytest.raises(TimeoutError):
                full.accept()
        filler.close()


def test_retries_stay_within_a_share_of_the_requests() -> None:
    """Everything fails, everybody may try four times more: without a budget the upstream would see 400 requests."""
    clients = 80
    gate = threading.Barrier(clients, timeout=10)
    with RawUpstream(BUSY) as upstream:
        upstream.scripts = [lambda peer, seen: (gate.wait(), BUSY(peer, seen))] * clients
        definitions = define(route(retries={"attempts": 4, "on": ["5xx"]}), up=upstream.origin)
        with Gateway(definitions, draw=lambda: 0.5) as gateway:

            def ask() -> int:
                with gateway.client() as client:
                    return client.ask(request()).status

            with ThreadPoolExecutor(clients) as pool:
                assert set(pool.map(lambda _: ask(), range(clients))) == {503}
            counters = gateway.stats()["counters"]
            budget = gateway.engine.served.clusters["up"].budget
            assert eventually(lambda: (budget.requests, budget.retries) == (0, 0))
        assert counters["retries"] == len(upstream.seen) - clients
        assert counters["retries_refused"] >= clients * (1 - RETRY_SHARE)
        # A fifth of what is in flight, then a fifth of that, and in the end the few that are always allowed.
        assert counters["retries"] <= clients * RETRY_SHARE * 1.25 + FEW_RETRIES * 10


def test_one_upstreams_retries_are_none_of_anothers() -> None:
    a, b = RetryBudget(), RetryBudget()
    assert [a.take() for _ in range(5)] == [True] * FEW_RETRIES + [False] * 2
    assert b.take()


def test_a_budget_grows_with_the_requests() -> None:
    budget = RetryBudget()
    budget.requests = 100
    assert sum(budget.take() for _ in range(50)) == 20
