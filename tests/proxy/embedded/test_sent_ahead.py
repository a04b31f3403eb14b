"""What stands behind a request is the next one, whoever answered the first and wherever reads end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import Peer, RawUpstream, Seen, ok

GHOST = request("GET", "/up/ghost")
NEXT = request("GET", "/up/next")
CHUNKS = b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"

# the first request, and the status of its answer
FIRST: list[tuple[str, bytes, int]] = [
    ("answered by the upstream", request("GET", "/up"), 200),
    ("with content for the upstream", request("POST", "/up", body=GHOST), 200),
    ("with chunks for the upstream", request("POST", "/up", "Transfer-Encoding: chunked") + CHUNKS, 200),
    ("with content that is not withheld", request("POST", "/up", "Expect: 100-continue", body=GHOST), 200),
    ("without a route", request("GET", "/none"), 404),
    ("without a route, with content", request("POST", "/none", body=GHOST), 404),
    ("with content, answered by its route", request("PUT", "/direct", body=GHOST), 418),
    ("with content, redirected", request("POST", "/moved", body=GHOST), 302),
    ("about the gateway, with content", request("OPTIONS", "*", body=GHOST), 200),
    ("at its last hop, with content", request("OPTIONS", "/up", "Max-Forwards: 0", body=GHOST), 200),
    ("answered with 204", request("GET", "/up/204"), 204),
    ("followed by an empty line", request("POST", "/up", body=b"hello") + b"\r\n", 200),
    ("without a route, followed by an empty line", request("POST", "/none", body=b"hello") + b"\r\n", 404),
]


# how the bytes of both requests are cut: where the second read begins, counted from the end of the first head
CUTS: list[tuple[str, int | None]] = [
    ("in one piece", None),
    ("cut in the head", -3),
    ("cut behind the head", 0),
    ("cut in what follows the head", 4),
]


def reply(peer: Peer, seen: Seen) -> None:
    peer.send(b"HTTP/1.1 204 No Content\r\n\r\n" if seen.target == "/up/204" else ok(seen.target.encode()))


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with RawUpstream(reply) as upstream:
        definitions = define(
            route("moved", "/moved", redirect={"path": "/up"}),
            route("direct", "/direct", direct_response={"status": 418, "body": "no"}),
            route("up", "/up"),
            up=upstream.origin,
        )
        with Gateway(definitions) as gateway:
            yield gateway


@pytest.mark.parametrize("cut", [row[1] for row in CUTS], ids=[row[0] for row in CUTS])
@pytest.mark.parametrize(("first", "status"), [row[1:] for row in FIRST], ids=[row[0] for row in FIRST])
def test_the_next_request_is_answered(gateway: Gateway, first: bytes, status: int, cut: int | None) -> None:
    data = first + NEXT
    place = len(data) if cut is None else first.index(b"\r\n\r\n") + 4 + cut
    with gateway.client() as client:
        client.send(data[:place])
        if data[place:]:
            time.sleep(0.01)  # so that they are two reads
            client.send(data[place:])
        answers = [client.read(), client.read()]
    assert [answered.status for answered in answers] == [status, 200]
    assert answers[1].body == b"/up/next"


@pytest.mark.parametrize("before", ["a request that was answered", "nothing"])
@pytest.mark.parametrize(("lines", "status"), [(1, 200), (2, 200), (8, 200), (9, 400)])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_empty_lines_before_a_request_are_nothing_but_many_are_no_request(
    gateway: Gateway, before: str, lines: int, status: int, size: int
) -> None:
    with gateway.client() as client:
        if before != "nothing":
            assert client.ask(request("GET", "/up")).status == 200
        for at in range(0, 2 * lines, size):
            client.send((b"\r\n" * lines)[at : at + size])
            time.sleep(0.001)
        client.send(NEXT)
        assert client.read().status == status
