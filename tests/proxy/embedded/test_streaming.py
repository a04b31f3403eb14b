"""Bodies pass as they come, in bounded memory, both ways; broken ones never look complete."""

from __future__ import annotations

import resource
import threading
import time
from email.utils import parsedate_to_datetime

from tests.proxy.support.client import eventually, request
from tests.proxy.support.gateway import Gateway
from tests.proxy.support.upstream import Closed, Peer, RawUpstream, Seen, answer, answer_and_close, ok, unread

BIG = 64 * 1024 * 1024
PIECE = b"x" * 65_536


def test_the_first_part_of_an_answer_arrives_before_the_last_is_sent(gateway: Gateway, upstream: RawUpstream) -> None:
    go_on = threading.Event()

    def events(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        assert go_on.wait(5)
        peer.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    upstream.script = events
    with gateway.client() as client:
        client.send(request())
        while b"data: 1" not in client.buffer:
            assert client.fill()
        go_on.set()
        answered = client.read()
    assert (answered.body, answered.complete) == (b"data: 1\n\ndata: 2\n\n", True)


def test_the_first_part_of_a_request_arrives_before_the_last_is_sent(gateway: Gateway, upstream: RawUpstream) -> None:
    arrived = threading.Event()

    def read(peer: Peer, seen: Seen) -> None:
        assert peer.exact(5) == b"hello"
        arrived.set()
        assert peer.exact(5) == b"world"
        peer.send(ok(b"both"))

    upstream.script = unread(read)
    with gateway.client() as client:
        client.send(request("POST", "/", "Content-Length: 10") + b"hello")
        assert arrived.wait(5)
        assert client.ask(b"world").body == b"both"


def test_both_directions_flow_at_once(gateway: Gateway, upstream: RawUpstream) -> None:
    def echo(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(2):
            peer.send(peer.exact(5))

    upstream.script = unread(echo)
    with gateway.client() as client:
        client.send(request("POST", "/", "Content-Length: 10") + b"hello")
        while b"hello" not in client.buffer:
            assert client.fill()
        answered = client.ask(b"world")
    assert (answered.body, answered.complete) == (b"helloworld", True)


def _memory_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_slow_reader_holds_the_upstream_back(gateway: Gateway, upstream: RawUpstream) -> None:
    sent = [0]

    def flood(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        while sent[0] < BIG:
            peer.send(PIECE)
            sent[0] += len(PIECE)

    upstream.script = flood
    before = _memory_megabytes()
    with gateway.client(receive_buffer=65_536) as client:
        client.send(request())
        assert eventually(lambda: sent[0] > 0)
        time.sleep(0.5)
        assert sent[0] < BIG / 2
        assert _memory_megabytes() - before < 16
        total = 0
        while total < BIG:
            assert client.fill()
            total += len(client.buffer)
            client.buffer = b""


def test_a_slow_reader_gets_all_it_asked_for_ahead(gateway: Gateway, upstream: RawUpstream) -> None:
    """Large answers that come in one piece, more of them than all buffers hold."""
    date = "Date: Thu, 01 Jan 1970 00:00:00 GMT"
    upstream.script = lambda peer, seen: peer.send(ok(b"x" * 100_000, date))
    with gateway.client() as client:
        for _ in range(3):
            assert client.ask(request()).status == 200
    with gateway.client(receive_buffer=4_096) as client:
        client.send(request() * 60)
        time.sleep(0.2)
        assert [len(client.read().body) for _ in range(60)] == [100_000] * 60
    upstream.script = answer(ok(b"at once"))
    with gateway.client() as client:
        assert client.ask(request()).body == b"at once"


def test_a_slow_upstream_holds_the_client_back(gateway: Gateway, upstream: RawUpstream) -> None:
    read_on = threading.Event()

    def reluctant(peer: Peer, seen: Seen) -> None:
        assert read_on.wait(10)
        left = BIG - len(peer.buffer)
        peer.buffer = b""
        while left:
            left -= len(peer.receive())
        peer.send(ok(b"all"))

    upstream.script = unread(reluctant)
    before = _memory_megabytes()
    sent = [0]
    with gateway.client() as client:

        def upload() -> None:
            client.send(request("POST", "/", f"Content-Length: {BIG}"))
            while sent[0] < BIG:
                client.send(PIECE)
                sent[0] += len(PIECE)

        uploading = threading.Thread(target=upload)
        uploading.start()
        time.sleep(0.5)
        assert sent[0] < BIG / 2
        assert _memory_megabytes() - before < 16
        read_on.set()
        uploading.join(30)
        assert client.read().body == b"all"


def test_an_answer_that_breaks_off_ends_the_connection(gateway: Gateway, upstream: RawUpstream) -> None:
    broken = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ]

    def bad_chunk(peer: Peer, seen: Seen) -> None:
        peer.send(broken[1])
        time.sleep(0.1)
        peer.send(b"zz\r\n")

    for script in (*map(answer_and_close, broken), bad_chunk):
        upstream.script = script
        with gateway.client() as client:
            answered = client.ask(request())
            assert (answered.status, answered.complete) == (200, False)
            assert client.at_end()


def test_an_answer_that_breaks_off_resets_an_http_1_0_client(gateway: Gateway, upstream: RawUpstream) -> None:
    """Its answers may end with the connection: a clean end would look complete."""

    def script(peer: Peer, seen: Seen) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        time.sleep(0.1)
        peer.reset()

    upstream.script = script
    with gateway.client() as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        try:
            while client.sock.recv(4096):
                pass
        except ConnectionResetError:
            return
    raise AssertionError("the answer looked complete")


def test_a_request_that_breaks_off_is_never_complete_upstream(gateway: Gateway, upstream: RawUpstream) -> None:
    for headers, part in (("Content-Length: 100", b"only this"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n")):
        with gateway.client() as client:
            client.send(request("POST", "/", headers) + part)
            assert upstream.wait(1, complete=False)
    time.sleep(0.2)
    assert upstream.wait(1, seconds=0.2) == []


def test_a_client_that_leaves_ends_its_upstream_request(gateway: Gateway, upstream: RawUpstream) -> None:
    gone = threading.Event()

    def wait_for_the_end(peer: Peer, seen: Seen) -> None:
        try:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            while True:
                peer.send(b"5\r\nhello\r\n")
                time.sleep(0.02)
        except Closed:
            gone.set()

    upstream.script = wait_for_the_end
    with gateway.client() as client:
        client.send(request())
        assert client.fill()
    assert gone.wait(5)


def test_an_early_answer_reaches_a_client_that_is_still_sending(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = unread(answer_and_close(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"))
    with gateway.client() as client:
        client.send(request("POST", "/", "Content-Length: 300000"))
        for _ in range(3):
            client.send(b"x" * 20_000)
            time.sleep(0.02)
        answered = client.read()
        assert (answered.status, answered.body, answered.value("connection")) == (413, b"big", "close")


def test_an_unwanted_small_body_is_read_and_the_connection_kept(gateway: Gateway, upstream: RawUpstream) -> None:
    with gateway.client() as client:
        assert client.ask(request("OPTIONS", "/", "Max-Forwards: 0", body=b"x" * 1000)).status == 200
        client.send(request("OPTIONS", "/", "Max-Forwards: 0", "Content-Length: 4") + b"ab")
        assert client.read().status == 200
        assert client.ask(b"cd" + request()).body == b"ok"
        answered = client.ask(request("OPTIONS", "/", "Max-Forwards: 0", "Content-Length: 1000000") + b"ab")
        assert answered.value("connection") == "close"


def test_100_continue_comes_from_the_upstream(gateway: Gateway, upstream: RawUpstream) -> None:
    def expecting(peer: Peer, seen: Seen) -> None:
        assert seen.values("expect") == ["100-continue"]
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.read_body(seen)
        peer.send(ok(seen.body))

    upstream.script = unread(expecting)
    with gateway.client() as client:
        client.send(request("POST", "/", "Content-Length: 5", "Expect: 100-continue"))
        assert client.read(interim=True).status == 100
        assert client.ask(b"hello").body == b"hello"
        upstream.script = unread(answer_and_close(ok(b"no", status="401 Unauthorized")))
        client.send(request("POST", "/", "Content-Length: 5", "Expect: 100-continue"))
        assert client.read(interim=True).status == 401
        assert client.at_end()


def test_http_1_0_never_hears_100_continue(gateway: Gateway, upstream: RawUpstream) -> None:
    upstream.script = answer(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"fin"))
    with gateway.client() as client:
        client.send(b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi")
        assert client.read(interim=True).status == 200
    assert upstream.seen[0].values("expect") == []


def test_a_withheld_body_is_called_for_once_where_the_upstream_says_nothing(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    with gateway.client() as client:
        client.send(request("POST", "/", "Content-Length: 5", "Expect: 100-continue"))
        assert client.read(interim=True).status == 100
        assert client.ask(b"hello").status == 200
        client.send(request("POST", "/", "Content-Length: 5", "Expect: 100-continue") + b"hello")
        assert client.read(interim=True).status == 200
    assert [seen.body for seen in upstream.seen] == [b"hello"] * 2


def test_an_answer_without_a_date_gets_one_and_others_keep_theirs(gateway: Gateway, upstream: RawUpstream) -> None:
    theirs = "Thu, 01 Jan 1970 00:00:00 GMT"
    upstream.scripts = [answer(ok()), answer(ok(b"ok", f"dAtE: {theirs}"))]
    with gateway.client() as client:
        ours = client.ask(request()).value("date")
        assert ours is not None
        assert abs(parsedate_to_datetime(ours).timestamp() - time.time()) < 60
        assert [value for name, value in client.ask(request()).headers if name == "date"] == [theirs]
