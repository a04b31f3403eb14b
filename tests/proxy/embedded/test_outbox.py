"""What waits to be written goes out in order, and before anything that would overtake it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from proxy.embedded.outbox import SMALL, Outbox, Outlet
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, ok

LARGE = b"x" * (SMALL + 1)


class Recorder:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.gone = False
        self.fails = False

    def write(self, data: bytes) -> None:
        if self.gone or self.fails:
            raise RuntimeError("the handler is closed")
        self.told.append(data)

    def writelines(self, pieces: Iterable[bytes | memoryview]) -> None:
        self.told.append([bytes(piece) for piece in pieces])

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def is_closing(self) -> bool:
        return self.gone


def open_outlet(outbox: Outbox) -> tuple[Recorder, Outlet]:
    recorder = Recorder()
    return recorder, Outlet(cast(asyncio.Transport, recorder), outbox)


def test_messages_wait_for_the_end_of_the_turn_and_one_call_sends_them_all() -> None:
    calls: list[Callable[[], None]] = []
    outbox = Outbox(calls.append)
    (one, to_one), (two, to_two) = open_outlet(outbox), open_outlet(outbox)
    to_one.write_soon(b"a")
    to_two.write_message(b"", b"b")
    to_one.write_message(b"c", memoryview(b"d"))
    assert (one.told, two.told, len(calls)) == ([], [], 1)
    calls[0]()
    assert (one.told, two.told) == ([b"a", b"cd"], [b"b"])
    to_one.write_soon(b"e")
    assert len(calls) == 2, "the next turn has a call of its own"


@pytest.mark.parametrize(
    ("what", "act"),
    [
        (b"now", lambda outlet: outlet.write(b"now")),
        ("eof", lambda outlet: outlet.write_eof()),
        ("close", lambda outlet: outlet.close()),
        ("close", lambda outlet: outlet.close_soon()),
        ("abort", lambda outlet: outlet.abort()),
        (LARGE, lambda outlet: outlet.write_soon(LARGE)),
        ([b"head", LARGE], lambda outlet: outlet.write_message(b"head", memoryview(LARGE))),
    ],
    ids=["write", "write_eof", "close", "close_soon", "abort", "a large piece", "a large message"],
)
def test_nothing_overtakes_what_waits(what: object, act: Callable[[Outlet], None]) -> None:
    calls: list[Callable[[], None]] = []
    recorder, outlet = open_outlet(Outbox(calls.append))
    outlet.write_soon(b"first")
    act(outlet)
    calls[0]()
    assert recorder.told == [b"first", what]


def test_an_end_that_may_wait_lets_others_wait_too() -> None:
    outbox = Outbox(lambda call: None)
    (one, to_one), (two, to_two) = open_outlet(outbox), open_outlet(outbox)
    to_one.write_soon(b"a")
    to_one.close_soon()
    to_two.write_soon(b"b")
    assert (one.told, two.told) == ([], [])
    outbox.flush()
    assert (one.told, two.told) == ([b"a", "close"], [b"b"])


def test_a_connection_that_was_reset_meanwhile_keeps_nobody_from_being_written_to() -> None:
    outbox = Outbox(lambda call: None)
    (gone, to_gone), (other, to_other) = open_outlet(outbox), open_outlet(outbox)
    to_gone.write_soon(b"a")
    to_other.write_soon(b"b")
    gone.gone = True
    outbox.flush()
    assert other.told == [b"b"]


def test_a_connection_that_fails_without_being_closed_keeps_nobody_from_being_written_to() -> None:
    calls: list[Callable[[], None]] = []
    outbox = Outbox(calls.append)
    (ended, to_ended), (other, to_other) = open_outlet(outbox), open_outlet(outbox)
    to_ended.write_soon(b"a")
    to_other.write_soon(b"b")
    ended.fails = True
    with pytest.raises(RuntimeError):
        calls[0]()
    calls[1]()
    assert other.told == [b"b"]


def test_answers_to_pipelined_requests_come_in_order_whoever_gives_them() -> None:
    """The upstream's answers wait, the gateway's own do not."""
    with RawUpstream() as upstream:
        definitions = define(route(prefix="/up"), up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            client.send(b"".join(request("GET", target) for target in ("/up", "/none", "/up", "/none", "/up")))
            assert [client.read().status for _ in range(5)] == [200, 404, 200, 404, 200]


def test_an_answer_that_ends_its_connection_arrives() -> None:
    with RawUpstream() as upstream, Gateway(define(route(), up=upstream.origin)) as gateway:
        for _ in range(20):
            with gateway.client() as client:
                answer = client.ask(request("GET", "/", "Connection: close"))
                assert (answer.status, answer.complete, client.at_end()) == (200, True, True)


def test_an_answer_arrives_that_waits_when_the_client_ends_its_side() -> None:
    asked, answered = threading.Event(), threading.Event()

    def script(peer: Peer, seen: Seen) -> None:
        asked.set()
        peer.send(ok(b"ok", "Date: Sat, 28 Nov 2026 12:00:00 GMT") if answered.wait(5) else b"")

    def answer_and_end() -> None:
        """While the loop stands still, so that it finds both in one turn, the answer first."""
        answered.set()
        time.sleep(0.1)
        client.sock.shutdown(1)
        time.sleep(0.1)

    with (
        RawUpstream(script) as upstream,
        Gateway(define(route(), up=upstream.origin)) as gateway,
        gateway.client() as client,
    ):
        client.send(request())
        assert asked.wait(5)
        gateway.call(answer_and_end)
        assert (client.read().status, client.at_end()) == (200, True)
