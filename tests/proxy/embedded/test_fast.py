"""The fast path: whatever comes up, nobody can tell whether a request went there or the long way."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from proxy.embedded import client as client_module
from proxy.embedded.exchange import Exchange
from tests.proxy.support.client import Answer, eventually, request
from tests.proxy.support.gateway import Gateway, Served, define, route, serve
from tests.proxy.support.upstream import Closed, Peer, RawUpstream, Script, Seen, ok, reset, silent

DATE = "Date: Sat, 28 Nov 2026 12:00:00 GMT"
PLAIN = ok(b"hello", DATE)
ASK = request("GET", "/pets?limit=1", "X-Colour: red")
ORDER = request("PUT", "/orders?dry", body=b"abc" * 5_000)


def sends(*pieces: bytes, close: bool = False) -> Script:
    def script(peer: Peer, seen: Seen) -> None:
        for piece in pieces:
            peer.send(piece)
        if close:
            raise Closed

    return script


def warm(served: Served) -> None:
    """Afterwards a connection to the upstream is there, and idles."""
    served.upstream.script = sends(PLAIN)
    assert served.client.ask(ASK).status == 200
    assert eventually(lambda: served.gateway.stats()["gauges"]["upstream_connections_idle"] == 1)
    served.upstream.seen.clear()


LAST_ORDER = request("PUT", "/orders", "Connection: close", body=b"abc")
CHUNKS = request("POST", "/pets", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
Outcome = tuple[Answer, bool, list[bytes], dict[str, Any]]


def try_out(script: Script, asked: bytes, *, fast: bool, **more: Any) -> Outcome:
    """The answer on a warm connection, whether the client's goes on, what the upstream got, and what was counted."""
    with serve(**more) as served:
        served.gateway.engine.fast = fast
        warm(served)
        served.upstream.script = script
        answered = served.client.ask(asked, head=asked.startswith(b"HEAD"))
        goes_on = not served.client.at_end(0.1)
        assert eventually(lambda: served.gateway.engine.places.taken == 0)
        stats = served.gateway.stats()
        got = [re.sub(rb"X-Request-Id: [0-9a-f]{28}", b"", one.head) + one.body for one in served.upstream.seen]
    counted = ("count", "upstream_count", "request_bytes", "response_bytes")
    figures = {
        (one["route"], one["upstream"], one["code"]): [one[name] for name in counted] for one in stats["requests"]
    }
    answered.headers = [(name, value) for name, value in answered.headers if name not in ("date", "x-request-id")]
    return answered, goes_on, got, figures | stats["counters"]


