"""What goes to the upstream, and what comes back: byte by byte."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.proxy.support.client import RawClient, request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream, answer, answer_and_close, ok

BINARY = bytes(range(256)) * 3
COMPRESSED = gzip.compress(b"x" * 99)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_get_arrives_as_it_was_sent_with_the_forwarding_fields_added(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        answered = client.ask(request("GET", "/a?x=1&y=two", "Accept: */*", "X-Two: 1", "X-Two: 2"))
    (seen,) = upstream.seen
    assert (answered.status, answered.body) == (200, b"ok")
    assert re.fullmatch(
        rb"GET /a\?x=1&y=two HTTP/1\.1\r\nHost: gateway\.test\r\nAccept: \*/\*\r\nX-Two: 1\r\nX-Two: 2\r\n"
        rb"X-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gateway\.test\r\n"
        rb'Forwarded: for=127\.0\.0\.1;host="gateway\.test";proto=http\r\n'
        rb"Via: 1\.1 coalmine\r\nX-Request-Id: [0-9a-f]{28}\r\n\r\n",
        seen.head,
    )


HEADERS = [
    ("fields that Connection lists end here", ["Connection: keep-alive, X-Hop", "X-Hop: s"], "x-hop", []),
    ("all Connection lines count", ["Connection: keep-alive", "connection: x-HOP", "X-Hop: s"], "x-hop", []),
    ("the client's Connection is its own affair", ["Connection: close, x"], "connection", []),
    ("Keep-Alive is not passed on", ["Keep-Alive: timeout=9"], "keep-alive", []),
    ("Proxy-Connection is not passed on", ["Proxy-Connection: keep-alive"], "proxy-connection", []),
    ("Proxy-Authorization is not passed on", ["Proxy-Authorization: Basic eDp5"], "proxy-authorization", []),
    ("TE is not passed on", ["TE: gzip;q=0.5"], "te", []),
    ("that trailers are welcome is passed on", ["TE: gzip;q=0.5, trailers"], "te", ["trailers"]),
    ("our TE is listed in our Connection", ["TE: trailers", "Connection: TE"], "connection", ["TE"]),
    ("an upgrade to what is not tunnelled is not passed on", ["Upgrade: h2c", "Connection: Upgrade"], "upgrade", []),
    ("an Upgrade that Connection does not list is not passed on", ["Upgrade: websocket"], "upgrade", []),
    ("a client's X-Forwarded-For is appended to", ["X-Forwarded-For: 6.6.6.6"],
     "x-forwarded-for", ["6.6.6.6, 127.0.0.1"]),
    ("lines of X-Forwarded-For are one list", ["X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 2.2.2.2"],
     "x-forwarded-for", ["1.1.1.1, 2.2.2.2, 127.0.0.1"]),
    ("a client's X-Forwarded-Proto is replaced", ["X-Forwarded-Proto: https"], "x-forwarded-proto", ["http"]),
    ("a client's X-Forwarded-Host is replaced", ["X-Forwarded-Host: evil"], "x-forwarded-host", ["gateway.test"]),
    ("other X-Forwarded fields of a client go nowhere", ["X-Forwarded-Port: 1"], "x-forwarded-port", []),
    ("a client's X-Real-IP goes nowhere", ["X-Real-IP: 6.6.6.6"], "x-real-ip", []),
    ("an underscore is no way to claim an address", ["X_Forwarded_For: 6.6.6.6"], "x_forwarded_for", []),
    ("an underscore is no way to frame", ["Content_Length: 5"], "content_length", []),
    ("other names with underscores pass", ["X_Own: 1"], "x_own", ["1"]),
    ("a client's Forwarded is appended to", ["Forwarded: for=6.6.6.6"], "forwarded",
     ['for=6.6.6.6, for=127.0.0.1;host="gateway.test";proto=http']),
    ("lines of Forwarded are one list", ["Forwarded: for=1.1.1.1", 'forwarded: for="[::2]:80";by=_x'], "forwarded",
     ['for=1.1.1.1, for="[::2]:80";by=_x, for=127.0.0.1;host="gateway.test";proto=http']),
    ("a Forwarded that would swallow what follows is dropped", ['Forwarded: for="6.6.6.6'], "forwarded",
     ['for=127.0.0.1;host="gateway.test";proto=http']),
    ("a Via is appended to", ["Via: 1.0 first"], "via", ["1.0 first, 1.1 coalmine"]),
    ("a request id is kept", ["X-Request-Id: abc-1"], "x-request-id", ["abc-1"]),
    ("two Cookie lines stay two", ["Cookie: a=1", "Cookie: b=2"], "cookie", ["a=1", "b=2"]),
    ("an empty value stays", ["X-Empty:"], "x-empty", [""]),
    ("white space around a value is not part of it", ["X-W: \t  v  \t "], "x-w", ["v"]),
    ("bytes beyond ASCII stay", ["X-L: caf\xe9"], "x-l", ["caf\xe9"]),
    ("a malformed traceparent ends here", ["traceparent: 00-1-2-01"], "traceparent", []),
    ("Max-Forwards of a GET is not counted", ["Max-Forwards: 7"], "max-forwards", ["7"]),
    ("a value of seven kilobytes passes", ["X-Long: " + "a" * 7000], "x-long", ["a" * 7000]),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "name", "expected"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_request_headers(
    gateway: Gateway, upstream: RawUpstream, headers: list[str], name: str, expected: list[str]
) -> None:
    with gateway.client() as client:
        assert client.ask(request("GET", "/", *headers)).status == 200
    assert upstream.seen[0].values(name) == expected


def test_fields_repeated_on_one_connection_are_not_mixed_up(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        client.ask(request("GET", "/1", "X-A: 1"))
        client.ask(request("GET", "/2", "X-A: 1"))
        client.ask(request("GET", "http://other.test/3", "X-A: 1"))
        client.ask(request("GET", "/4", "X-A: 1"))
        client.ask(request("GET", "/5", "X-A: 2"))
    assert [(s.target, *s.values("host"), *s.values("x-forwarded-host"), *s.values("x-a")) for s in upstream.seen] == [
        ("/1", "gateway.test", "gateway.test", "1"),
        ("/2", "gateway.test", "gateway.test", "1"),
        ("/3", "other.test", "other.test", "1"),
        ("/4", "gateway.test", "gateway.test", "1"),
        ("/5", "gateway.test", "gateway.test", "2"),
    ]
    assert len({*map(str, (s.values("x-request-id") for s in upstream.seen))}) == 5


BODIES = [
    ("a body with a length keeps it", ["Content-Length: 5"], b"hello", b"hello", ("content-length", "5")),
    ("an empty body keeps its length", ["Content-Length: 0"], b"", b"", ("content-length", "0")),
    ("a chunked body stays chunked", ["Transfer-Encoding: chunked"],
     b"5\r\nhello\r\n300\r\n" + BINARY + b"\r\n0\r\n\r\n", b"hello" + BINARY, ("transfer-encoding", "chunked")),
    ("chunk extensions are dropped", ["Transfer-Encoding: CHUNKED"], b'5;a="b"\r\nhello\r\n0;x\r\n\r\n', b"hello",
     ("transfer-encoding", "chunked")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "wire", "body", "framing"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_request_bodies(
    gateway: Gateway, upstream: RawUpstream, headers: list[str], wire: bytes, body: bytes, framing: tuple[str, str]
) -> None:
    with gateway.client() as client:
        assert client.ask(request("POST", "/", *headers) + wire).status == 200
    (seen,) = upstream.wait()
    assert seen.body == body
    assert seen.values(framing[0]) == [framing[1]]
    assert b";" not in seen.raw_body


def test_trailers_stay_trailers_and_cannot_become_headers(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer(CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n")
    with gateway.client() as client:
        wire = b"5\r\nhello\r\n0\r\nX-T: v\r\nAuthorization: evil\r\nContent-Length: 3\r\n\r\n"
        answered = client.ask(request("POST", "/", "Transfer-Encoding: chunked") + wire)
    (seen,) = upstream.wait()
    assert seen.raw_body.endswith(b"0\r\nX-T: v\r\n")
    assert answered.trailers == b"X-Sum: 1\r\n"


ANSWERS = [
    ("a length stays", ok(b"hello"), b"hello", "content-length"),
    ("an empty body stays", ok(b""), b"", "content-length"),
    ("chunks stay chunks", CHUNKED + b"3\r\nabc\r\n300\r\n" + BINARY + b"\r\n0\r\n\r\n",
     b"abc" + BINARY, "transfer-encoding"),
    ("a status line needs no reason", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", "content-length"),
    ("compressed bytes are not touched", ok(COMPRESSED, "Content-Encoding: gzip"), COMPRESSED, "content-encoding"),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "body", "header"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_answers(gateway: Gateway, upstream: RawUpstream, wire: bytes, body: bytes, header: str) -> None:
    upstream.script = answer(wire)
    with gateway.client() as client:
        first, second = client.ask(request()), client.ask(request())
    for answered in (first, second):
        assert (answered.status, answered.body, answered.complete) == (200, body, True)
        assert answered.value(header) is not None


def test_an_answer_that_ends_with_its_connection_becomes_chunked(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer_and_close(b"HTTP/1.0 200 OK\r\n\r\nold")
    with gateway.client() as client:
        answered = client.ask(request())
        assert (answered.body, answered.value("transfer-encoding"), answered.complete) == (b"old", "chunked", True)
        upstream.script = answer(ok())
        assert client.ask(request()).status == 200


@pytest.mark.parametrize("status", [201, 207, 299, 301, 404, 418, 500, 503, 599])
def test_statuses_pass_unchanged(gateway: Gateway, upstream: RawUpstream, status: int) -> None:
    upstream.script = answer(ok(b"body", "Location: /else", status=f"{status} Odd Reason"))
    with gateway.client() as client:
        answered = client.ask(request())
    assert (answered.status, answered.body, answered.value("location")) == (status, b"body", "/else")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_have_none(gateway: Gateway, upstream: RawUpstream, status: int) -> None:
    upstream.script = answer(f"HTTP/1.1 {status} X\r\nContent-Length: 50\r\nETag: x\r\n\r\n".encode())
    with gateway.client() as client:
        assert client.ask(request()).status == status
        upstream.script = answer(ok(b"next"))
        assert client.ask(request()).body == b"next"


def test_head_goes_on_as_head_and_keeps_the_length(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    with gateway.client() as client:
        answered = client.ask(request("HEAD"), head=True)
        assert (answered.status, answered.value("content-length")) == (200, "1234")
        upstream.script = answer(ok(b"next"))
        assert client.ask(request()).body == b"next"
    assert upstream.seen[0].method == "HEAD"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "PROPFIND", "BREW-IT"])
def test_methods_pass_unchanged(gateway: Gateway, upstream: RawUpstream, method: str) -> None:
    with gateway.client() as client:
        assert client.ask(request(method, "/", body=b"x")).status == 200
    assert upstream.seen[0].method == method


def test_interim_answers_pass_but_not_to_http_1_0(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer(
        b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok(b"fin")
    )
    with gateway.client() as client:
        client.send(request())
        assert [client.read(interim=True).status for _ in range(2)] == [103, 200]
    with gateway.client() as client:
        client.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.read(interim=True).status == 200


def test_response_fields_that_connection_lists_end_here(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer_and_close(ok(b"", "Connection: close, Foo", "Foo: 1", "Keep-Alive: timeout=5", "Bar: 2"))
    with gateway.client() as client:
        answered = client.ask(request())
        names = {name for name, _ in answered.headers}
        assert names == {"bar", "content-length", "date"}
        upstream.script = answer(ok())
        assert client.ask(request()).status == 200  # the client's connection goes on


def test_an_upstream_that_repeats_its_head_is_still_read_anew(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.scripts = [answer(ok(b"one")), answer(ok(b"two")), answer(ok(b"three"))]
    with gateway.client() as client:
        assert [client.ask(request()).body for _ in range(3)] == [b"one", b"two", b"three"]


HOSTS = [
    ("preserve", "gateway.test:81", "gateway.test:81"),
    ("upstream", "gateway.test", "{authority}"),
    ("pets.internal", "gateway.test", "pets.internal"),
]


@pytest.mark.parametrize(("host", "sent", "expected"), HOSTS, ids=[row[0] for row in HOSTS])
def test_the_route_chooses_the_host(host: str, sent: str, expected: str) -> None:
    with RawUpstream() as upstream, Gateway(define(route(host=host), up=upstream.origin)) as gateway:
        with gateway.client() as client:
            client.ask(request("GET", "/", host=sent))
        authority = upstream.origin.removeprefix("http://")
        assert upstream.seen[0].values("host") == [expected.format(authority=authority)]


def test_the_route_edits_headers_both_ways_but_never_the_framing() -> None:
    edits = {
        "remove": ["X-Secret", "Content-Length"],
        "set": {"X-Set": "new", "Connection": "close", "Transfer-Encoding": "chunked", "x-forwarded-proto": "https"},
        "add": {"X-Add": "2"},
    }
    definitions = define(route(request_headers=edits, response_headers=edits), up="http://127.0.0.1:1")
    sent = ["X-Secret: s", "X-Set: old", "x-set: older", "X-Add: 1"]
    with RawUpstream(answer(ok(b"ok", *sent))) as upstream:
        definitions = define(*definitions.routes, up=upstream.origin)
        with Gateway(definitions) as gateway, gateway.client() as client:
            answered = client.ask(request("POST", "/", *sent, body=b"abc"))
        (seen,) = upstream.wait()
    for headers in (seen.headers, answered.headers):
        assert [value for name, value in headers if name in ("x-secret", "connection", "transfer-encoding")] == []
        assert [value for name, value in headers if name == "x-set"] == ["new"]
        assert [value for name, value in headers if name == "x-add"] == ["1", "2"]
    assert (seen.body, seen.values("x-forwarded-proto")) == (b"abc", ["https"])
    assert answered.body == b"ok"


def test_the_gateway_answers_max_forwards_0_itself(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        assert client.ask(request("OPTIONS", "/", "Max-Forwards: 0")).status == 200
        assert client.ask(request("TRACE", "/", "Max-Forwards: 0")).status == 501
        assert client.ask(request("OPTIONS", "/", "Max-Forwards: 3")).status == 200
    assert [seen.values("max-forwards") for seen in upstream.seen] == [["2"]]


def test_http_1_0_clients_are_closed_unless_they_ask_not_to_be(gateway: Gateway) -> None:
    with gateway.client() as client:
        answered = client.ask(b"GET / HTTP/1.0\r\nHost: gateway.test\r\nConnection: keep-alive\r\n\r\n")
        assert (answered.body, answered.value("connection")) == (b"ok", "keep-alive")
        assert client.ask(b"GET / HTTP/1.0\r\n\r\n").value("connection") == "close"
        assert client.at_end()


def test_what_has_come_twice_through_is_a_loop(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        assert client.ask(request("GET", "/", "Via: 1.1 coalmine")).status == 200
        assert client.ask(request("GET", "/", "Via: 1.1 coalmine, 1.1 other", "Via: 1.1 coalmine")).status == 508
    assert len(upstream.seen) == 1


def test_a_gateway_in_front_of_itself_breaks_the_loop() -> None:
    with Gateway(define(route(), up="http://127.0.0.1:1")) as gateway:
        gateway.apply(define(route(), up="http://{}:{}".format(*gateway.address)))
        with RawClient(gateway.address) as client:
            assert client.ask(request()).status == 508


def test_an_answer_that_is_repeated_says_close_to_whom_it_closes_and_to_nobody_else(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    upstream.script = answer(ok(b"ok", "Date: Sat, 28 Nov 2026 12:00:00 GMT"))
    for last in (False, True, True, False, True):
        with gateway.client() as client:
            answered = client.ask(request("GET", "/", *["Connection: close"][: int(last)]))
            assert (answered.status, answered.value("connection")) == (200, "close" if last else None)
            assert client.at_end(0.05 if not last else 5.0) is last
