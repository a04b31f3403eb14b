"""The judges: what h11 and llhttp (httptools) make of a stream of messages.

h11 is laxer than the engine (line ends, folded lines, equal lengths), so the rule is one-sided: what the engine takes,
h11 must take too, with the same boundaries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11
import httptools

from proxy.embedded.options import MAX_EMPTY_LINES

_EMPTY_LINES = re.compile(rb"^(?:\r\n){1,%d}" % MAX_EMPTY_LINES)
_ROOM = 1 << 20  # h11 refuses incomplete messages beyond 16 kB unless told otherwise


@dataclass(slots=True)
class Asked:
    method: str
    target: bytes
    body: bytes
    complete: bool = False
    goes_on: bool = True  # the client wants to keep the connection
    odd_trailer: bool = False  # h11 stops at framing in a trailer, where RFC 9110 section 6.5.1 has it ignored


@dataclass(slots=True)
class Answered:
    status: int
    body: bytes
    complete: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def value(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key == name), b"")


class ServerSide:
    """h11 as a server: requests out of bytes, each answered as soon as it is whole, by nobody who listens."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_ROOM)
        self.requests: list[Asked] = []
        self.error = ""

    def feed(self, data: bytes) -> None:
        try:
            self._h11.receive_data(data)
            while self._turn(self._h11.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self.error = self.error or str(error)
        except h11.LocalProtocolError:
            pass  # the other side has said that it is going

    def _turn(self, event: object) -> bool:
        if isinstance(event, h11.Request):
            self.requests.append(Asked(event.method.decode(), event.target, b""))
        elif isinstance(event, h11.Data):
            self.requests[-1].body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self.requests[-1].complete = True
            self._h11.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            self._h11.send(h11.EndOfMessage())
        elif event is h11.PAUSED and self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        else:
            return False
        return True


def read_requests(data: bytes) -> list[Asked]:
    """What h11 finds in ``data`` before it finds something wrong or the client says that it is done."""
    found: list[Asked] = []
    while data:
        # RFC 9112 section 2.2: empty lines before a request are ignored; h11 takes one for a request without a line.
        data = _EMPTY_LINES.sub(b"", data)
        server = h11.Connection(h11.SERVER, max_incomplete_event_size=_ROOM)
        try:
            server.receive_data(data)
            asked = _read_request(server)
        except h11.RemoteProtocolError:
            break
        if asked is None:
            break
        found.append(asked)
        if not asked.complete or not asked.goes_on:
            break
        data = server.trailing_data[0]
    return found


def _read_request(server: h11.Connection) -> Asked | None:
    event = server.next_event()
    if not isinstance(event, h11.Request):
        return None
    joined = b",".join(value for name, value in event.headers if name == b"connection").lower()
    options = {option.strip(b" \t") for option in joined.split(b",")}
    keeps = b"close" not in options and (event.http_version != b"1.0" or b"keep-alive" in options)
    asked = Asked(event.method.decode(), event.target, b"", goes_on=keeps)
    try:
        while isinstance(event := server.next_event(), h11.Data):
            asked.body += event.data
        asked.complete = isinstance(event, h11.EndOfMessage)
    except h11.RemoteProtocolError as error:
        asked.odd_trailer = _is_about_framing(error)
    return asked


def _is_about_framing(error: h11.RemoteProtocolError) -> bool:
    return "Transfer-Encoding" in str(error) or "Content-Length" in str(error)


def read_answers(data: bytes, methods: list[str], ended: bool) -> tuple[list[Answered], str]:
    """The final answers in ``data`` to requests by ``methods``, and what is wrong with them."""
    found: list[Answered] = []
    for method in methods:
        if not data:
            break
        client = h11.Connection(h11.CLIENT, max_incomplete_event_size=_ROOM)
        client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        client.send(h11.EndOfMessage())
        try:
            client.receive_data(data)
            answer = _read_one(client)
            if answer is not None and not answer.complete and ended:
                client.receive_data(b"")
                _read_rest(client, answer)
        except h11.RemoteProtocolError as error:
            return found, str(error)
        if answer is None:
            break
        found.append(answer)
        if not answer.complete:
            break
        data = client.trailing_data[0]
    return found, ""


def _read_one(client: h11.Connection) -> Answered | None:
    while isinstance(event := client.next_event(), h11.InformationalResponse):
        pass
    if not isinstance(event, h11.Response):
        return None
    answer = Answered(event.status_code, b"", headers=tuple(event.headers))
    _read_rest(client, answer)
    return answer


def _read_rest(client: h11.Connection, answer: Answered) -> None:
    try:
        while isinstance(event := client.next_event(), h11.Data):
            answer.body += event.data
        answer.complete = isinstance(event, h11.EndOfMessage)
    except h11.RemoteProtocolError as error:
        answer.complete = _is_about_framing(error)  # in a trailer, for the head has been read: see ``odd_trailer``
        if not answer.complete:
            raise


class _Counter:
    def __init__(self) -> None:
        self.complete = 0

    def on_message_complete(self) -> None:
        self.complete += 1


def count_requests(data: bytes) -> int:
    """How many whole requests llhttp finds; -1 where it finds something wrong."""
    counter = _Counter()
    parser = httptools.HttpRequestParser(counter)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return counter.complete
    except httptools.HttpParserError:
        return -1
    return counter.complete