EVENTS: list[tuple[str, Script, bytes, dict[str, Any]]] = [
    ("a whole answer", sends(PLAIN), ASK, {}),
    ("another one than before", sends(ok(b"other", DATE, "X-A: b", status="201 Created")), ASK, {}),
    ("without a date", sends(ok(b"hello")), ASK, {}),
    ("an empty one", sends(ok(b"", DATE)), ASK, {}),
    ("not modified", sends(f"HTTP/1.1 304 Not Modified\r\n{DATE}\r\n\r\n".encode()), ASK, {}),
    ("no content", sends(f"HTTP/1.1 204 No Content\r\n{DATE}\r\n\r\n".encode()), ASK, {}),
    ("not found", sends(ok(b"no", DATE, status="404 Not Found")), ASK, {}),
    ("an error", sends(ok(b"no", DATE, status="503 Service Unavailable")), ASK, {}),
    (
        "an error, and another try",
        sends(ok(b"no", DATE, status="503 Service Unavailable")),
        ASK,
        {"more": {"retries": {"attempts": 2, "on": ["5xx"]}}},
    ),
    ("in two pieces", sends(PLAIN[:30], PLAIN[30:]), ASK, {}),
    ("head and content apart", sends(PLAIN[:-5], PLAIN[-5:]), ASK, {}),
    ("chunked", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), ASK, {}),
    ("until the end of the connection", sends(b"HTTP/1.1 200 OK\r\n\r\nhello", close=True), ASK, {}),
    ("broken off", sends(PLAIN[:-2], close=True), ASK, {}),
    ("early hints first", sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN), ASK, {}),
    ("100 first", sends(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN), ASK, {}),
    ("a protocol that nobody asked for", sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), ASK, {}),
    ("no HTTP", sends(b"SSH-2.0-x\r\n\r\n"), ASK, {}),
    ("more than was announced", sends(PLAIN + b"x"), ASK, {}),
    ("the connection is to be closed", sends(ok(b"hello", DATE, "Connection: close"), close=True), ASK, {}),
    ("a large one", sends(ok(b"x" * 300_000, DATE)), ASK, {}),
    ("nobody answers", silent, ASK, {"more": {"timeout_seconds": 0.2}}),
    (
        "nobody answers this try",
        silent,
        ASK,
        {"more": {"retries": {"attempts": 1, "on": ["timeout"], "per_try_timeout_seconds": 0.1}}},
    ),
    ("asked for the head", sends(PLAIN[:-5]), request("HEAD", "/pets", "X-Colour: red"), {}),
    ("the client's connection is to be closed", sends(PLAIN), request("GET", "/pets", "Connection: close"), {}),
    ("with a body", sends(PLAIN), request("POST", "/pets", body=b"abc"), {}),
    ("with a large body", sends(PLAIN), ORDER, {}),
    ("with a body, and another request behind it", sends(PLAIN), ORDER + ASK, {}),
    ("with a body larger than what is kept", sends(PLAIN), request("PUT", "/orders", body=b"x" * 100_000), {}),
    ("with a body in chunks", sends(PLAIN), CHUNKS, {}),
    ("with a body of no length", sends(PLAIN), request("POST", "/pets", "Content-Length: 0"), {}),
    ("with a body, for a GET", sends(PLAIN), request("GET", "/pets", body=b"abc"), {}),
    ("with a body, for a TRACE", sends(PLAIN), request("TRACE", "/pets", body=b"abc"), {}),
    ("with a body that waits for leave", sends(PLAIN), request("PUT", "/o", "Expect: 100-continue", body=b"abc"), {}),
    ("with a body, and the connection is to be closed", sends(PLAIN), LAST_ORDER, {}),
    ("with a body, and the connection breaks", reset, request("POST", "/pets", body=b"abc"), {}),
    ("with a body, and nobody answers", silent, ORDER, {"more": {"timeout_seconds": 0.2}}),
    ("with a body, and an answer in pieces", sends(PLAIN[:-5], PLAIN[-5:]), ORDER, {}),
    (
        "with a body, an error, and another try",
        sends(ok(b"no", DATE, status="503 Service Unavailable")),
        ORDER,
        {"more": {"retries": {"attempts": 2, "on": ["5xx"]}}},
    ),
    ("a path of another spelling", sends(PLAIN), request("GET", "/a/../pets%41"), {}),
    (
        "a query that is none",
        sends(PLAIN),
        b"GET /pets?\x80 HTTP/1.1\r\nHost: gateway.test\r\nX-Colour: red\r\n\r\n",
        {},
    ),
    ("a fragment", sends(PLAIN), request("GET", "/pets#a", "X-Colour: red"), {}),
    ("an older version", sends(PLAIN), ASK.replace(b"HTTP/1.1", b"HTTP/1.0"), {}),
    ("an empty query", sends(PLAIN), request("GET", "/pets?", "X-Colour: red"), {}),
    ("the client's own id", sends(PLAIN), request("GET", "/pets", "X-Request-Id: abc"), {}),
    ("the answer's fields are edited", sends(PLAIN), ASK, {"more": {"response_headers": {"set": {"X-Set": "1"}}}}),
    ("the request's fields are edited", sends(PLAIN), ASK, {"more": {"request_headers": {"set": {"X-Set": "1"}}}}),
    ("with CORS", sends(PLAIN), ASK + b"", {"more": {"cors": {"allow_origins": ["*"]}}}),
    ("the host is the upstream's", sends(PLAIN), ASK, {"more": {"host": "upstream"}}),
]


