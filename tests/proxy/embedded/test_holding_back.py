"""Who is held back is let go again: a client that stops reading at an unlucky moment costs nobody else anything.

The moments are those of transports in memory, so that each of them comes for certain.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.embedded.client import ClientConnection
from proxy.embedded.endpoints import Endpoint
from proxy.embedded.upstream import Owner
from tests.proxy.fuzz.inside import House, MemoryConnector, Pipe
from tests.proxy.support.client import request


class Reader(Pipe):
    """A client that reads no more once it was sent ``last``."""

    last = b""

    def write(self, data: bytes) -> None:
        super().write(data)
        if data.endswith(self.last):
            self.protocol.pause_writing()


def open_reader(house: House, last: bytes) -> Reader:
    reader = Reader(ClientConnection(house.engine), house.later)
    reader.last = last
    return reader


IN_TWO_PIECES = [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", b"world"]
IN_CHUNKS = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
WITHOUT_CONTENT = [b"HTTP/1.1 204 No Content\r\n\r\n"]
WHOLE = [b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nwhole"]
# its connection is not to be used again, so that the next request needs one of its own
WHOLE_AND_GONE = [b"HTTP/1.1 200 OK\r\nDate: x\r\nKeep-Alive: timeout=1\r\nContent-Length: 5\r\n\r\nwhole"]


def peer_that_sends(*answers: list[bytes]) -> Callable[[Pipe], None]:
    """One answer for each request, in pieces."""
    rest = iter(answers)

    def peer(pipe: Pipe) -> None:
        for piece in next(rest):
            pipe.deliver(piece)

    return peer


@pytest.mark.parametrize(
    ("pieces", "last"),
    [
        pytest.param(IN_TWO_PIECES, b"world", id="its last piece"),
        pytest.param(IN_CHUNKS, b"0\r\n\r\n", id="all of its chunks"),
        pytest.param(WITHOUT_CONTENT, b"\r\n\r\n", id="its head"),
    ],
)
def test_an_upstream_connection_reads_again_when_it_is_free(pieces: list[bytes], last: bytes) -> None:
    house = House()
    house.peer = peer_that_sends(pieces, WHOLE)
    reader = open_reader(house, last)
    reader.deliver(request())
    house.settle()
    assert reader.out.endswith(last), "the client was full after this"
    other = house.open_client()
    other.deliver(request())
    house.settle()
    assert other.out.endswith(b"whole")
    assert len(house.upstreams) == 1, "the second request takes the connection of the first"
    assert not house.upstreams[0].held, "it would never hear of its answer"


BIG = [b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 100000\r\n\r\n" + bytes(99_997) + b"end"]
BIG_IN_PIECES = [BIG[0][:-1_000], BIG[0][-1_000:-500], BIG[0][-500:]]


@pytest.mark.parametrize("pieces", [pytest.param(BIG, id="one piece"), pytest.param(BIG_IN_PIECES, id="pieces")])
def test_a_client_that_was_full_when_its_answer_was_written_is_answered_again(pieces: list[bytes]) -> None:
    house = House()
    house.peer = peer_that_sends(WHOLE, WHOLE, pieces, WHOLE)
    other = house.open_client()
    for _ in range(2):  # now the way and a connection are known, and whole answers take the shortest path
        other.deliver(request())
        house.settle()
    reader = open_reader(house, b"end")
    reader.deliver(request())
    house.settle()
    assert reader.out.endswith(b"end")
    reader.protocol.resume_writing()
    reader.deliver(request())
    house.settle()
    assert reader.out.endswith(b"whole")
    assert [pipe.held for pipe in house.upstreams] == [False]


def test_an_answer_in_pieces_waits_for_a_client_that_was_full_before_it_came() -> None:
    house = House()
    house.peer = peer_that_sends(WHOLE, [], WHOLE)
    reader = open_reader(house, b"whole")
    reader.last = b"never"
    reader.deliver(request())
    house.settle()
    reader.deliver(request())  # over the connection that is there: nothing has come of its answer
    reader.protocol.pause_writing()
    house.upstreams[0].deliver(BIG_IN_PIECES[0])
    assert house.upstreams[0].held
    reader.protocol.resume_writing()
    house.settle()
    assert not house.upstreams[0].held


class LateConnector(MemoryConnector):
    """Connections take a turn."""

    def connect(self, endpoint: Endpoint, owner: Owner, *, fresh: bool = False) -> None:
        self.house.later.append(lambda: super(LateConnector, self).connect(endpoint, owner, fresh=True))


def test_an_upstream_that_is_connected_while_the_client_is_full_is_held_back() -> None:
    house = House()
    engine = house.engine
    engine.connector = LateConnector(engine.options, engine.counters, engine.clock, engine.outbox)
    engine.connector.open_pipes(house)
    reader = open_reader(house, b"whole")
    house.peer = peer_that_sends(WHOLE_AND_GONE, [])
    reader.deliver(request("GET", "/first") + request("GET", "/second"))
    house.settle()
    assert [pipe.held for pipe in house.upstreams] == [False, True]
    reader.protocol.resume_writing()
    house.settle()
    assert not house.upstreams[1].held
