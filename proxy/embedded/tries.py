"""Tries: how an exchange asks an upstream, and once more where that is allowed (``retry``); the base of Exchange.

Rule 1: an exchange has one try at a time, which holds a connection or an attempt to make one.
Rule 2: every ending of a try tells the endpoint's health and gives back what it took of the budget.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from coalmine.model import RetryCondition
from coalmine.routing.decision import Forward, Reply
from proxy.embedded import retry
from proxy.embedded.endpoints import COST_OF_FAILURE, COST_OF_STATUS, Endpoint
from proxy.embedded.lane import Lane
from proxy.embedded.places import take_place
from proxy.embedded.replies import make_reply
from proxy.embedded.sending import BodySink, PassOn
from proxy.embedded.spans import Trace
from proxy.embedded.upstream import Failure, Owner, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.engine import Engine


class Tries(Owner):
    """Its attributes get their first values in ``Exchange``, in one go: one is made per request."""

    __slots__ = (
        "_attempt",
        "_begun",
        "_fresh",
        "_limit",
        "_retrying",
        "_timer",
        "budget",
        "client",
        "endpoint",
        "engine",
        "forward",
        "lane",
        "over",
        "request_done",
        "sink",
        "trace",
        "tries",
        "upstream",
    )

    engine: Engine
    client: ClientConnection
    forward: Forward | None
    lane: Lane
    endpoint: Endpoint | None
    upstream: UpstreamConnection | None
    sink: BodySink | None  # where the request's body goes; None: nowhere
    over: bool
    _begun: bool  # a byte of the final answer has gone to the client
    _fresh: bool  # no pooled connection for the next try
    trace: Trace | None  # where traces are wanted
    tries: int  # how often an endpoint was asked
    _attempt: asyncio.Task[None] | None  # to connect
    budget: retry.RetryBudget | None  # of the upstream, once this request has a place there
    _retrying: bool
    _limit: float  # until when the response head must have come
    _timer: asyncio.TimerHandle | None

    # What the exchange does

    def refuse(self, reply: Reply, *, last: bool = False) -> None:
        raise NotImplementedError

    def _break_off(self) -> None:
        raise NotImplementedError

    # One try

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        if seconds <= 0:
            then()
            return
        self.client.deadline = math.inf  # the timer is the deadline
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

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
        self.client.deadline = self._limit if self.lane.per_try is None else min(self._limit, now + self.lane.per_try)
        if self.trace is not None and self.forward is not None:
            self.trace.begin_call(self.forward, self.endpoint.origin, self.tries)
        self._attempt = self.engine.connector.connect(self.endpoint, self, fresh=self._fresh)

    def _arm(self, now: float) -> None:
        """The next deadline: of this try while no answer has begun, else of its next part."""
        per_try = self.lane.per_try
        if self._begun:
            self.client.deadline = now + self.lane.timeout
        else:
            self.client.deadline = self._limit if per_try is None else min(self._limit, now + per_try)

    def take_over(self, lane: Lane, endpoint: Endpoint, upstream: UpstreamConnection | None, started: float) -> None:
        """The first try, which another began at ``started``; without an ``upstream`` it has yet to be connected to."""
        assert lane.cluster is not None
        self.lane = lane
        self.budget = lane.cluster.budget
        self.endpoint = endpoint
        self._limit = started + lane.timeout
        self.tries = 1
        self.upstream = upstream
        if upstream is None:
            self._attempt = self.engine.connector.connect(endpoint, self)
        elif upstream.owner is not None:  # else its answer has come, and it is free again
            upstream.owner = self
            if self.client.write_paused:
                upstream.pause()

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
        if self.trace is not None:
            self.trace.end_call(0, failure)
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

    def _judge(self, status: int) -> bool:
        """What an error says about the endpoint; whether another try is made."""
        if status >= 500:
            self._count_failure(COST_OF_STATUS)
        elif self.endpoint is not None:
            self.endpoint.failures = 0
        again = self._retry(retry.conditions_of_status(status))
        if again and self.trace is not None:
            self.trace.end_call(status, "")
        return again
