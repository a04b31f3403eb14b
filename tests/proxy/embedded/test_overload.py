"""More than can be done is refused at once, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from coalmine.model import Definitions
from proxy.embedded import connector
from tests.proxy.embedded.test_tunnels import HANDSHAKE, echo, exact
from tests.proxy.support.client import Answer, RawClient, eventually, request
from tests.proxy.support.gateway import Gateway, define, route, serve
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, answer, ok, silent
from tests.support.case import function, param


def busy(gateway: Gateway, stack: ExitStack, count: int, path: str = "/") -> list[RawClient]:
    """Clients that have asked."""
    found = [stack.enter_context(gateway.client()) for _ in range(count)]
    for client in found:
        client.send(request("GET", path))
    return found


def is_overloaded(answered: Answer) -> bool:
    return (answered.status, answered.value("retry-after"), b'"overloaded"' in answered.body) == (503, "1", True)


def test_beyond_the_requests_in_flight_the_answer_is_503_at_once_and_the_connection_stays() -> None:
    held = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        held.wait(5)
        peer.send(ok())

    with (
        RawUpstream(wait) as upstream,
        Gateway(define(route(), up=upstream.origin), max_requests=5) as gateway,
        ExitStack() as stack,
    ):
        waiting = busy(gateway, stack, 4)
        upstream.wait(4)
        late = stack.enter_context(gateway.client())
        begun = time.monotonic()
        assert is_overloaded(late.ask(request()))
        assert time.monotonic() - begun < 1
        assert len(upstream.seen) == 4
        held.set()
        assert [client.read().status for client in waiting] == [200] * 4
        assert late.ask(request()).status == 200
        assert (gateway.stats()["counters"]["requests_refused"], gateway.engine.places.taken) == (1, 0)


@pytest.mark.parametrize("limit", [None, 3], ids=["four fifths of all, where nothing is said", "what it says itself"])
def test_an_upstream_that_never_answers_leaves_room_for_the_others(limit: int | None) -> None:
    with RawUpstream(silent) as dead, RawUpstream() as good, ExitStack() as stack:
        definitions = define(route("dead", "/dead", "dead"), route(), dead=dead.origin, up=good.origin)
        if limit:
            upstreams = tuple(
                one.model_copy(update={"max_requests": limit}) if one.name == "dead" else one
                for one in definitions.upstreams
            )
            definitions = dataclasses.replace(definitions, upstreams=upstreams)
        gateway = stack.enter_context(Gateway(definitions, max_requests=10, upstream_timeout_seconds=30.0))
        waiting = busy(gateway, stack, 12, "/dead")
        taken = limit or 8
        dead.wait(taken)
        with gateway.client() as client:
            assert client.ask(request("GET", "/good")).status == 200
        assert eventually(lambda: gateway.stats()["counters"]["requests_refused"] == 12 - taken)
        assert len(dead.seen) == taken
        for client in waiting:
            client.reset()
        assert eventually(lambda: gateway.engine.places.taken == 0)


def test_every_connection_too_many_is_told_so_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that read nothing and do not go make room for the next, and find their answer when they look."""
    monkeypatch.setattr("proxy.embedded.engine.MAX_TURNED_AWAY", 3)
    with (
        RawUpstream() as upstream,
        Gateway(define(route(), up=upstream.origin), max_connections=1) as gateway,
        ExitStack() as stack,
    ):
        first = stack.enter_context(gateway.client())
        assert first.ask(request()).status == 200
        beyond = [stack.enter_context(gateway.client()) for _ in range(12)]
        assert eventually(lambda: gateway.stats()["counters"]["connections_refused"] == 12)
        assert all(is_overloaded(client.read()) and client.at_end() for client in beyond)
        assert first.ask(request()).status == 200
        assert len(gateway.engine._turned_away) <= 3


