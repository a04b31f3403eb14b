"""Active health checks: a small request to each endpoint now and then, where an upstream asks for it.

Rule 1: every worker checks for itself, so that what it knows depends on no other process.
Rule 2: a check uses a connection of its own, because a kept one that has just ended says nothing about the endpoint.
Rule 3: checks are spread over the interval by chance, one at a time for an endpoint, MAX_CHECKS at a time in all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from coalmine.model import HealthCheck
from coalmine.routing.path import encode_foreign
from proxy.embedded.connector import Connector
from proxy.embedded.endpoints import Cluster, Endpoint
from proxy.embedded.outbox import Piece
from proxy.embedded.response import Response
from proxy.embedded.stats import Counters
from proxy.embedded.timeouts import Sweep
from proxy.embedded.upstream import Failure, Owner, UpstreamConnection

# At a time in one worker: a thousand upstreams with dead endpoints must not take all descriptors.
MAX_CHECKS = 64
# An interval varies by so much either way, so that workers and gateways do not ask in step.
JITTER = 0.1


class Check(Owner):
    """The checks of one endpoint; while one is under way, the owner of its connection."""

    request_done = True

    def __init__(self, checks: HealthChecks, endpoint: Endpoint, policy: HealthCheck, due: float) -> None:
        self.due = due
        self.policy = policy
        self.deadline = 0.0
        self.running = False
        self._checks = checks
        self._endpoint = endpoint
        self._attempt: asyncio.Task[None] | None = None
        self._upstream: UpstreamConnection | None = None
        self._in_a_row = 0  # verdicts that differ from what the endpoint counts as

    def start(self, now: float) -> None:
        self.running = True
        self.deadline = now + self.policy.timeout_seconds
        self._checks.sweep.watched.add(self)
        self._attempt = self._checks.connector.connect(self._endpoint, self, fresh=True)

    def stop(self) -> None:
        """Give up what is under way, without a verdict."""
        self.running = False
        self._checks.running.discard(self)
        self._checks.sweep.watched.discard(self)
        attempt, self._attempt = self._attempt, None
        connection, self._upstream = self._upstream, None
        if attempt is not None:
            attempt.cancel()
        if connection is not None:
            connection.abort()

    def _finish(self, passed: bool) -> None:
        if self.running:
            self.stop()
            self.due = self._checks.next_time(self.policy.interval_seconds)
            self._checks.count(passed)
            self._judge(passed)

    def _judge(self, passed: bool) -> None:
        endpoint = self._endpoint
        if passed is not endpoint.down:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= (self.policy.healthy_after if passed else self.policy.unhealthy_after):
            self._in_a_row = 0
            endpoint.down = not passed
            endpoint.failures = 0

    def expire(self, now: float) -> None:
        self._finish(False)

    # Owner

    def connected(self, connection: UpstreamConnection) -> None:
        self._attempt = None
        self._upstream = connection
        path = encode_foreign(self.policy.path).encode("ascii")
        head = b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: coalmine-health-check\r\nConnection: close\r\n\r\n"
        connection.send(self, "GET", head % (path, self._endpoint.authority))

    def response_whole(self, response: Response, body: Piece) -> None:
        self._finish(response.status == self.policy.expected_status)

    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None:
        self._finish(response.status == self.policy.expected_status)

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        if failure == "exhausted":  # our own fault, and no verdict
            self.stop()
            self.due = self._checks.next_time(self.policy.interval_seconds)
        else:
            self._finish(False)

    def tunnel_opened(self, response: Response, data: bytes) -> None:
        self._finish(False)

    def upstream_ended(self) -> bool:
        return False

    def interim_received(self, response: Response) -> None: ...
    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None: ...
    def response_done(self) -> None: ...
    def tunnel_received(self, data: bytes) -> None: ...
    def upstream_full(self) -> None: ...
    def upstream_drained(self) -> None: ...


class HealthChecks:
    """All checks of a worker; ``draw`` gives chance in [0, 1)."""

    def __init__(self, connector: Connector, sweep: Sweep, counters: Counters, draw: Callable[[], float]) -> None:
        self.connector = connector
        self.sweep = sweep
        self.running: set[Check] = set()
        self._counters = counters
        self._draw = draw
        self._checks: list[Check] = []

    def plan(self, clusters: Iterable[Cluster]) -> None:
        """Check the endpoints of ``clusters``, and no others; those known keep what is known about them."""
        before = set(self._checks)
        self._checks = [
            self._keep_or_make(endpoint, cluster.health_check)
            for cluster in clusters
            if cluster.health_check is not None
            for endpoint in cluster.endpoints
        ]
        for cluster in clusters:
            if cluster.health_check is None:
                for endpoint in cluster.endpoints:
                    endpoint.check, endpoint.down = None, False
        for check in before.difference(self._checks):
            check.stop()

    def _keep_or_make(self, endpoint: Endpoint, policy: HealthCheck) -> Check:
        if endpoint.check is None or endpoint.check.policy != policy:
            first = self.connector.clock.last + self._draw() * policy.interval_seconds
            endpoint.check = Check(self, endpoint, policy, first)
        return endpoint.check

    def start_due(self, now: float) -> None:
        for check in self._checks:
            if check.due <= now and not check.running and len(self.running) < MAX_CHECKS:
                self.running.add(check)
                check.start(now)

    def next_time(self, interval: float) -> float:
        return self.connector.clock.last + interval * (1 - JITTER + 2 * JITTER * self._draw())

    def count(self, passed: bool) -> None:
        self._counters.health_checks += 1
        self._counters.health_checks_failed += not passed

    def stop(self) -> None:
        self.plan(())
