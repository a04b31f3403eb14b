"""The engine's own protocol objects between two fake transports: thousands of runs a second, no sockets.

What is checked of client bytes: they have one meaning however they are cut; what reaches upstreams is whole, strict
HTTP/1.1 to h11 and llhttp and stands in what h11 reads from the client, in order, with the same method, path and body;
what reaches the client is whole answers. Of upstream bytes: the client gets the answer h11 reads, or a 502, or a broken
connection, and the next answer is the next request's.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

from coalmine.routing.build import build_snapshot
from coalmine.routing.path import normalize_path
from proxy.embedded import Engine, EngineOptions
from proxy.embedded.client import ClientConnection
from proxy.embedded.connector import Connector
from proxy.embedded.endpoints import Endpoint
from proxy.embedded.outbox import Outbox
from proxy.embedded.upstream import Owner, UpstreamConnection, take_idle
from tests.proxy.fuzz.mutate import cut, mutate
from tests.proxy.fuzz.reading import (
    Answered,
    Asked,
    ServerSide,
    count_requests,
    read_answers,
    read_requests,
)
from tests.proxy.fuzz.seeds import ANSWERS, REQUESTS
from tests.proxy.support.gateway import define, route

MARK = b"x-up"
_PAIR = socket.socketpair()
Peer = Callable[["Pipe"], None]


class Quiet:
    """The socket of a fake connection: nothing ever happens on it, for its end is told by ``Pipe``."""

    def fileno(self) -> int:
        return _PAIR[0].fileno()

    def setsockopt(self, *option: object) -> None:
        pass


class Pipe:
    """A transport that writes into memory; ``peer`` is woken when something was written."""

    def __init__(
        self, protocol: asyncio.Protocol, later: deque[Callable[[], object]], peer: Peer | None = None
    ) -> None:
        self.protocol = protocol
        self.out = bytearray()
        self.closing = self.lost = self.ended = self.held = False
        self.side = ServerSide()
        self.answered = 0
        self._later = later
        self._peer = peer
        protocol.connection_made(cast(asyncio.BaseTransport, self))

    def write(self, data: bytes) -> None:
        if data and not self.closing and not self.ended:
            self.out += data
            if self._peer is not None:
                self.side.feed(bytes(data))
                self._later.append(lambda: self._peer and self._peer(self))

    def writelines(self, pieces: Iterable[bytes | memoryview]) -> None:
        self.write(b"".join(pieces))

    def deliver(self, data: bytes) -> None:
        if not self.closing and data:
            self.protocol.data_received(data)

    def end(self, error: Exception | None = None) -> None:
        """The other side goes."""
        if self.closing:
            return
        if error is None and self.protocol.eof_received():
            return
        self.closing = True
        self._lose(error)

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self._later.append(lambda: self._lose(None))

    abort = close

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.held = True

    def resume_reading(self) -> None:
        self.held = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "socket": Quiet()}.get(name, default)


class MemoryConnector(Connector):
    """Connections that are there at once."""

    def open_pipes(self, house: House) -> None:
        self.house = house

    def connect(self, endpoint: Endpoint, owner: Owner, *, fresh: bool = False) -> None:
        connection = None if fresh else take_idle(endpoint)
        if connection is None:
            connection = UpstreamConnection(self, endpoint)
            self.house.upstreams.append(Pipe(connection, self.house.later, self.house.peer))
        owner.connected(connection)


class House:
    """One engine; ``run`` gives it one client."""

    def __init__(self) -> None:
        self.engine = Engine(EngineOptions(), draw=lambda: 0.5, now=lambda: 0.0)
        self.later: deque[Callable[[], object]] = deque()
        engine = self.engine
        engine.outbox = Outbox(self.later.append)
        self.connector = MemoryConnector(engine.options, engine.counters, engine.clock, engine.outbox)
        self.connector.open_pipes(self)
        self.engine.connector = self.connector
        self.engine.apply(build_snapshot(define(route(), up="http://127.0.0.1:9")))
        self.upstreams: list[Pipe] = []
        self.peer: Peer = answer_all

    def settle(self) -> None:
        for _ in range(10_000):
            if not self.later:
                return
            self.later.popleft()()
        raise AssertionError("the engine never comes to rest")

    def open_client(self) -> Pipe:
        return Pipe(ClientConnection(self.engine), self.later)

    def empty(self) -> None:
        for pipe in self.upstreams:
            pipe.end(ConnectionResetError())
        self.settle()
        assert not self.connector.live
        self.upstreams = []
        self.engine._id_count = 0  # so that two runs can be compared


def answer_all(pipe: Pipe) -> None:
    """A good upstream: every whole request gets the number it has on its connection, its method and its target."""
    for asked in pipe.side.requests[pipe.answered :]:
        if asked.complete:
            pipe.answered += 1
            body = b"%b %b" % (asked.method.encode(), asked.target)
            head = b"HTTP/1.1 200 OK\r\nX-Up: 1\r\nDate: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            pipe.deliver(head if asked.method == "HEAD" else head + body)


class Run:
    """What came of one client's bytes."""

    def __init__(self, house: House, pieces: list[bytes]) -> None:
        house.peer = answer_all
        client = house.open_client()
        for piece in pieces:
            if client.held:
                raise AssertionError("the client is held though the upstream takes everything")
            client.deliver(piece)
            house.settle()
        self.closed = client.closing or client.ended
        self.out = bytes(client.out)
        client.end()
        house.settle()
        assert client.lost or client.ended, "the client has gone and its connection has not"
        client.end(ConnectionResetError())
        house.settle()
        self.upstreams = house.upstreams
        self.seen = [asked for pipe in house.upstreams for asked in pipe.side.requests]
        house.empty()


