"""Request heads: what is accepted is what a second parser sees, too."""

from __future__ import annotations

from dataclasses import replace

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.decision import Reply
from proxy.embedded.fields import LONGEST_FIRST, MAX_FIRST, FirstFields, RequestFields
from proxy.embedded.grammar import list_pairs, parse_authority
from proxy.embedded.request import Request, parse_request, refuse_early, refuse_large

PIECES = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b" ", b"\t", b":", b"Host: a", b"Host:b", b"X: y", b"Content-Length: 5",
     b"Content-Length: 0", b"Transfer-Encoding: chunked",
     b"Connection: close", b"Connection: X", b"\0", b"\xff", b"A", b"=", b"(", b"\x0b",
     b",", b"Expect: 100-continue"]
)  # fmt: skip
HEADS = st.lists(PIECES, max_size=9).map(lambda parts: b"GET /a HTTP/1.1\r\nHost: h" + b"".join(parts) + b"\r\n\r\n")


@given(HEADS)
def test_a_head_that_is_accepted_is_the_same_to_h11(raw: bytes) -> None:
    if raw.find(b"\r\n\r\n") != len(raw) - 4:
        return
    request = parse_request(raw, "127.0.0.1")
    if isinstance(request, Reply):
        assert 400 <= request.status < 600
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (b"GET", b"/a")
    assert list(event.headers) == list(request.headers)
    names = [name for name, _ in request.headers]
    assert request.fields.chunked == (b"transfer-encoding" in names)
    assert (request.fields.length is not None) == (b"content-length" in names)


@given(st.binary(max_size=60))
def test_no_bytes_raise(raw: bytes) -> None:
    parse_request(raw + b"\r\n\r\n", "127.0.0.1")
    refuse_early(raw)
    parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + raw + b"\r\n\r\n", "127.0.0.1")
    parse_request(b"GET /" + raw + b" HTTP/1.1\r\nHost: a\r\n\r\n", "127.0.0.1")


def parsed(raw: bytes) -> Request:
    request = parse_request(raw, "127.0.0.1")
    assert isinstance(request, Request)
    return request


def test_a_repeated_block_of_fields_is_read_once() -> None:
    first = parsed(b"GET /1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n")
    second = parse_request(b"GET /2 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n", "127.0.0.1", last=first.fields)
    other = parse_request(b"GET /3 HTTP/1.1\r\nHost: a\r\nX: 2\r\n\r\n", "127.0.0.1", last=first.fields)
    assert isinstance(second, Request)
    assert isinstance(other, Request)
    assert second.fields is first.fields
    assert other.fields is not first.fields


def test_connections_that_begin_alike_have_their_fields_read_once() -> None:
    first = FirstFields()

    def begin(block: bytes, source: str = "192.0.2.1", scheme: str = "http") -> RequestFields | Reply:
        return first.read(b"\r\nHost: a\r\n" + block, source, scheme)

    one = begin(b"X: 1")
    assert begin(b"X: 1") is one
    assert begin(b"X: 2") is not one
    assert begin(b"X: 1", source="192.0.2.2") is not one, "what is said about the source is kept with the fields"
    assert begin(b"X: 1", scheme="https") is not one


def test_what_is_remembered_of_connections_is_bounded() -> None:
    first = FirstFields()
    small, large = b"\r\nHost: a", b"\r\nHost: a\r\nX: " + b"x" * LONGEST_FIRST
    kept = first.read(small, "", "http")
    assert first.read(large, "", "http") is not first.read(large, "", "http"), "a large one is not kept"
    for number in range(MAX_FIRST):
        assert isinstance(first.read(b"%b\r\nX: %d" % (small, number), "", "http"), RequestFields)
    assert first.read(small, "", "http") is not kept, "the oldest has gone"
    assert isinstance(first.read(b"\r\nHost: a\r\nHost: a", "", "http"), Reply)


def test_a_request_can_be_replaced_like_any_head() -> None:
    request = replace(parsed(b"GET /1?q HTTP/1.1\r\nHost: A:80\r\nX: 1 \r\n\r\n"), method="PUT")
    assert (request.method, request.path, request.query, request.host) == ("PUT", "/1", "q", "a")
    assert request.values(b"x") == ["1"]


AUTHORITIES = [
    (b"Example.COM.", "example.com"), (b"a:80", "a"), (b"a:", "a"), (b"[::1]:8080", "[::1]"), (b"a_b", "a_b"),
    (b"", None), (b"a:b", None), (b"a:65536", None), (b"a b", None), (b"u@a", None), (b"a/b", None), (b"::1", None),
    (b"[zz]", None), (b"\xe9", None), (b"a\n", None), (b"a%20b", None), (b".", "."),
]  # fmt: skip


@pytest.mark.parametrize(("value", "host"), AUTHORITIES)
def test_authorities(value: bytes, host: str | None) -> None:
    assert parse_authority(value) == host


def test_pairs_are_ordered_lower_case_and_trimmed() -> None:
    assert list_pairs(b"\r\nB: 1 \r\nA:\t2\r\nb:") == [(b"b", b"1"), (b"a", b"2"), (b"b", b"")]


EARLY = [
    (b"GET / HT", None), (b"GET / HTTP/1.1\r\nHost: a\r", None), (b"GET / HTTP/1.1\n", 400), (b"GET /\r\n", 400),
    (b"GET / HTTP/2.0\r\n", 505), (b"GET / HTTP/1.1\r\nA: b\rC", 400), (b"\0", 400),
]  # fmt: skip


@pytest.mark.parametrize(("head", "status"), EARLY)
def test_half_a_head_is_refused_as_soon_as_it_is_wrong(head: bytes, status: int | None) -> None:
    reply = refuse_early(head)
    assert (reply.status if reply else None) == status


def test_a_head_too_large_is_blamed_on_the_part_that_is() -> None:
    assert refuse_large(b"GET /aaaa").status == 414
    assert refuse_large(b"GET / HTTP/1.1\r\nX: aaaa").status == 431
