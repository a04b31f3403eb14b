"""The protocol object of one upstream connection.

Rule 1: a connection serves one owner at a time; between owners it idles in its endpoint's list, last used first.
Rule 2: bytes that nobody asked for end the connection: they could become the answer to somebody else's request.
Rule 3: what this object learns it tells its owner at once; it buffers nothing but an incomplete head.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, cast

from coalmine.tls.client import explain
from proxy.embedded import grammar
from proxy.embedded.body import BodyReader, CloseReader, FramingError, trailer_of
from proxy.embedded.options import MAX_IDLE_PER_ENDPOINT, UPSTREAM_IDLE_SECONDS
from proxy.embedded.outbox import SMALL, Outlet, Piece
from proxy.embedded.response import Response, parse_response

if TYPE_CHECKING:
    from proxy.embedded.connector import Connector
    from proxy.embedded.endpoints import Endpoint

# Why an upstream did not answer; the names of RetryCondition where there is one. ``exhausted``: this machine has no
# descriptor, port or memory for another connection, which says nothing about the upstream.
Failure = Literal["connect-failure", "tls", "reset", "timeout", "protocol", "exhausted"]

# What a poll says of a connection whose other side sends no more; but for Linux it says so only of broken ones.
_ENDED = getattr(select, "POLLRDHUP", select.POLLHUP)
_ANSWER_BEGINS = b"HTTP/1."
# RFC 9110 section 15.2 allows any number of interim responses; one that never comes to its answer is no server.
MAX_INTERIM = 64
_TOO_LARGE = "the response head is larger than this gateway accepts"


class Sender(Protocol):
    """Whose request it is, as long as nothing but a whole answer or a failure comes."""

    __slots__ = ()

    request_done: bool  # the whole request has been written

    def grow(self) -> Owner: ...  # whoever is ready for the rest
    def response_whole(self, response: Response, body: Piece) -> None: ...
    def upstream_failed(self, failure: Failure, detail: str) -> None: ...
    def upstream_ended(self) -> bool: ...  # whether the connection stays open for the other way
    def upstream_full(self) -> None: ...
    def upstream_drained(self) -> None: ...


class Owner(Sender, Protocol):
    """Who uses a connection: an exchange, or the copy of one."""

    __slots__ = ()

    def grow(self) -> Owner:
        return self

    def connected(self, connection: UpstreamConnection) -> None: ...
    def interim_received(self, response: Response) -> None: ...
    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None: ...
    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None: ...
    def response_done(self) -> None: ...
    def tunnel_opened(self, response: Response, data: bytes) -> None: ...
    def tunnel_received(self, data: bytes) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    __slots__ = (
        "_buffer",
        "_closed_well",
        "_connector",
        "_idle_seconds",
        "_interim",
        "_last",
        "_last_head",
        "_last_size",
        "_method",
        "_on_data",
        "_paused",
        "_persistent",
        "_reader",
        "answered",
        "deadline",
        "endpoint",
        "idling",
        "owner",
        "reused",
        "transport",
        "write",
        "write_soon",
    )

    transport: Outlet
    write: Callable[[bytes], None]
    write_soon: Callable[[bytes], None]

    def __init__(self, connector: Connector, endpoint: Endpoint) -> None:
        self._connector = connector
        self.endpoint = endpoint
        self.owner: Sender | None = None
        self._buffer = b""
        self._reader: BodyReader | None = None
        self._method = ""
        # The last head: a resource that is asked for often has the same one until its Date changes.
        self._last_head = b""
        self._last_size = -1  # of that answer with its content, where it is simple
        self._last = Response()
        self._persistent = False
        self._idle_seconds = UPSTREAM_IDLE_SECONDS
        self._on_data = self._refuse_data
        self.answered = False  # a byte of the answer has come
        self.reused = False  # it has served before, so its end may be old news
        self.deadline = 0.0  # of idling
        self.idling = False
        self._closed_well = False  # the other side has said that it sends no more
        self._interim = 0  # interim responses before the answer
        self._paused = False  # reading waits for the client

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = Outlet(cast(asyncio.Transport, transport), self._connector.outbox)
        self.write = self.transport.write
        self.write_soon = self.transport.write_soon
        self._connector.live.add(self)

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connector.live.discard(self)
        self.endpoint.hangs_up |= self.idling
        owner = self._leave()
        if owner is None:
            return
        if exc is None and isinstance(self._reader, CloseReader) and self._has_end():
            owner = owner.grow()
            owner.response_continued(b"", True, b"")
            owner.response_done()
        elif isinstance(exc, ssl.SSLError) and "ALERT" in (exc.reason or "") and not (self.answered or self.reused):
            # In TLS 1.3, client certificates are judged after the handshake.
            owner.upstream_failed("tls", f"{self.endpoint.origin}: {explain(exc)}")
        else:
            owner.upstream_failed("reset", "the upstream closed the connection before its answer was complete")

    def eof_received(self) -> bool:
        self._closed_well = True
        return self.owner is not None and self.owner.upstream_ended() and self.transport.can_write_eof()

    def _has_end(self) -> bool:
        """Whether an answer that ends with its connection is whole: over TLS, a mere break proves nothing
        (RFC 9112 section 9.8)."""
        return self.endpoint.tls is None or self._closed_well

    def pause_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_full()

    def resume_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_drained()

    # Use

    def send(self, owner: Sender, method: str, data: bytes) -> None:
        """Begin a request; the rest of its body follows by ``write``."""
        self.owner = owner
        self._method = method
        self.answered = False
        self._reader = None
        self._interim = 0
        self._on_data = self._read_head
        self.write_soon(data)

    def close(self) -> None:
        """Give the connection up; the owner hears nothing more."""
        self._leave()
        self.transport.close()

    def abort(self) -> None:
        """As ``close``, without sending what is still buffered: the upstream must not take it for a whole request."""
        self._leave()
        self.transport.abort()

    def pause(self) -> None:
        if not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        self._paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # Reading

    def _refuse_data(self, data: bytes) -> None:
        self.close()

    def _read_head(self, data: bytes) -> None:
        self.answered = True
        if len(data) == self._last_size and self._repeats(data):
            start = len(self._last_head)
            self._take_whole(self._last, data[start:] if len(data) <= SMALL else memoryview(data)[start:])
            return
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        limit = self._connector.options.max_header_bytes
        try:
            while True:
                end = data.find(b"\r\n\r\n")
                if end < 0:
                    self._keep_partial_head(data, limit)
                    return
                if end > limit:
                    raise FramingError(_TOO_LARGE)
                head, data = data[: end + 4], data[end + 4 :]
                response = self._last if head == self._last_head else self._parse_head(head)
                if response.simple and len(data) == response.length and self._method != "HEAD":
                    self._take_whole(response, data)
                    return
                if response.status >= 200:
                    self._take_head(response, data)
                    return
                if not self._take_interim(response, data) or not data:
                    return
        except FramingError as error:
            self._fail(str(error))

    def _repeats(self, data: bytes) -> bool:
        """Whether this is an answer with the same head as the last one."""
        return data.startswith(self._last_head) and not self._buffer and self._method != "HEAD"

    def _parse_head(self, head: bytes) -> Response:
        response = self._last = parse_response(head)
        self._last_head = head
        self._last_size = len(head) + response.length if response.simple and response.length else -1
        if response.idle_seconds is not None:
            # One second for the way there: better to open a connection too many than to write into a closing one.
            self._idle_seconds = min(UPSTREAM_IDLE_SECONDS, response.idle_seconds - 1.0)
        return response

    def _keep_partial_head(self, data: bytes, limit: int) -> None:
        if data[:7] != _ANSWER_BEGINS[: len(data)]:
            raise FramingError("the upstream's answer is not HTTP/1.1")
        if grammar.BARE_LINE_END.search(data):  # its end may never come
            raise FramingError("the lines of the response head do not end with CR LF")
        if len(data) > limit + 3:  # a whole head of the largest size has four bytes more
            raise FramingError(_TOO_LARGE)
        self._buffer = data

    def _take_whole(self, response: Response, body: Piece) -> None:
        """Mostly an answer comes whole, on a connection that goes on."""
        owner = self.owner
        assert owner is not None
        self.owner = None
        self._on_data = self._refuse_data
        # It has just been read from, so it is not closing.
        endpoint = self.endpoint
        full = endpoint.retired or len(endpoint.idle) >= MAX_IDLE_PER_ENDPOINT
        if full or not owner.request_done or self._idle_seconds <= 0:
            self.transport.close()
        else:
            self._idle()
        owner.response_whole(response, body)

    def _take_head(self, response: Response, data: bytes) -> None:
        assert self.owner is not None
        owner = self.owner.grow()
        self._persistent = response.persistent
        reader = self._reader = response.body_reader(self._method)
        if reader is None:
            self._persistent &= not data and not response.announces_too_much
            owner.response_started(response, b"", True, b"")
            self._finish(owner)
            return
        body, done, rest = reader.feed(data) if data else (b"", False, b"")
        self._on_data = self._read_body
        self._persistent &= not rest
        owner.response_started(response, body, done, trailer_of(reader) if done else b"")
        if done:
            self._finish(owner)

    def _take_interim(self, response: Response, data: bytes) -> bool:
        """RFC 9110 section 15.2: interim responses, then the final one; 101 ends HTTP here. Whether HTTP goes on."""
        assert self.owner is not None
        owner = self.owner.grow()
        if response.status == 101:
            self._on_data = owner.tunnel_received
            owner.tunnel_opened(response, data)
            return False
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise FramingError("the upstream sends interim responses and no answer")
        owner.interim_received(response)
        return self.owner is owner

    def _read_body(self, data: bytes) -> None:
        reader = self._reader
        assert reader is not None and self.owner is not None
        owner = self.owner.grow()
        try:
            body, done, rest = reader.feed(data)
        except FramingError as error:
            self._fail(str(error))
            return
        if done:
            self._persistent &= not rest
            owner.response_continued(body, True, trailer_of(reader))
            self._finish(owner)
        else:
            owner.response_continued(body, False, b"")

    def _fail(self, detail: str) -> None:
        owner = self._leave()
        self.transport.abort()
        if owner is not None:
            owner.upstream_failed("protocol", detail)

    # Coming and going

    def _finish(self, owner: Owner) -> None:
        """The answer is complete: first the connection is free again, then the owner goes on."""
        if self.owner is owner:
            self.owner = None
            self._on_data = self._refuse_data
            if self._persistent and owner.request_done and self._idle_seconds > 0 and self._has_room():
                self._idle()
            else:
                self.transport.close()
            owner.response_done()

    def _has_room(self) -> bool:
        endpoint = self.endpoint
        return not (endpoint.retired or len(endpoint.idle) >= MAX_IDLE_PER_ENDPOINT or self.transport.is_closing())

    def _idle(self) -> None:
        if self._paused:  # the last piece was one too many for the client; the next owner knows nothing of that
            self.resume()
        self.reused = True
        self.idling = True
        self.deadline = self._connector.clock.last + self._idle_seconds
        self.endpoint.idle.append(self)

    def has_ended(self) -> bool:
        """Whether the other side has closed it, which the loop will say in its next turn.

        What is sent now would be lost, and only what may be sent twice can be saved then (RFC 9112 section 9.3.1). It
        costs a call to the kernel, so only those are asked who do such things.
        """
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket"), _ENDED)
        return bool(poll.poll(0))

    def put_back(self) -> None:
        """A connection whose owner was gone before it was made."""
        if self._has_room():
            self._idle()
        else:
            self.close()

    def _leave(self) -> Sender | None:
        owner, self.owner = self.owner, None
        self._on_data = self._refuse_data
        if self.idling:
            self.idling = False
            self.endpoint.idle.remove(self)
        return owner


def take_idle(endpoint: Endpoint) -> UpstreamConnection | None:
    """The connection used last: the least likely to be closed by the other side, and the others can time out."""
    idle = endpoint.idle
    while idle:
        connection = idle.pop()
        connection.idling = False
        if connection.transport.is_closing():
            continue
        if not (endpoint.hangs_up and connection.has_ended()):
            return connection
        connection.transport.close()
    return None


def close_expired(endpoint: Endpoint, now: float) -> None:
    """Close what has idled too long."""
    for connection in [connection for connection in endpoint.idle if connection.deadline < now]:
        connection.close()
