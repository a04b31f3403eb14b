"""What is ambiguous is refused, never repaired and never forwarded: requests with 4xx, answers with 502."""

from __future__ import annotations

import time

import pytest

from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway
from tests.proxy.support.upstream import RawUpstream, answer, answer_and_close, ok, sane

GHOST = b"GET /ghost HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
HOST = "Host: gateway.test\r\n"


def raw(text: str | bytes, body: bytes = b"") -> bytes:
    """Exactly ``text``, then ``body``."""
    return (text.encode("latin-1") if isinstance(text, str) else text) + body


def post(*headers: str, body: bytes = b"hello" + GHOST) -> bytes:
    return request("POST", "/", *headers, "X-End: 1") + body


def chunks(data: bytes) -> bytes:
    return request("POST", "/", "Transfer-Encoding: chunked") + data


REFUSED: list[tuple[str, bytes, int]] = [
    # RFC 9112 section 6.3: Content-Length
    ("two different lengths", post("Content-Length: 0", "Content-Length: 5"), 400),
    ("two equal lengths", post("Content-Length: 5", "Content-Length: 5"), 400),
    ("a list of lengths", post("Content-Length: 5, 5"), 400),
    ("a length with a plus", post("Content-Length: +5"), 400),
    ("a length with a minus", post("Content-Length: -5"), 400),
    ("a length with an underscore", post("Content-Length: 0_5"), 400),
    ("a hexadecimal length", post("Content-Length: 0x5"), 400),
    ("a fraction as a length", post("Content-Length: 5.0"), 400),
    ("an empty length", post("Content-Length:"), 400),
    ("a length beyond 64 bits", post("Content-Length: 18446744073709551621"), 400),
    ("a length with a no-break space", post("Content-Length: \xa05"), 400),
    ("a length in other digits", request("POST")[:-2] + "Content-Length: \u0665\r\n\r\n".encode() + b"hello", 400),
    ("a length with a vertical tab", post("Content-Length: \x0b5"), 400),
    ("a space before the colon", post("Content-Length : 5"), 400),
    ("a tab before the colon", post("Content-Length\t: 5"), 400),
    # RFC 9112 section 6.1: Transfer-Encoding
    ("length and chunks together", post("Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    ("chunks and length together", post("Transfer-Encoding: chunked", "Content-Length: 5"), 400),
    ("an unknown coding", post("Transfer-Encoding: blegh"), 400),
    ("chunked that is not last", post("Transfer-Encoding: chunked, gzip"), 400),
    ("chunked with something before", post("Transfer-Encoding: gzip, chunked"), 400),
    ("chunked twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    ("chunked with a parameter", post("Transfer-Encoding: chunked;a=b"), 400),
    ("chunked in quotes", post('Transfer-Encoding: "chunked"'), 400),
    ("chunked with a vertical tab", post("Transfer-Encoding: \x0bchunked"), 400),
    ("chunked with a NUL", post("Transfer-Encoding: chunked\0"), 400),
    ("chunked folded", post("Transfer-Encoding:\r\n chunked"), 400),
    ("identity", post("Transfer-Encoding: identity", "Content-Length: 5"), 400),
    ("chunks in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # RFC 9112 section 7.1: chunks
    ("a chunk size with 0x", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    ("a negative chunk size", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    ("an empty chunk size", chunks(b"\r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk size with junk", chunks(b"5zz\r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk size with an underscore", chunks(b"0_5\r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk size beyond 64 bits", chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk size of seventeen digits", chunks(b"00000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk of a petabyte", chunks(b"4000000000000\r\nhello\r\n0\r\n\r\n"), 400),
    ("a space after the chunk size", chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk that is longer than its size", chunks(b"5\r\nhelloXX\r\n0\r\n\r\n"), 400),
    ("a chunk size line that ends with LF", chunks(b"5\nhello\r\n0\r\n\r\n"), 400),
    ("a chunk that ends with LF", chunks(b"5\r\nhello\n0\r\n\r\n"), 400),
    ("an extension with a bare CR", chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400),
    ("an extension with a bare LF", chunks(b"2;\nxx\r\n4c\r\n0\r\n\r\n" + GHOST), 400),
    ("a trailer that is no field", chunks(b"0\r\nno colon\r\n\r\n"), 400),
    ("a last chunk that does not end", chunks(b"0\r\nXX" + GHOST), 400),
    # RFC 9112 sections 2.2 and 5
    ("lines that end with LF", raw(f"GET / HTTP/1.1\n{HOST}\n"), 400),
    ("a value with a bare LF", request("GET", "/", "X-B: a\nX-Inj: b"), 400),
    ("a value with a bare CR", request("GET", "/", "X-B: a\rX-Inj: b"), 400),
    ("a value with a NUL", request("GET", "/", "X-B: a\0b"), 400),
    ("a folded value", request("GET", "/", "X-B: a\r\n  b"), 400),
    ("white space before the first field", raw(f"GET / HTTP/1.1\r\n X: b\r\n{HOST}\r\n"), 400),
    ("a name with a space", request("GET", "/", "X Foo: a"), 400),
    ("a field without a name", request("GET", "/", ": a"), 400),
    ("a line without a colon", request("GET", "/", "nothing"), 400),
    ("more empty lines first than anybody sends", b"\r\n" * 9 + request(), 400),
    ("half an empty line first", b"\r" + request(), 400),
    ("a line first that ends with LF", b"\n" + request(), 400),
    # RFC 9112 section 3.2: Host
    ("no Host", request(host=None), 400),
    ("an empty Host", request(host=""), 400),
    ("two Hosts", request("GET", "/", HOST.strip()), 400),
    ("a Host with a space", request(host="a b"), 400),
    ("a Host with a slash", request(host="a/b"), 400),
    ("a Host with a user", request(host="u@a"), 400),
    ("a list of Hosts", request(host="a, b"), 400),
    ("a Host with a backslash", request(host="a\\b"), 400),
    ("a Host with angle brackets", request(host="<a>"), 400),
    ("a Host with a port that is none", request(host="a:99999"), 400),
    ("a Host in brackets that is no address", request(host="[:::::]"), 400),
    ("a Host with half an address", request(host="[::1"), 400),
    ("a folded Host", raw("GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"), 400),
    # RFC 9112 section 3: the request line
    ("a target without a slash", request("GET", "x"), 400),
    ("a target with a space", request("GET", "/a b"), 400),
    ("a target with another version", request("GET", "/ HTTP/1.1/x"), 400),
    ("a target with a NUL", request("GET", "/a\0b"), 400),
    ("a target with a control character", request("GET", "/a\x01b"), 400),
    ("a target with a bare CR", request("GET", "/a\rb"), 400),
    ("a target with raw bytes", request("GET", "/caf\xe9"), 400),
    ("a target with a fragment", request("GET", "/a#b"), 400),
    ("an asterisk for GET", request("GET", "*"), 400),
    ("another scheme", request("GET", "ftp://gateway.test/"), 400),
    ("an absolute target without a host", request("GET", "http:///x"), 400),
    ("an absolute target with a user", request("GET", "http://u@gateway.test/"), 400),
    ("CONNECT", request("CONNECT", "gateway.test:443"), 501),
    ("CONNECT with a path", request("CONNECT", "/x"), 501),
    ("an https target on a plain connection", request("GET", "https://gateway.test/"), 400),
    ("content in a TRACE", request("TRACE", "/", body=b"x"), 400),
    ("a method of a hundred letters", request("A" * 100), 400),
    ("an expectation that nobody knows", request("POST", "/", "Expect: 200-ok", body=b"x"), 417),
    ("an obscured 100-continue", request("POST", "/", "Expect: y 100-continue", body=b"x"), 417),
    ("two expectations", request("POST", "/", "Expect: 100-continue", "Expect: fast", body=b"x"), 417),
    ("a long chunk extension in one piece", chunks(b"5;" + b"a" * 5_000 + b"\r\nhello\r\n0\r\n\r\n"), 400),
    ("a method that is no token", request("G()T"), 400),
    ("no method", request(""), 400),
    ("a broken percent-encoding", request("GET", "/%zz"), 400),
    ("an encoded NUL", request("GET", "/a%00b"), 400),
    ("a path above the root", request("GET", "/../x"), 400),
    ("an encoded way above the root", request("GET", "/%2e%2e/x"), 400),
    ("HTTP/0.9", b"GET /x\r\n\r\n", 400),
    ("HTTP/2.0", request().replace(b"HTTP/1.1", b"HTTP/2.0"), 505),
    ("a version with two digits", request().replace(b"HTTP/1.1", b"HTTP/1.11"), 400),
    ("a version in lower case", request().replace(b"HTTP/1.1", b"http/1.1"), 400),
    ("a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    # Limits
    ("a target of 20 kB", request("GET", "/" + "a" * 20_000), 414),
    ("a target of 100 kB", request("GET", "/" + "a" * 100_000), 414),
    ("a header section of 100 kB", request("GET", "/", "X: " + "a" * 100_000), 431),
    ("a thousand fields", request("GET", "/", *(f"X-{n}: a" for n in range(1_000))), 431),
    ("a number of forwards that is none", request("GET", "/", "Max-Forwards: x"), 400),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(gateway: Gateway, upstream: RawUpstream, data: bytes, status: int) -> None:
    with gateway.client() as client:
        answered = client.ask(data)
        assert answered.status == status, answered
        assert answered.value("content-type") == "application/problem+json"
        assert answered.value("connection") == "close"
        assert client.at_end()
    assert upstream.wait(1, seconds=0.01) == []


NORMALISED = [
    ("an absolute target counts, not Host", request("GET", "http://abs.test/x?y", host="other"), "/x?y", "abs.test"),
    ("an absolute target without a path", request("GET", "http://abs.test"), "/", "abs.test"),
    ("an absolute target with only a query", request("GET", "http://abs.test?a"), "/?a", "abs.test"),
    ("an extension that stays below the limit", request("POST", "/", "Transfer-Encoding: chunked")
     + b"2;" + b"a" * 4_000 + b"\r\nhi\r\n0\r\n\r\n", "/", "gateway.test"),
    ("a chunk size with zeros before it", request("POST", "/", "Transfer-Encoding: chunked")
     + b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "/", "gateway.test"),
    ("an empty line before the request", b"\r\n" + request(), "/", "gateway.test"),
    ("a higher minor version", request().replace(b"HTTP/1.1", b"HTTP/1.2"), "/", "gateway.test"),
    ("dot segments", request("GET", "/a/./b/../c"), "/a/c", "gateway.test"),
    ("a name that only looks like framing", request("GET", "/", "Transfer_Encoding: chunked"), "/", "gateway.test"),
    ("a second question mark", request("GET", "/?a=?b"), "/?a=?b", "gateway.test"),
    ("a lone question mark", request("GET", "/?"), "/?", "gateway.test"),
    ("two slashes", request("GET", "//a//b"), "//a//b", "gateway.test"),
    ("an address as Host", request(host="[::1]:8080"), "/", "[::1]:8080"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "target", "host"), [row[1:] for row in NORMALISED], ids=[row[0] for row in NORMALISED]
)
def test_forwarded_in_one_spelling(
    gateway: Gateway, upstream: RawUpstream, data: bytes, target: str, host: str
) -> None:
    with gateway.client() as client:
        assert client.ask(data).status == 200
    (seen,) = upstream.seen
    assert (seen.target, seen.values("host")) == (target, [host])
    assert sane(seen.head)


DATE = b"Date: Sat, 28 Nov 2026 12:00:00 GMT\r\n"
BAD_ANSWERS = [
    ("a length that is none", b"HTTP/1.1 200 OK\r\nContent-Length: 5a\r\n\r\nhello"),
    ("a length beyond 64 bits", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhello"),
    ("length and chunks", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("an unknown coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx"),
    ("a bad first chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("a status that is none", b"HTTP/1.1 abc OK\r\n\r\n"),
    ("a status of two digits", b"HTTP/1.1 99 OK\r\n\r\n"),
    ("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("a line without a colon", b"HTTP/1.1 200 OK\r\nBroken\r\nContent-Length: 2\r\n\r\nok"),
    ("a NUL", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"),
    ("a space before the colon", b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok"),
    ("a folded line", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
    ("a bare CR", b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 2\r\n\r\nok"),
    ("lines that end with LF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    ("a head without end", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000),
    ("a switch nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    ("a head without end, in one piece", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    ("a head that ends with LF and nothing behind it", b"HTTP/1.1 204 No Content\r\n\n"),
    ("interim responses without end", b"HTTP/1.1 102 \r\n\r\n" * 5_000 + ok()),
    ("an interim response with content", b"HTTP/1.1 103 \r\nContent-Length: 2\r\n\r\nok" + ok()),
    ("one and nothing behind it", b"HTTP/1.1 100 OK\r\n" + DATE + b"Content-Length: 3\r\n\r\nabc"),
    ("nothing", b""),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-"),
]


@pytest.mark.parametrize("data", [row[1] for row in BAD_ANSWERS], ids=[row[0] for row in BAD_ANSWERS])
def test_bad_answers_become_502(gateway: Gateway, upstream: RawUpstream, data: bytes) -> None:
    upstream.script = answer_and_close(data)
    with gateway.client() as client:
        answered = client.ask(request("POST", "/", body=b"x"))
        assert (answered.status, answered.complete) == (502, True)
        assert b'"code":"upstream_' in answered.body.replace(b" ", b"")
        upstream.script = answer_and_close(ok(b"fine"))
        assert client.ask(request()).body == b"fine"  # the client's connection is not to blame


def test_a_204_that_speaks_of_content_ends_its_connection_before_the_content_comes(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    upstream.script = answer(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n")
    with gateway.client() as client:
        assert [client.ask(request()).status for _ in range(3)] == [204] * 3
    assert len({seen.connection for seen in upstream.seen}) == 3


@pytest.mark.parametrize(
    ("pieces", "statuses"),
    [
        pytest.param([b"\r\n", request()], [200], id="an empty line in a read of its own"),
        pytest.param([b"\r", b"\n" + request()], [200], id="half an empty line"),
        pytest.param([b"\r\n", b"\r\n", request()], [200], id="two empty lines, one by one"),
        pytest.param([request(), b"\r\n", request()], [200, 200], id="an empty line between two requests"),
    ],
)
def test_empty_lines_mean_the_same_however_they_arrive(
    gateway: Gateway, pieces: list[bytes], statuses: list[int]
) -> None:
    with gateway.client() as client:
        for piece in pieces:
            client.send(piece)
            time.sleep(0.02)
        assert [client.read().status for _ in statuses] == statuses


def test_options_for_the_gateway_itself_is_answered_in_both_forms(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        for target in ("*", "http://gateway.test", "*"):
            assert client.ask(request("OPTIONS", target)).status == 200
    assert upstream.seen == []


def test_bytes_behind_an_answer_never_reach_anybody(gateway: Gateway, upstream: RawUpstream) -> None:
    evil = ok(b"EV")
    upstream.scripts = [
        lambda peer, seen: peer.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n" + evil),
        lambda peer, seen: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + evil),
        lambda peer, seen: peer.send(ok(b"good") + evil),
    ]
    with gateway.client() as client:
        assert client.ask(request()).status == 204
        assert client.ask(request("HEAD"), head=True).status == 200
        assert client.ask(request()).body == b"good"
        assert [client.ask(request()).body for _ in range(3)] == [b"ok"] * 3
    assert len({seen.connection for seen in upstream.seen}) == 4
