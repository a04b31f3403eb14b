"""The protocol object of one client connection: finds request heads and bodies, one exchange at a time, in order.

Rule 1: while an exchange is in flight, what follows it (pipelined requests) waits, bounded by MAX_AHEAD_BYTES.
Rule 2: reading stops whenever somebody cannot keep up (``holds``).
Rule 3: an answer that leaves its request unread ends the connection gently (linger), so that the answer arrives.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from coalmine.routing.decision import Reply
from proxy.embedded import grammar
from proxy.embedded.body import BodyReader, FramingError, LengthReader, trailer_of
from proxy.embedded.exchange import Exchange
from proxy.embedded.fast import FastExchange
from proxy.embedded.fields import RequestFields, bad_request, refuse
from proxy.embedded.holds import AHEAD, CONNECTING, UPSTREAM_FULL, Holds
from proxy.embedded.options import LINGER_SECONDS, MAX_AHEAD_BYTES, MAX_DISCARD_BYTES, MAX_EMPTY_LINES
from proxy.embedded.outbox import Outlet, Piece
from proxy.embedded.replies import make_reply
from proxy.embedded.request import Request, parse_line, read_fields, read_plain_line, refuse_early, refuse_large
from proxy.embedded.tunnel import pass_end

if TYPE_CHECKING:
    from proxy.embedded.engine import Engine

_HEAD_END = b"\r\n\r\n"
_CR = 13


class ClientConnection(Holds):
    __slots__ = (
        "_ahead",
        "_engine",
        "_exchange",
        "_fast",
        "_fields",
        "_half_closed",
        "_lingering",
        "_reader",
        "_running",
        "_seen",
        "_trusted",
        "deadline",
        "scheme",
        "source",
        "write",
        "write_message",
        "write_paused",
    )

    write: Callable[[bytes], None]
    write_message: Callable[[bytes, Piece], None]

    def __init__(self, engine: Engine, scheme: str = "http") -> None:
        self._engine = engine
        self.scheme = scheme
        self._ahead: bytes | bytearray = b""  # read, but not yet anybody's
        self._exchange: Exchange | FastExchange | None = None
        self._fast: FastExchange | None = None  # once there is a request that could use it
        self._reader: BodyReader | None = None  # of the current request's body, until it is complete
        self._fields: RequestFields | None = None  # of the last request
        self._holds = 0
        self._running = False
        self._seen = 0  # bytes of an incomplete head that are in order so far
        self._lingering = False
        self._half_closed = False
        self.write_paused = False  # the client reads too slowly
        self.source = ""
        self._trusted = False
        self.deadline = math.inf

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = Outlet(cast(asyncio.Transport, transport), self._engine.outbox)
        self.write = self.transport.write
        self.write_message = self.transport.write_message
        peer = transport.get_extra_info("peername")
        self.source = peer[0] if isinstance(peer, tuple) else ""
        engine = self._engine
        self._trusted = engine.trusted.trusts(self.source)
        if engine.admit(self):
            self.deadline = engine.clock.read() + engine.options.header_timeout_seconds
        else:
            self.deadline = engine.clock.read() + LINGER_SECONDS
            self._refuse(make_reply("overloaded"))

    def data_received(self, data: bytes) -> None:
        if (
            self._exchange is None
            and self._reader is None
            and not (self._ahead or self._lingering or self.write_paused or self._half_closed)
            and self._begin_at_once(data)
        ):
            return
        if self._reader is not None:
            data = self._read_body(data)
        elif self._exchange is not None and self._exchange.tunnelling:
            self._exchange.grow().client_tunnelled(data)
            return
        if data and not self._lingering:
            self._keep(data)

    def eof_received(self) -> bool:
        """The client sends no more. A request that is complete is still answered (half-close)."""
        if self._exchange is None or self._reader is not None:
            self._engine.outbox.flush()  # an answer of this turn: the transport closes now
            return False
        if self._exchange.tunnelling:
            exchange = self._exchange.grow()
            passed = exchange.upstream is not None and pass_end(exchange, exchange.upstream.transport)
            return passed and self.transport.can_write_eof()
        # After a close_notify nothing can be sent here: TLS connections have no half that stays open.
        self._half_closed = self.transport.can_write_eof()
        return self._half_closed

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.leave(self)
        self._fast = None
        if self._exchange is not None:
            exchange, self._exchange = self._exchange.grow(), None
            exchange.client_lost()

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._exchange is not None:
            self._exchange.client_full()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._exchange is not None:
            self._exchange.client_drained()
        self._advance()

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return self._exchange is not None

    # Finding requests

    def _keep(self, data: bytes) -> None:
        if not self._ahead:
            self._ahead = data
            if self._exchange is None:
                self.deadline = self._engine.clock.read() + self._engine.options.header_timeout_seconds
        else:
            if isinstance(self._ahead, bytes):
                self._ahead = bytearray(self._ahead)
            self._ahead += data
        if self._exchange is not None:
            if len(self._ahead) > MAX_AHEAD_BYTES:
                self._hold(AHEAD)
            return
        self._advance()

    def _advance(self) -> None:
        """Take requests from what has been read; a loop, because answers may come at once."""
        if self._running:
            return
        self._running = True
        while self._ahead and self._can_begin():
            if not self._take_head():
                break
        self._running = False
        if self._half_closed and (self._exchange is None or self._reader is not None):
            self.transport.close()  # what is missing of a request will never come
        if len(self._ahead) <= MAX_AHEAD_BYTES:
            self._release(AHEAD)

    def _begin_at_once(self, data: bytes) -> bool:
        """Begin with ``data`` where it has a whole head: so most of them come, and mostly nothing behind."""
        size, limit, fields = len(data), self._engine.options.max_header_bytes, self._fields
        if fields is not None and size - 4 <= limit and data.endswith(fields.tail):
            end = size - fields.tail_length
            if fields.fast and self._begin_fast(data[:end], fields):
                return True
            request = read_plain_line(data, end, fields, self.source, self.scheme)
            if request is not None:
                self._begin(request)
                return True
        end = data.find(_HEAD_END) + 4
        if not 4 < end <= limit + 4 or data[0] == _CR:
            return False
        self._ahead = data[end:]
        self._begin_with(data[:end])
        if self._exchange is not None and len(self._ahead) > MAX_AHEAD_BYTES:
            self._hold(AHEAD)
        return True

    def _begin_whole(self, line: bytes, fields: RequestFields) -> bool:
        """Begin with a request whose body has come with its head."""
        body, self._ahead = bytes(self._ahead), b""
        if len(body) <= self._engine.options.max_replay_body_bytes and self._begin_fast(line, fields, body):
            return True
        self._ahead = body
        return False

    def _begin_fast(self, line: bytes, fields: RequestFields, body: bytes = b"") -> bool:
        fast = self._fast
        if fast is None:
            if self._trusted or not self._engine.fast:
                return False
            fast = self._fast = FastExchange(self._engine, self)
        self._exchange = fast
        if fast.begin(line, fields, body):
            return True
        self._exchange = None
        return False

    def replace_exchange(self, exchange: Exchange) -> None:
        """The request in flight has grown into ``exchange``."""
        self._exchange = exchange

    def _can_begin(self) -> bool:
        return not (
            self._exchange or self._reader or self._lingering or self.write_paused or self.transport.is_closing()
        )

    def _take_head(self) -> bool:
        """Begin the exchange of the next request; whether there was a whole head."""
        ahead = self._ahead
        if ahead[:2] == b"\r\n":
            start = grammar.skip_empty_lines(ahead)
            if start > 2 * MAX_EMPTY_LINES:
                self._refuse(bad_request("a request begins with its request line"))
                return False
            if ahead[start:] in (b"", b"\r"):
                return False  # there may be more of them
            self._ahead = ahead = ahead[start:]
            self._seen = 0
        end = ahead.find(b"\r\n\r\n")
        limit = self._engine.options.max_header_bytes
        if end < 0 or end > limit:
            self._judge_partial(ahead, end, limit)
            return False
        raw = bytes(ahead[: end + 4])
        self._ahead = ahead[end + 4 :]
        self._seen = 0
        return self._begin_with(raw)

    def _begin_with(self, raw: bytes) -> bool:
        """Begin the exchange of the request whose head is ``raw``; whether it is one."""
        end = raw.find(b"\r\n")
        if self._fields is None:
            fields = self._engine.first_fields.read(raw[end:-4], self.source, self.scheme)
        else:
            fields = read_fields(raw, end, self._fields)
        if isinstance(fields, RequestFields):
            self._fields = fields
            if fields.fast and self._begin_fast(raw[:end], fields):
                return True
            if fields.framing and len(self._ahead) == fields.length and self._begin_whole(raw[:end], fields):
                return True
        request = parse_line(raw, end, fields, self.source, self.scheme)
        if isinstance(request, Reply):
            self._refuse(request)
            return False
        self._begin(request)
        return True

    def _begin(self, request: Request) -> None:
        if self._trusted:
            request.peer = self.source
            request.scheme = request.fields.forwarded_proto or request.scheme
            request.source = self._engine.trusted.find_source(
                self.source, request.fields.forwarded_for.decode("latin-1")
            )
        exchange = self._exchange = Exchange(self._engine, self, request)
        if request.fields.has_body:
            self._begin_body(exchange)
        else:
            exchange.begin()

    def _judge_partial(self, ahead: bytes | bytearray, end: int, limit: int) -> None:
        if end > limit or len(ahead) > limit + 3:  # a whole head of the largest size has four bytes more
            self._refuse(refuse_large(ahead[:limit]))
            return
        reply = refuse_early(ahead, self._seen)
        self._seen = len(ahead)
        if reply is not None:
            self._refuse(reply)

    def _begin_body(self, exchange: Exchange) -> None:
        self._reader = exchange.request.body_reader()
        exchange.request_done = False
        exchange.begin()
        self.pass_ahead()

    def pass_ahead(self) -> None:
        """Pass on what of the body has come with its head."""
        if self._reader is not None and self._ahead:
            data, self._ahead = bytes(self._ahead), b""
            self._ahead = self._read_body(data)
            if self._exchange is None:  # it was answered without its body, behind which the next request may stand
                self._advance()

    def _read_body(self, data: bytes) -> bytes:
        """Pass body bytes to the exchange; what is left belongs to the next request."""
        reader = self._reader
        assert reader is not None
        try:
            body, done, rest = reader.feed(data)
        except FramingError as error:
            self._fail_body(str(error))
            return b""
        if done:
            self._reader = None
        if self._exchange is not None:
            self._exchange.grow().body_received(body, done, trailer_of(reader))
        elif done:
            self._discarded()
        return rest

    def _fail_body(self, detail: str) -> None:
        if self._exchange is not None:
            self._exchange.grow().refuse(refuse("bad_request", detail), last=True)
        else:
            self.linger()

    # Ends

    def _refuse(self, reply: Reply) -> None:
        """Answer what is not a request; nothing after it can be trusted, so the connection ends."""
        self.write(self._engine.refuse(reply, self.source))
        self.linger(unread=True)

    def exchange_done(self, exchange: Exchange | FastExchange, keep: bool) -> None:
        """The answer is written; ``keep``: the connection may serve another request."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        if self._holds:
            self._release(UPSTREAM_FULL | CONNECTING)
        if not keep:
            self.linger()
            return
        engine = self._engine
        if self._ahead or self._reader or self._half_closed:
            self.deadline = engine.clock.last + engine.options.header_timeout_seconds
            self._advance()
        else:
            self.deadline = engine.clock.last + engine.options.idle_timeout_seconds

    def can_discard(self) -> bool:
        """Whether reading the rest of an unwanted body, if any, is cheaper than a new connection."""
        if self._reader is None:
            return True
        withheld = self._exchange is not None and self._exchange.grow().request.expects_continue
        return not withheld and isinstance(self._reader, LengthReader) and self._reader.left <= MAX_DISCARD_BYTES

    def _discarded(self) -> None:
        self.deadline = self._engine.clock.read() + self._engine.options.idle_timeout_seconds
        self._advance()

    def linger(self, *, unread: bool = False) -> None:
        """Close; where the client may still be sending, only once it has had time to read (RFC 9112 section 9.6)."""
        self._lingering = True
        if not (unread or self._reader or self._ahead or self._holds):
            self.transport.close_soon()
            return
        self._reader = None
        self._ahead = b""
        self._holds = 0
        if not self.transport.is_closing():
            self.transport.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self.deadline = self._engine.clock.read() + LINGER_SECONDS

    def reset(self) -> None:
        """End the connection so that nobody can take what was sent for a whole answer (RFC 9112 section 8)."""
        self.transport.reset()

    def expire(self, now: float) -> None:
        if self._exchange is not None:
            self._exchange.grow().expire(now)
        elif self._ahead and not self._lingering:
            self._refuse(refuse("request_timeout", "the request head did not arrive in time"))
        else:
            self.transport.abort()

    def take_ahead(self) -> bytes:
        """What the client sent behind a request whose connection becomes a tunnel."""
        ahead, self._ahead = bytes(self._ahead), b""
        self._release(AHEAD)
        return ahead

    def stop_when_idle(self) -> None:
        """Draining: an idle connection closes now, a busy one after its answer."""
        if not (self._exchange or self._ahead or self._reader or self._lingering):
            self.transport.close()