@pytest.mark.parametrize(("script", "asked", "more"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_a_client_and_an_upstream_see_the_same_as_the_long_way(script: Script, asked: bytes, more: Any) -> None:
    settings = more.get("more", {})
    quick, slow = (try_out(script, asked, fast=fast, **settings) for fast in (True, False))
    by_port = [[head.split(b"\r\n") for head in heads] for heads in (quick[2], slow[2])]
    for heads in by_port:
        for head in heads:
            head[:] = [line for line in head if not line.startswith((b"Host: 127.", b"X-Forwarded-For", b"Forwarded"))]
    assert (*quick[:2], *quick[3:]) == (*slow[:2], *slow[3:])
    assert by_port[0] == by_port[1]


def test_an_ordinary_request_makes_no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Counted(Exchange):
        __slots__ = ()

        def __init__(self, *what: Any) -> None:
            made.append(what)
            super().__init__(*what)

    with serve() as served:
        warm(served)
        monkeypatch.setattr("proxy.embedded.fast.Exchange", Counted)
        monkeypatch.setattr(client_module, "Exchange", Counted)
        assert served.client.ask(ASK).body == b"hello"
        assert served.client.ask(ORDER).body == b"hello"
        assert served.client.ask(LAST_ORDER.replace(b"close", b"keep-alive")).body == b"hello"
        assert made == []
        assert served.client.ask(CHUNKS).body == b"hello"
        assert len(made) == 1


@pytest.mark.parametrize("option", [{"access_log": "-"}, {"traces": True}])
def test_who_wants_to_know_more_than_counts_gets_the_long_way(option: dict[str, Any]) -> None:
    with serve(options=option) as served:
        assert served.gateway.engine.fast is False


@pytest.mark.parametrize("asked", [ASK, ORDER], ids=["without a body", "with a body"])
def test_a_stale_connection_is_replaced_by_a_fresh_one(asked: bytes) -> None:
    with serve() as served:
        warm(served)
        served.upstream.scripts = [reset]
        served.upstream.script = sends(PLAIN)
        assert served.client.ask(asked).status == 200
        stats = served.gateway.stats()
        assert (stats["counters"]["stale_connections"], served.upstream.opened) == (1, 2)
        assert [one.body for one in served.upstream.seen] == [asked.partition(b"\r\n\r\n")[2]] * 2


def test_a_body_waits_for_a_connection_with_its_head() -> None:
    with serve(sends(PLAIN)) as served:
        assert served.client.ask(ORDER).status == 200
        (seen,) = served.upstream.seen
        assert (seen.target, seen.body) == ("/orders?dry", b"abc" * 5_000)


def test_a_client_that_leaves_takes_its_request_with_it() -> None:
    ended = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        try:
            peer.receive()
        except Closed:
            ended.set()
            raise

    with serve() as served:
        warm(served)
        served.upstream.script = wait
        served.client.send(ASK)
        served.upstream.wait(1)
        served.client.reset()
        assert ended.wait(5)
        assert eventually(lambda: served.gateway.engine.places.taken == 0)
        assert {one["code"]: one["count"] for one in served.gateway.stats()["requests"]} == {200: 1, 499: 1}


def test_an_engine_that_stops_says_so_in_the_answer() -> None:
    held = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        held.wait(5)
        peer.send(PLAIN)

    with serve() as served:
        warm(served)
        served.upstream.script = wait
        served.client.send(ASK)
        served.upstream.wait(1)
        drained = threading.Thread(target=served.gateway.drain, args=(5,))
        drained.start()
        assert eventually(lambda: served.gateway.engine.draining)
        held.set()
        answered = served.client.read()
        assert (answered.body, answered.value("connection")) == (b"hello", "close")
        assert served.client.at_end()
        drained.join(5)


def test_a_request_in_flight_keeps_its_route_when_another_snapshot_is_applied() -> None:
    held = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        held.wait(5)
        peer.send(PLAIN)

    with (
        RawUpstream(sends(PLAIN)) as upstream,
        RawUpstream(sends(ok(b"new", DATE))) as other,
        Gateway(define(route("old"), up=upstream.origin)) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(ASK).status == 200
        upstream.script = wait
        client.send(ASK)
        upstream.wait(2)
        gateway.apply(define(route("new", upstream="other"), other=other.origin))
        held.set()
        assert client.read().body == b"hello"
        assert client.ask(ASK).body == b"new"
        assert {one["route"]: one["count"] for one in gateway.stats()["requests"]} == {"old": 2, "new": 1}


def test_beyond_the_requests_in_flight_there_is_no_place_there_either() -> None:
    held = threading.Event()

    def wait(peer: Peer, seen: Seen) -> None:
        held.wait(5)
        peer.send(PLAIN)

    with serve(options={"max_requests": 2}) as served, served.gateway.client() as second:
        warm(served)
        served.upstream.script = wait
        served.client.send(ASK)
        served.upstream.wait(1)
        with served.gateway.client() as third:
            assert second.ask(ASK).status == 503, "one upstream gets at most four fifths of two, which is one"
            assert third.ask(ASK).status == 503
        held.set()
        assert served.client.read().status == 200
        assert second.ask(ASK).status == 200
        assert served.gateway.engine.places.taken == 0


def test_several_requests_that_come_at_once_are_answered_in_order() -> None:
    with serve(lambda peer, seen: peer.send(ok(seen.target.encode(), DATE))) as served:
        targets = [f"/pets/{number}" for number in range(50)]
        served.client.send(b"".join(request("GET", target) for target in targets))
        assert [served.client.read().body.decode() for _ in targets] == targets


def test_shares_are_those_of_the_weights() -> None:
    halves = [{"upstream": "up", "weight": 1}, {"upstream": "other", "weight": 3}]
    with RawUpstream(sends(PLAIN)) as upstream, RawUpstream(sends(ok(b"new", DATE))) as other:
        draws = iter([number / 40 for number in range(40)] * 2)
        definitions = define(route(destinations=halves), up=upstream.origin, other=other.origin)
        with Gateway(definitions, draw=draws.__next__) as gateway, gateway.client() as client:
            bodies = [client.ask(ASK).body for _ in range(40)]
            assert (bodies.count(b"hello"), bodies.count(b"new")) == (10, 30)
