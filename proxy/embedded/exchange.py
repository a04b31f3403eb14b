"""One request in flight: decide, connect, send, relay, finish. It owns an upstream connection while it needs one.

Rule 1: one request sees one snapshot: ``served`` is read once.
Rule 2: until a byte of an answer has gone to the client anything can still become a problem reply or another try;
        afterwards an answer that breaks off ends the client's connection, and is never made to look complete.
Rule 3: body pieces pass in the turn in which they come; what is kept of them is bounded by MAX_REPLAY_BYTES.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from coalmine.model import RetryCondition
from coalmine.routing.decide import decide
from coalmine.routing.decision import Decision, Forward, ReadBody, Reply
from proxy.embedded.body import encode_chunk, encode_end
from proxy.embedded.endpoints import COST_OF_CONNECTION, COST_OF_STATUS, Cluster, Endpoint
from proxy.embedded.forwarding import (
    write_interim_head,
    write_request_head,
    write_response_head,
    write_tunnel_head,
)
from proxy.embedded.mirror import Mirror
from proxy.embedded.options import MAX_REPLAY_BYTES
from proxy.embedded.replies import CONTINUE, format_reply, make_reply
from proxy.embedded.request import Request, refuse
from proxy.embedded.response import Response
from proxy.embedded.retry import (
    CODE_OF_FAILURE,
    IDEMPOTENT,
    OF_FAILURE,
    conditions_of_status,
    pause_before,
    wants_retry,
)
from proxy.embedded.upstream import Failure, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.engine import Engine

# What is recorded for a client that left before its answer was complete (nginx's number for it).
CLIENT_LEFT = 499


class Exchange:
    """An owner of an upstream connection (``upstream.Owner``), and what its client connection talks to.

    One is made per request, so what is rare stands as a class attribute until an exchange has it.
    """

    forward: Forward | None = None
    reply: Reply | None = None
    cluster: Cluster | None = None
    endpoint: Endpoint | None = None
    upstream: UpstreamConnection | None = None
    status = 0
    sent_at = 0.0
    upstream_seconds: float | None = None
    request_done = True
    over = False
    tunnelling = False
    _begun = False  # a byte of the final answer has gone to the client
    _chunk = False  # the answer goes out chunked
    _close = False  # the client's connection ends with this exchange
    _fresh = False  # no pooled connection for the next try
    _tries = 0
    _timeout = 60.0
    _limit = 0.0  # until when the response head must have come
    _held: list[bytes] | None = None  # the request body so far, as it goes on the wire; None: not replayable
    _held_size = 0
    _body_limit: ReadBody | None = None
    _mirror: Mirror | None = None
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, engine: Engine, client: ClientConnection, request: Request) -> None:
        self.engine = engine
        self.client = client
        self.request = request
        self.served = engine.served
        self.started = engine.now()

    # Deciding

    def begin(self) -> None:
        request = self.request
        if request.max_forwards == 0 and request.verb in (b"OPTIONS", b"TRACE"):
            self._answer(Reply(200 if request.verb == b"OPTIONS" else 405))  # RFC 9110 section 7.6.2: ours to answer
            return
        engine = self.engine
        self._carry_out(decide(self.served.table, request, engine.draw, body_limit=engine.options.max_read_body_bytes))

    def _carry_out(self, decision: Decision) -> None:
        if isinstance(decision, Forward):
            self._start_forward(decision)
        elif isinstance(decision, Reply):
            self._after(decision.delay_seconds, lambda: self._answer(decision))
        else:
            self._start_reading(decision)

    def _start_forward(self, forward: Forward) -> None:
        self.forward = forward
        route = forward.route.definition
        self._timeout = route.timeout_seconds or self.engine.options.upstream_timeout_seconds
        self._held = []
        self.cluster = self.served.clusters.get(forward.upstream)
        if self.cluster is None:
            self.refuse(make_reply("upstream_missing"))
            return
        if forward.mirror is not None and not self.request.upgrade:
            self._start_mirror(forward.mirror)
        if forward.delay_seconds:
            self._after(forward.delay_seconds, self._connect)
        else:
            self._connect()

    def _start_mirror(self, forward: Forward) -> None:
        mirror = Mirror(self.engine, forward, self.request, self.request_id())
        if self.request_done or forward.body != "stream":
            mirror.start()
        else:
            self._mirror = mirror

    def _after(self, seconds: float, then: object) -> None:
        assert callable(then)
        if seconds <= 0:
            then()
            return
        self.client.deadline = math.inf  # the timer is the deadline
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    # Reading a body that the call plan needs

    def _start_reading(self, decision: ReadBody) -> None:
        self._body_limit = decision
        self._held = []
        self.client.deadline = self.started + self.engine.options.upstream_timeout_seconds
        if (self.request.length or 0) > decision.limit:
            self._refuse_large(decision)
        elif self.request_done:
            self._resume(decision)
        elif self.request.expects_continue:
            self.client.write(CONTINUE)

    def _read_piece(self, decision: ReadBody, body: bytes) -> None:
        assert self._held is not None
        self._held.append(body)
        self._held_size += len(body)
        if self._held_size > decision.limit:
            self._refuse_large(decision)
        elif self.request_done:
            self._resume(decision)

    def _resume(self, decision: ReadBody) -> None:
        self._body_limit = None
        body = b"".join(self._held or ())
        self._held_size = 0
        resumed = decision.resume(body)
        if isinstance(resumed, Forward) and resumed.body == "stream":
            resumed.body = body
        self._carry_out(resumed)

    def _refuse_large(self, decision: ReadBody) -> None:
        self._body_limit = None
        reply = refuse("body_too_large", f"the body is read only up to {decision.limit} bytes")
        reply.route = decision.route
        self.refuse(reply)

    # The request's way

    def _connect(self) -> None:
        if self.over or self.cluster is None:
            return
        self._timer = None
        engine = self.engine
        now = engine.now()
        if not self._tries:
            self._limit = now + self._timeout
        self._tries += 1
        self.upstream = None
        self.endpoint = self.cluster.pick(now, self.endpoint)
        self._arm(now)
        engine.connector.connect(self.endpoint, self, fresh=self._fresh)

    def _arm(self, now: float) -> None:
        """The next deadline: of this try while no answer has begun, else of its next part."""
        assert self.forward is not None
        if self._begun:
            self.client.deadline = now + self._timeout
            return
        retries = self.forward.route.definition.retries
        per_try = retries.per_try_timeout_seconds if retries is not None else None
        self.client.deadline = min(self._limit, now + per_try) if per_try else self._limit

    def connected(self, connection: UpstreamConnection) -> None:
        forward, endpoint = self.forward, self.endpoint
        if self.over or forward is None or endpoint is None:
            connection.put_back()
            return
        self.upstream = connection
        self.sent_at = self.engine.now()
        head = write_request_head(forward, self.request, endpoint.authority, self.request_id())
        connection.send(self, self.request.verb, head + self._body_so_far(forward))
        self.client.release_connecting()

    def _body_so_far(self, forward: Forward) -> bytes:
        if isinstance(forward.body, bytes):
            return forward.body
        if not self._held:
            return b""
        wire = b"".join(self._held)
        if self._held_size > MAX_REPLAY_BYTES:
            self._held = None
        return wire

    def body_received(self, body: bytes, done: bool, trailer: bytes) -> None:
        """A piece of the request's body; ``done``: the last one."""
        self.request_done = done
        if self._body_limit is not None:
            self._read_piece(self._body_limit, body)
        elif self.forward is not None and self.forward.body == "stream":
            self._pass_on(body, done, trailer)

    def _pass_on(self, body: bytes, done: bool, trailer: bytes) -> None:
        if self._mirror is not None and not self._mirror.collect(body, done):
            self._mirror = None
        if self.request.chunked:
            wire = encode_chunk(body) + encode_end(trailer) if done else encode_chunk(body)
        else:
            wire = body
        if self._held is not None:
            self._hold(wire)
        if self.upstream is not None:
            self.upstream.write(wire)
            now = self.engine.now()
            self._limit = max(self._limit, now + self._timeout)
            self._arm(now)

    def _hold(self, wire: bytes) -> None:
        assert self._held is not None
        self._held.append(wire)
        self._held_size += len(wire)
        if self._held_size > MAX_REPLAY_BYTES:
            if self.upstream is None:
                self.client.hold_connecting()
            else:
                self._held = None

    def upstream_full(self) -> None:
        self.client.hold_upstream()

    def upstream_drained(self) -> None:
        self.client.release_upstream()

    # The answer's way

    def interim_received(self, response: Response) -> None:
        """RFC 9110 section 15.2: passed on, except to HTTP/1.0, and 100 only to those who wait for it."""
        if self.request.minor and (response.status != 100 or self.request.expects_continue):
            self.client.write(write_interim_head(response))

    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None:
        forward, cluster, endpoint = self.forward, self.cluster, self.endpoint
        assert forward is not None and cluster is not None and endpoint is not None
        now = self.engine.now()
        self.upstream_seconds = now - self.sent_at
        if response.status >= 500:
            self.engine.count_failure(cluster, endpoint, COST_OF_STATUS)
        elif endpoint.failures:
            cluster.succeeded(endpoint)
        if response.status >= 400 and self._retry(conditions_of_status(response.status)):
            return
        self.status = response.status
        self._begun = True
        self._frame(response)
        head = write_response_head(response, forward, self.request, chunk=self._chunk, close=self._close)
        self.client.write(head + self._encode(body, done, trailer))
        self._arm(now)

    def _frame(self, response: Response) -> None:
        """How the client is told where the answer ends, and whether its connection goes on."""
        request = self.request
        has_body = response.body_reader(request.verb) is not None
        unknown_length = has_body and (response.chunked or response.length is None)
        self._chunk = unknown_length and request.minor > 0
        self._close = (
            not request.persistent
            or (unknown_length and request.minor == 0)
            or not self.request_done  # the rest of the request may never come
            or self.engine.draining
        )

    def _encode(self, body: bytes, done: bool, trailer: bytes) -> bytes:
        if not self._chunk:
            return body
        return encode_chunk(body) + encode_end(trailer) if done else encode_chunk(body)

    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None:
        self.client.write(self._encode(body, done, trailer))
        self._arm(self.engine.now())

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
                self._arm(self.engine.now())

    # Tunnels

    def tunnel_opened(self, response: Response, data: bytes) -> None:
        assert self.forward is not None and self.upstream is not None
        if not self.request.upgrade or response.upgrade != self.request.upgrade:
            self.upstream.abort()
            self.upstream_failed("protocol", "the upstream switched to a protocol that nobody asked for")
            return
        self.status = 101
        self._begun = self.tunnelling = True
        self.client.deadline = math.inf
        self.engine.counters.tunnels += 1
        self.client.write(write_tunnel_head(response, self.forward, self.request.upgrade) + data)
        ahead = self.client.take_ahead()
        if ahead:
            self.upstream.write(ahead)

    def tunnel_received(self, data: bytes) -> None:
        self.client.write(data)

    def client_tunnelled(self, data: bytes) -> None:
        if self.upstream is not None:
            self.upstream.write(data)

    # Failures

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        connection, self.upstream = self.upstream, None
        if self.over:
            return
        if self._begun:
            self._break_off()
            return
        if failure == "reset" and connection is not None and self._was_stale(connection):
            self.engine.counters.stale_connections += 1
            self._fresh = True
            self._tries -= 1
            self._connect()
            return
        if self.cluster is not None and self.endpoint is not None:
            cost = COST_OF_CONNECTION if failure == "connect-failure" else COST_OF_STATUS
            self.engine.count_failure(self.cluster, self.endpoint, cost)
        if not self._retry(OF_FAILURE[failure]):
            self.refuse(make_reply(CODE_OF_FAILURE[failure], detail))

    def _was_stale(self, connection: UpstreamConnection) -> bool:
        """RFC 9112 section 9.3.1: a kept connection that ended before it answered, a request that may be repeated."""
        return (
            connection.reused
            and not connection.answered
            and not self._fresh
            and self.request.verb in IDEMPOTENT
            and self._held is not None
        )

    def _retry(self, met: frozenset[RetryCondition]) -> bool:
        """Try once more if the route says so and the request can be sent again; whether it will be."""
        assert self.forward is not None
        retries = self.forward.route.definition.retries
        if retries is None or self._held is None or self.engine.now() >= self._limit:
            return False
        if not wants_retry(retries, met, self._tries):
            return False
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
        self.engine.counters.retries += 1
        self._after(pause_before(self._tries, self.engine.draw()), self._connect)
        return True

    def expire(self, now: float) -> None:
        """The deadline has passed: of a try, of the answer's next part, or of the client's body."""
        self.engine.counters.timeouts += 1
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
        if self._begun:
            self._break_off()
        elif not self.request_done and not self.client.held_by_upstream():
            self.refuse(refuse("request_timeout", "the request body did not arrive in time"))
        else:
            self.upstream_failed("timeout", f"no answer within {self._timeout:g} seconds")

    def _break_off(self) -> None:
        """The answer cannot be completed: the client must see that (RFC 9112 section 8)."""
        framed = self._chunk or not self._close or self.request.minor > 0
        self._end()
        if self.tunnelling or framed:
            self.client.transport.close()
        else:
            self.client.reset()

    def client_lost(self) -> None:
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

    def refuse(self, reply: Reply) -> None:
        """Answer with a problem, whatever was under way; once an answer has begun, break it off."""
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
        if self._begun:
            self._break_off()
            return
        if self.forward is not None:
            reply.route = reply.route or self.forward.route
            reply.destination = reply.destination or self.forward.destination
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if self.over:
            return
        request = self.request
        self.reply = reply
        self.status = reply.status
        self._close = not request.persistent or self.engine.draining or not self.client.can_discard()
        self.client.write(
            format_reply(
                reply,
                instance=request.path,
                verb=request.verb,
                close=self._close,
                keep=request.minor == 0 and not self._close,
                date=self.engine.sweep.date,
            )
        )
        self._finish()

    def _finish(self) -> None:
        self._end()
        self.client.exchange_done(self, not self._close)

    def _end(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.engine.record(self)

    def request_id(self) -> bytes:
        if not self.request.request_id:
            self.request.request_id = self.engine.new_request_id()
        return self.request.request_id