def fuzz_requests(rng: random.Random, house: House) -> tuple[bytes, str | None]:
    """One run: the bytes, and what is wrong."""
    data = mutate(rng, REQUESTS)
    return data, judge_requests(house, data, cut(rng, data))


def judge_requests(house: House, data: bytes, pieces: list[bytes]) -> str | None:
    whole, split = Run(house, [data] if data else []), Run(house, pieces)
    if (masked(whole.out), whole.closed) != (masked(split.out), split.closed):
        return f"cut into {pieces!r} it is answered {split.out!r}, else {whole.out!r}"
    if [asked for asked in whole.seen if asked.complete] != [asked for asked in split.seen if asked.complete]:
        return f"cut into {pieces!r} it is forwarded otherwise"
    return _judge_forwarded(whole, read_requests(data)) or _judge_answers(whole)


def _judge_forwarded(run: Run, read: list[Asked]) -> str | None:
    for pipe in run.upstreams:
        out = bytes(pipe.out)
        if pipe.side.error:
            return f"h11 refuses what is forwarded ({pipe.side.error}): {out!r}"
        if can_count(out, pipe.side.requests) and count_requests(out) != sum(a.complete for a in pipe.side.requests):
            return f"llhttp reads otherwise what is forwarded: {bytes(pipe.out)!r}"
    expected = iter(read)
    for asked in run.seen:
        if not any(_same(asked, one) for one in expected) and not (read and read[-1].odd_trailer):
            return f"h11 does not find {asked} in {read}"
    return None


def masked(out: bytes) -> bytes:
    """Without what the gateway says about its own refusals: which of two faults it meets first depends on the cuts."""
    return _OWN_WORDS.sub(b"", out)


def can_count(out: bytes, asked: list[Asked]) -> bool:
    """llhttp knows a fixed list of methods and stops at an upgrade."""
    return b"\r\nUpgrade: " not in out and {one.method for one in asked} <= _METHODS


_OWN_WORDS = re.compile(rb'Content-Length: [0-9]+\r\n(?=Connection: close)|"detail":"[^"]*"')
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"}


def _same(forwarded: Asked, read: Asked) -> bool:
    if forwarded.method != read.method or forwarded.target != normalized(read.target):
        return False
    if not forwarded.complete:
        return read.body.startswith(forwarded.body)
    return read.complete and forwarded.body == read.body


def normalized(target: bytes) -> bytes:
    """As the engine sends it; unequal to all it sends where it cannot be read."""
    text = target.decode("latin-1")
    if not text.startswith("/"):
        rest = text.partition("://")[2]
        end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        text = rest[end:] if rest[end : end + 1] == "/" else "/" + rest[end:]
    path, mark, query = text.partition("?")
    try:
        return (normalize_path(path) + mark + query).encode("latin-1")
    except ValueError:
        return b""


def _judge_answers(run: Run) -> str | None:
    methods = [asked.method for asked in run.seen if asked.complete]
    bodies = [b"" if a.method == "HEAD" else b"%b %b" % (a.method.encode(), a.target) for a in run.seen if a.complete]
    found, fault = read_answers_of(run.out, methods, run.closed)
    if fault:
        return f"h11 refuses what is answered ({fault}): {run.out!r}"
    passed = [answer.body for answer in found if answer.value(MARK)]
    return None if passed == bodies else f"the answers {passed} do not belong to {bodies}"


def read_answers_of(data: bytes, methods: list[str], ended: bool) -> tuple[list[Answered], str]:
    """Answers of the gateway's own stand among those of upstreams; they all have content that says how long it is."""
    found: list[Answered] = []
    queue = deque(methods)
    while data:
        own = MARK + b": " not in data.partition(b"\r\n\r\n")[0].lower()
        one, fault = read_answers(data, ["GET" if own or not queue else queue[0]], ended)
        if fault and own:  # it may be the answer to a HEAD that was not taken
            one, fault = read_answers(data, ["HEAD"], ended)
        if fault or not one or not one[0].complete:
            return found, fault or ("" if ended and not one else "an answer is not whole")
        if not own and queue:
            queue.popleft()
        found += one
        data = _behind(
            data, one[0], "GET" if own or not found else methods[len([f for f in found if f.value(MARK)]) - 1]
        )
    return found, ""


