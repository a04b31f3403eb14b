"""One request in flight: decide, connect, send, relay, finish. It owns an upstream connection while it needs one.

Rule 1: one request sees one snapshot: ``served`` is read once.
Rule 2: until a byte of an answer has gone to the client anything can still become a problem reply or another try;
        afterwards an answer that breaks off ends the client's connection, and is never made to look complete.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from coalmine.routing.decide import decide
from coalmine.routing.decision import Decision, Forward, Reply
from proxy.embedded.body import Encode, encode_chunked
from proxy.embedded.fields import refuse
from proxy.embedded.forwarding import (
    choose_encoding,
    onward,
    repeat_response_head,
    write_interim_head,
    write_request_head,
    write_response_head,
)
from proxy.embedded.mirror import start_mirror
from proxy.embedded.options import CLIENT_LEFT, CONTINUE_SECONDS
from proxy.embedded.outbox import Piece
from proxy.embedded.places import leave_place
from proxy.embedded.replies import CONTINUE
from proxy.embedded.request import Request
from proxy.embedded.response import Response
from proxy.embedded.sending import Collect, PassOn
from proxy.embedded.spans import Trace
from proxy.embedded.tries import Tries
from proxy.embedded.tunnel import arm_tunnel, open_tunnel, pass_end
from proxy.embedded.upstream import UpstreamConnection
from proxy.embedded.ways import Way

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.engine import Engine


class Exchange(Tries):
    """An owner of an upstream connection (``upstream.Owner``), and what its client connection talks to."""

    __slots__ = (
        "_close",
        "_encode",
        "_withheld",
        "half_closed",
        "received",
        "reply",
        "request",
        "sent",
        "sent_at",
        "served",
        "started",
        "status",
        "tunnelling",
        "upstream_seconds",
        "way",
    )

    _encode: Encode

    def __init__(self, engine: Engine, client: ClientConnection, request: Request) -> None:
        # All at once: slots are read many times per request, and several times as fast as defaults of a class.
        self.engine = engine
        self.client = client
        self.request = request
        self.served = engine.served
        self.started = engine.clock.read()
        self.forward = self.endpoint = self.upstream = self.sink = self.budget = None
        self._attempt = self._timer = None
        self.over = self._begun = self._fresh = self._retrying = False
        self.tries = 0
        self._limit = 0.0
        self.reply: Reply | None = None
        self.way: Way | None = None  # of a quiet request, whose head it writes
        self.status = 0
        self.sent_at = 0.0
        self.upstream_seconds: float | None = None
        self.received = self.sent = 0  # bytes of content, of the request and of the answer
        self.request_done = True
        self.tunnelling = False
        self.half_closed = False  # one side of the tunnel has ended
        self._withheld = False  # the client waits for 100 (Continue) before it sends its body
        self._close = False  # the client's connection ends with this exchange
        self.trace = None if engine.telemetry is None else Trace(engine.telemetry, request, time.time_ns)

    # Deciding

    def grow(self) -> Exchange:
        return self

    def begin(self) -> None:
        request = self.request
        way = self.served.ways.find(request, self.engine.draw)
        if way is None or request.fields.max_forwards == 0:
            self._decide()
        elif way.quick and request.fields.quiet:
            self.way = way
            self.forward = way.forward
            self.lane = way.lane
            self._connect()
        else:
            self._start_forward(way.forward_for(request))

    def _decide(self) -> None:
        engine, request = self.engine, self.request
        if request.path == "*" or (request.fields.max_forwards == 0 and request.verb in (b"OPTIONS", b"TRACE")):
            # RFC 9110 sections 7.6.2 and 9.3.7: ours to answer. What TRACE would tell (cookies) is for nobody to read.
            no_trace = refuse("method_not_implemented", "this gateway answers no TRACE")
            self._answer(Reply(200) if request.verb == b"OPTIONS" else no_trace)
            return
        limit = engine.options.max_read_body_bytes
        self.carry_out(decide(self.served.table, request, engine.draw, body_limit=limit, limits=engine.limits))

    def carry_out(self, decision: Decision) -> None:
        if isinstance(decision, Forward):
            self._start_forward(decision)
        elif isinstance(decision, Reply):
            self._after(decision.delay_seconds, lambda: self._answer(decision))
        else:
            self.sink = collect = Collect(self, decision)
            collect.begin()

    # The request's way

    def _start_forward(self, forward: Forward) -> None:
        engine, request = self.engine, self.request
        self.forward = forward
        self.lane = self.served.lanes.find(forward)
        passing = None
        if forward.body == "stream" and not self.request_done:
            self.sink = passing = PassOn(self.client, request.fields.chunked, engine.options.max_replay_body_bytes)
            self._withheld = request.expects_continue
        if forward.mirror is not None and not request.upgrade:
            start_mirror(engine, forward.mirror, request, passing)
        if passing is not None:
            self.client.pass_ahead()  # now, so that it goes out with the head, in one write
        if not self.over:
            self._after(forward.delay_seconds, self._connect)

    def connected(self, connection: UpstreamConnection) -> None:
        forward = self.forward
        if self.over or forward is None:
            connection.put_back()
            return
        self.upstream = connection
        self._attempt = None
        if self.client.write_paused:  # by the answer before this one
            connection.pause()
        self.sent_at = self.engine.clock.last
        authority, request_id = connection.endpoint.authority, self.engine.identify(self.request)
        if self.trace is not None:
            request_id += self.request.trace_block
        if self.way is not None:
            request = self.request
            query = b"" if request.query is None else b"?" + request.query.encode("ascii")
            head = self.way.write_head(query, request.authority, authority, onward(request), request_id)
            connection.send(self, forward.method, head)
            return
        data = write_request_head(forward, self.request, self.lane, authority, request_id)
        if isinstance(forward.body, bytes):
            data += forward.body
        elif isinstance(self.sink, PassOn):
            data += self.sink.attach(connection)
        connection.send(self, forward.method, data)
        if self._withheld:  # some servers wait for the body and say nothing
            asyncio.get_running_loop().call_later(CONTINUE_SECONDS, self._encourage)

    def body_received(self, body: bytes, done: bool, trailer: bytes) -> None:
        """A piece of the request's body; ``done``: the last one."""
        self.request_done = done
        self._withheld = False
        self.received += len(body)
        if self.sink is None:
            return
        self.sink.receive(body, done, trailer)
        if self.upstream is not None and not self.over:
            now = self.engine.clock.read()
            self._limit = now + self.lane.timeout
            self._arm(now)

    def upstream_full(self) -> None:
        self.client.hold_upstream()

    def upstream_drained(self) -> None:
        self.client.release_upstream()

    # The answer's way

    def interim_received(self, response: Response) -> None:
        """RFC 9110 section 15.2: passed on, except to HTTP/1.0, and 100 only to those who wait for it."""
        if response.status == 100:
            self._encourage()
        elif self.request.minor:
            self.client.write(write_interim_head(response))

    def _encourage(self) -> None:
        """Tell a client that withholds its body to send it: once, and only while that makes sense."""
        if self._withheld and not self.over and not self._begun and self.upstream is not None:
            self._withheld = False
            self.client.write(CONTINUE)

    def response_whole(self, response: Response, body: Piece) -> None:
        """An answer with all its content, which is what its Content-Length says; the connection is free already."""
        self.upstream = None
        if not self._accept(response):
            return
        forward, request = self.forward, self.request
        assert forward is not None
        if request.verb == b"HEAD":
            body = b""
        # A request that has not come to its end may never do so.
        self._close = not (self.request_done and request.persistent) or self.engine.draining
        if request.plain and not forward.response_headers:
            head = repeat_response_head(response, forward, self.lane, request, close=self._close)
        else:
            date = self.engine.sweep.date
            head = write_response_head(response, forward, self.lane, request, chunk=False, close=self._close, date=date)
        self.client.write_message(head, body)
        self.sent = len(body)
        self._finish()

    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None:
        if not self._accept(response):
            return
        forward = self.forward
        assert forward is not None
        self._encode, close = choose_encoding(response, self.request)
        self._close = close or not self.request_done or self.engine.draining
        chunk, date, lane = self._encode is encode_chunked, self.engine.sweep.date, self.lane
        head = write_response_head(response, forward, lane, self.request, chunk=chunk, close=self._close, date=date)
        self.client.write(head + self._encode(body, done, trailer))
        self.sent += len(body)
        if not done:
            self._arm(self.engine.clock.last)

    def _accept(self, response: Response) -> bool:
        """Whether this is the answer; else another try is under way."""
        self.upstream_seconds = self.engine.clock.read() - self.sent_at
        status = response.status
        if status < 400:
            if self.endpoint is not None:
                self.endpoint.failures = 0
        elif self._judge(status):
            return False
        if self._retrying:
            self._end_retry()
        self.status = status
        self._begun = True
        return True

    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None:
        self.sent += len(body)
        self.client.write(self._encode(body, done, trailer))
        self._arm(self.engine.clock.read())

    def response_done(self) -> None:
        if not self.over:
            self.upstream = None
            self._finish()

    def client_full(self) -> None:
        if self.upstream is not None:
            self.upstream.pause()

    def client_drained(self) -> None:
        if self.upstream is not None:
            self.upstream.resume()
            if self._begun and not self.tunnelling:
                self._arm(self.engine.clock.read())

    # Tunnels

    def tunnel_opened(self, response: Response, data: bytes) -> None:
        if response.upgrade and response.upgrade == self.request.upgrade:
            self.status = 101
            self.upstream_seconds = self.engine.clock.read() - self.sent_at
            self._begun = self.tunnelling = True
            open_tunnel(self, response, data)
        else:
            self._abandon()
            self.upstream_failed("protocol", "the upstream switched to a protocol that nobody asked for")

    def tunnel_received(self, data: bytes) -> None:
        arm_tunnel(self)
        self.sent += len(data)
        self.client.write(data)

    def client_tunnelled(self, data: bytes) -> None:
        arm_tunnel(self)
        self.received += len(data)
        if self.upstream is not None:
            self.upstream.write(data)

    def upstream_ended(self) -> bool:
        return self.tunnelling and pass_end(self, self.client.transport)

    # Failures

    def expire(self, now: float) -> None:
        """The deadline has passed: of a try, of the answer's next part, or of the client's body."""
        self.engine.counters.timeouts += 1
        if self.upstream is not None:
            self.upstream.abort()
        if self._begun:
            self._break_off()
        elif not self.request_done and not self.client.held_by_upstream():
            self.refuse(refuse("request_timeout", "the request body did not arrive in time"), last=True)
        else:
            seconds = self.lane.timeout if now >= self._limit else self.lane.per_try
            self.upstream_failed("timeout", f"no answer within {seconds:g} seconds")

    def _break_off(self) -> None:
        """The answer cannot be completed: the client must see that (RFC 9112 section 8)."""
        self._end()
        if self.tunnelling or self.request.minor:
            self.client.transport.close()  # its framing shows that something is missing
        else:
            self.client.reset()

    def client_lost(self) -> None:
        if isinstance(self.sink, PassOn):
            self.sink.give_up()
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            if self.tunnelling:
                upstream.close()
            else:
                upstream.abort()
        if not self.over:
            self.status = self.status or CLIENT_LEFT
            self._end()

    # Ends

    def refuse(self, reply: Reply, *, last: bool = False) -> None:
        """Answer with a problem, whatever was under way; once an answer has begun, break it off.

        ``last``: the client's connection cannot go on, because where the next request begins is unknown.
        """
        self._abandon()
        if self._begun:
            self._break_off()
            return
        if self.forward is not None:
            reply.route = reply.route or self.forward.route
            reply.destination = reply.destination or self.forward.destination
            reply.headers += self.forward.response_headers  # a page that may read the answer may read the problem
        elif isinstance(self.sink, Collect):
            self.sink.claim(reply)
        self._answer(reply, last=last)

    def _answer(self, reply: Reply, *, last: bool = False) -> None:
        if self.over:
            return
        request = self.request
        self.reply = reply
        self.status = reply.status
        self._close = last or not request.persistent or self.engine.draining or not self.client.can_discard()
        self.client.transport.write_soon(self.engine.answer(self, reply, close=self._close))
        self._finish()

    def _finish(self) -> None:
        self._end()
        self.client.exchange_done(self, not self._close)

    def _end(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._retrying:
            self._end_retry()
        leave_place(self)
        self.engine.record(self)