def with_body_function(origin: str) -> Definitions:
    """POST /search looks into the body before it asks the upstream."""
    find = function("find", "GET", "/pets", param("name", "query", required=True), upstream="up")
    to = {"upstream": "up", "function": "find", "parameters": {"name": "{body.name}"}}
    plain = define(route("search", "/search", destinations=[to]), up=origin)
    return Definitions(plain.upstreams, (find,), plain.virtual_services, plain.routes, frozenset())


def test_bodies_that_are_read_first_hold_a_place_too() -> None:
    body = b'{"name": "Rex"}'
    head = request("POST", "/search", "Content-Type: application/json", f"Content-Length: {len(body)}")
    with (
        RawUpstream() as upstream,
        Gateway(with_body_function(upstream.origin), max_requests=5) as gateway,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(gateway.client()) for _ in range(5)]
        for client in clients:
            client.send(head)
        assert eventually(lambda: gateway.engine.places.taken == 5)
        with gateway.client() as late:
            assert is_overloaded(late.ask(head + body))
        assert [client.ask(body).status for client in clients] == [200] * 5
        assert gateway.engine.places.taken == 0


def test_a_tunnel_holds_no_place_and_ends_when_it_is_silent_for_too_long() -> None:
    with (
        RawUpstream(echo) as upstream,
        Gateway(define(route(), up=upstream.origin), max_requests=2, tunnel_idle_seconds=0.5) as gateway,
        gateway.client() as tunnel,
        gateway.client() as other,
    ):
        assert tunnel.ask(HANDSHAKE).status == 101
        assert gateway.engine.places.taken == 0
        for _ in range(4):  # longer than the limit, but never silent for so long
            tunnel.send(b"ping")
            assert exact(tunnel, 4) == b"ping"
            time.sleep(0.2)
        assert other.ask(HANDSHAKE).status == 101
        assert tunnel.at_end() and other.at_end()


def test_without_descriptors_idle_connections_are_given_back_and_then_the_answer_is_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The endpoint is not to blame, and is not taken out."""
    with RawUpstream() as a, RawUpstream() as b:
        definitions = define(route("a", "/a", "a"), route("b", "/b", "b"), a=a.origin, b=b.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert client.ask(request("GET", "/a")).status == 200
            full = {"left": 1}
            real = connector.Connector._open_address

            async def open_address(self: connector.Connector, endpoint: Any, address: str, context: Any) -> Any:
                if full["left"]:
                    full["left"] -= 1
                    raise OSError(errno.EMFILE, "Too many open files")
                return await real(self, endpoint, address, context)

            monkeypatch.setattr(connector.Connector, "_open_address", open_address)
            assert client.ask(request("GET", "/b")).status == 200
            assert gateway.stats()["gauges"]["upstream_connections"] == 1  # the idle one to a has gone for it
            full["left"] = 100
            answers = [client.ask(request("GET", "/a")) for _ in range(10)]
            assert all(map(is_overloaded, answers))
            full["left"] = 0
            assert client.ask(request("GET", "/a")).status == 200
            assert gateway.stats()["counters"]["ejections"] == 0


def test_copies_for_a_mirror_that_never_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.embedded.mirror.MAX_MIRRORS", 3)
    with RawUpstream() as up, RawUpstream(silent) as shadow:
        definitions = define(route(mirror={"upstream": "shadow"}), up=up.origin, shadow=shadow.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            assert [client.ask(request()).status for _ in range(8)] == [200] * 8
            counters = gateway.stats()["counters"]
            assert (counters["mirrors"], counters["mirrors_dropped"]) == (3, 5)


def test_a_retiring_engine_closes_no_idle_connection_and_says_close_in_its_last_answer() -> None:
    with serve(answer(ok())) as (gateway, _, idle):
        assert idle.ask(request()).value("connection") is None
        leaving = asyncio.run_coroutine_threadsafe(gateway.engine.retire(10), gateway._loop)
        time.sleep(0.1)
        assert not leaving.done()
        last = idle.ask(request())
        assert (last.status, last.value("connection")) == (200, "close")
        leaving.result(5)
        with pytest.raises(ConnectionRefusedError):
            RawClient(gateway.address)