def _behind(data: bytes, answer: Answered, method: str) -> bytes:
    """``data`` after its first final answer; answers here have a length, interim ones come first."""
    while data.split(b" ", 2)[1].startswith(b"1"):
        data = data.partition(b"\r\n\r\n")[2]
    rest = data.partition(b"\r\n\r\n")[2]
    return rest if method == "HEAD" else rest[len(answer.body) :]


ASKING = [
    ("GET", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HEAD", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("POST", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
    ("GET", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
]
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def fuzz_answers(rng: random.Random, house: House) -> tuple[bytes, str | None]:
    data = mutate(rng, ANSWERS)
    method, asking = rng.choice(ASKING)
    if rng.random() < 0.8 and not asking.startswith(b"GET / HTTP/1.1\r\nHost: a\r\nConn"):
        method, asking = ASKING[rng.randrange(3)]
    end = rng.choice((None, ConnectionResetError(), "later"))
    whole = judge_answer(house, method, asking, [data] if data else [], end)
    split = judge_answer(house, method, asking, cut(rng, data), end)
    fault = whole[0] or split[0]
    if fault is None and _passed(method, whole[1]) != _passed(method, split[1]):
        fault = f"cut it is answered {split[1]!r}, else {whole[1]!r}"
    return data, f"{asking!r}, end {end!r}: {fault}" if fault else None


def judge_answer(
    house: House, method: str, asking: bytes, pieces: list[bytes], end: Exception | str | None
) -> tuple[str | None, bytes]:
    """What is wrong, and what the client got."""
    feed = iter(pieces)

    def peer(pipe: Pipe) -> None:
        if pipe is house.upstreams[0] and pipe.answered == 0 and pipe.side.requests and pipe.side.requests[0].complete:
            pipe.answered = 1
            for piece in feed:
                pipe.deliver(piece)
                house.settle()
            if end != "later":
                pipe.end(cast("Exception | None", end))
        elif pipe is not house.upstreams[0] or pipe.answered:
            answer_all(pipe)

    house.peer = peer
    client = house.open_client()
    client.deliver(asking)
    house.settle()
    first = bytes(client.out)
    switched = first.startswith(b"HTTP/1.1 101")
    waiting = end == "later" and not (client.closing or client.ended)
    fault = None if switched else _judge_passed(method, b"".join(pieces), end, first, client)
    if not fault and not switched and not waiting and not (client.closing or client.ended):
        client.deliver(NEXT)
        house.settle()
        more = bytes(client.out[len(first) :])
        if not more.startswith(b"HTTP/1.1 200 OK\r\nX-Up: 1") or not more.endswith(b"GET /next"):
            fault = f"the next request is answered {more!r}"
    if not fault and end != "later" and switched and not (client.closing or client.ended):
        fault = "the tunnel's upstream has gone, the client's connection has not"
    client.end(ConnectionResetError())
    house.settle()
    house.empty()
    return fault, first


def _passed(method: str, got: bytes) -> tuple[int, bytes] | None:
    """The upstream's answer that the client got whole; a fault behind the first piece comes too late for 502."""
    answers, _ = read_answers(got, [method], False)
    if not answers or not answers[0].complete or _is_refusal(answers[0]):
        return None
    return answers[0].status, answers[0].body


def _is_refusal(answer: Answered) -> bool:
    return answer.status == 502 and answer.value(b"content-type") == b"application/problem+json"


# RFC 9112 section 7.1.1 allows whitespace before the semicolon of a chunk extension; h11 does not read it.
_PADDED = re.compile(rb"(\r\n[0-9A-Fa-f]{1,6})[ \t]+;")


def _judge_passed(method: str, data: bytes, end: object, got: bytes, client: Pipe) -> str | None:
    gone = client.closing or client.ended
    answers, fault = read_answers(got, [method], gone)
    if fault and not gone:
        return f"h11 refuses what is passed on ({fault}): {got!r}"
    expected, wrong = read_answers(_PADDED.sub(rb"\1;", data), [method], end is None)
    if not answers or not answers[0].complete:
        unfinished = end == "later" and not (expected and expected[0].complete and not wrong)
        return None if gone or unfinished else f"the client is left waiting with {got!r}"
    if _is_refusal(answers[0]):
        return None
    if wrong or not expected or not expected[0].complete:
        return f"{got!r} was made of what h11 cannot read ({wrong})"
    same = (answers[0].status, answers[0].body) == (expected[0].status, expected[0].body)
    return None if same else f"h11 reads {expected[0]}, the client {answers[0]}"
