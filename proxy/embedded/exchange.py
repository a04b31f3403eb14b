"""One request in flight: decide, connect, send, relay, finish. It owns an upstream connection while it needs one.

Rule 1: one request sees one snapshot: ``served`` is read once.
Rule 2: until a byte of an answer has gone to the client anything can still become a problem reply or another try;
        afterwards an answer that breaks off ends the client's connection, and is never made to look complete.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from coalmine.model import RetryCondition
from coalmine.routing.decide import decide
from coalmine.routing.decision import Decision, Forward, Reply
from proxy.embedded import retry
from proxy.embedded.body import Encode, encode_chunked
from proxy.embedded.endpoints import COST_OF_FAILURE, COST_OF_STATUS
from proxy.embedded.fields import refuse
from proxy.embedded.forwarding import choose_encoding, write_interim_head, write_request_head, write_response_head
from proxy.embedded.mirror import start_mirror
from proxy.embedded.options import CLIENT_LEFT, CONTINUE_SECONDS
from proxy.embedded.places import leave_place, take_place
from proxy.embedded.replies import CONTINUE, make_reply
from proxy.embedded.request import Request
from proxy.embedded.response import Response
from proxy.embedded.sending import Collect, PassOn
from proxy.embedded.standing import Standing
from proxy.embedded.tunnel import arm_tunnel, open_tunnel, pass_end
from proxy.embedded.upstream import Failure, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.engine import Engine


class Exchange(Standing):
    """An owner of an upstream connection (``upstream.Owner``), and what its client connection talks to."""

    def __init__(self, engine: Engine, client: ClientConnection, request: Request) -> None:
        self.engine = engine
        self.client = client
        self.request = request
        self.served = engine.served
        self.started = engine.clock.read()
        self._encode: Encode

    # Deciding

    def begin(self) -> None:
        engine, request = self.engine, self.request
        if request.fields.max_forwards == 0 and request.verb in (b"OPTIONS", b"TRACE"):
            self._answer(Reply(200 if request.verb == b"OPTIONS" else 405))  # RFC 9110 section 7.6.2: ours to answer
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

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        if seconds <= 0:
            then()
            return
        self.client.deadline = math.inf  # the timer is the deadline
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

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
        self._after(forward.delay_seconds, self._connect)

    def _connect(self) -> None:
        if (cluster := self.lane.cluster) is None:
            self.refuse(make_reply("upstream_missing"))
            return
        now = self.engine.clock.last
        self._timer = None
        if self.budget is not cluster.budget:
            if not take_place(self, cluster):
                return
            self._limit = now + self.lane.timeout
        self.tries += 1
        self.endpoint = cluster.pick(now, self.endpoint)
        self._arm(now)
        self._attempt = self.engine.connector.connect(self.endpoint, self, fresh=self._fresh)

    def _arm(self, now: float) -> None:
        """The next deadline: of this try while no answer has begun, else of its next part."""
        lane = self.lane
        if self._begun:
            self.client.deadline = now + lane.timeout
        else:
            self.client.deadline = min(self._limit, now + lane.per_try) if lane.per_try else self._limit

    def connected(self, connection: UpstreamConnection) -> None:
        forward = self.forward
        if self.over or forward is None:
            connection.put_back()
            return
        self.upstream = connection
        self._attempt = None
        self.sent_at = self.engine.clock.last
        data = write_request_head(
            forward, self.request, self.lane, connection.endpoint.authority, self.engine.identify(self.request)
        )
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

    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None:
        forward, lane = self.forward, self.lane
        assert forward is not None
        now = self.engine.clock.read()
        self.upstream_seconds = now - self.sent_at
        if response.status >= 500:
            self._count_failure(COST_OF_STATUS)
        elif self.endpoint is not None:
            self.endpoint.failures = 0
        if response.status >= 400 and self._retry(retry.conditions_of_status(response.status)):
            return
        if self._retrying:
            self._end_retry()
        self.status = response.status
        self._begun = True
        self._encode, close = choose_encoding(response, self.request)
        # A request that has not come to its end may never do so.
        self._close = close or not self.request_done or self.engine.draining
        chunk, date = self._encode is encode_chunked, self.engine.sweep.date
        head = write_response_head(response, forward, lane, self.request, chunk=chunk, close=self._close, date=date)
        self.client.write(head + self._encode(body, done, trailer))
        self.sent += len(body)
        if not done:
            self._arm(now)

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

    def _count_failure(self, cost: int) -> None:
        """What went wrong says something about the endpoint's health."""
        cluster, endpoint = self.lane.cluster, self.endpoint
        if cluster is not None and endpoint is not None and cluster.failed(endpoint, cost, self.engine.clock.last):
            self.engine.counters.ejections += 1

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        connection = self._let_go()
        if self.over:
            return
        if self._begun:
            self._break_off()
        elif failure == "reset" and not self._fresh and retry.is_stale(connection, self.forward, self.sink):
            self.engine.counters.stale_connections += 1
            self._fresh = True
            self.tries -= 1
            self._connect()
        else:
            self._count_failure(COST_OF_FAILURE[failure])
            if not self._retry(retry.OF_FAILURE[failure]):
                self.refuse(make_reply(retry.CODE_OF_FAILURE[failure], detail))

    def _let_go(self) -> UpstreamConnection | None:
        """Part with the connection, or with the attempt to make one: it may still come, for nobody."""
        connection, self.upstream = self.upstream, None
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        if isinstance(self.sink, PassOn):
            self.sink.detach()
        return connection

    def _abandon(self) -> None:
        if (connection := self._let_go()) is not None:
            connection.abort()

    def _retry(self, met: frozenset[RetryCondition]) -> bool:
        """Try once more if the route says so and the request can be sent again; whether it will be."""
        if self._retrying:
            self._end_retry()
        retries, forward, budget = self.lane.retries, self.forward, self.budget
        if retries is None or forward is None or budget is None or not retry.is_replayable(self.sink):
            return False
        if self.engine.clock.last >= self._limit or not retry.wants_retry(retries, met, forward.method, self.tries):
            return False
        if not budget.take():
            self.engine.counters.retries_refused += 1
            return False
        self._retrying = True
        self.engine.counters.retries += 1
        self._abandon()
        self._after(retry.pause_before(self.tries, self.engine.draw()), self._connect)
        return True

    def _end_retry(self) -> None:
        assert self.budget is not None
        self._retrying = False
        self.budget.retries -= 1

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
        self.client.write(self.engine.answer(self, reply, close=self._close))
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
