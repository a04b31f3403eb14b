"""When a request is sent once more: rules as tables. This file performs no I/O.

Rule 1: without a route's ``retries`` nothing is sent twice, but for one case: a kept connection turns out to have been
        closed before a byte of the answer, and the method is idempotent (RFC 9112 section 9.3.1).
Rule 2: a request that is not idempotent is only repeated where nothing of it was sent (RFC 9110 section 9.2.2), unless
        the route's ``on`` names what happened: then the owner knows that a repeat does no harm.
Rule 3: what counts is the method that the upstream gets. A function may be called with another than the client's.
Rule 4: repeats are a small share of the requests in flight, so that an upstream in trouble is not drowned in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coalmine.model import Retries, RetryCondition
from coalmine.routing.decision import Forward
from proxy.embedded.upstream import Failure, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.sending import BodySink

# RFC 9110 section 9.2.2
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})
# The conditions of a route that names none.
ALWAYS_SAFE: tuple[RetryCondition, ...] = ("connect-failure",)
SAFE_IF_IDEMPOTENT: tuple[RetryCondition, ...] = ("connect-failure", "reset")
# Of the requests to one upstream that a worker has in flight, one in five may be a repeat (Envoy's default), and a few
# in any case: with little traffic a fifth of it is none.
RETRY_SHARE = 0.2
FEW_RETRIES = 3

# The conditions that each failure fulfils: without an answer it becomes a 502 or 504 of the gateway's own.
OF_FAILURE: dict[Failure, frozenset[RetryCondition]] = {
    "connect-failure": frozenset({"connect-failure", "5xx", "gateway-error"}),
    "tls": frozenset({"connect-failure", "5xx", "gateway-error"}),
    "reset": frozenset({"reset", "5xx", "gateway-error"}),
    "timeout": frozenset({"timeout", "5xx", "gateway-error"}),
    "protocol": frozenset({"5xx", "gateway-error"}),
    "exhausted": frozenset(),
}
# The answer where nothing helped.
CODE_OF_FAILURE: dict[Failure, str] = {
    "connect-failure": "upstream_unreachable",
    "tls": "upstream_tls",
    "reset": "upstream_reset",
    "timeout": "upstream_timeout",
    "protocol": "upstream_protocol_error",
    "exhausted": "overloaded",
}
# Seconds before the second try after the first one; doubled each time. Long enough for a hiccup to pass.
FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0


class RetryBudget:
    """Requests to one upstream that are in flight, and how many of them are repeats."""

    __slots__ = ("requests", "retries")

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0

    def take(self) -> bool:
        """Count one more repeat, if there may be one."""
        allowed = self.retries < FEW_RETRIES or self.retries < self.requests * RETRY_SHARE
        self.retries += allowed
        return allowed


def is_stale(connection: UpstreamConnection | None, forward: Forward | None, sink: BodySink | None) -> bool:
    """RFC 9112 section 9.3.1: a kept connection that ended before it answered a request that may be repeated."""
    if connection is None or forward is None or not connection.reused or connection.answered:
        return False
    return forward.method in IDEMPOTENT and is_replayable(sink)


def is_replayable(sink: BodySink | None) -> bool:
    """Whether a request whose body went to ``sink`` can be sent again."""
    return sink is None or sink.replayable


def conditions_of_status(status: int) -> frozenset[RetryCondition]:
    if status in (502, 503, 504):
        return frozenset({"gateway-error", "5xx"})
    if status >= 500:
        return frozenset({"5xx"})
    return frozenset({"retriable-4xx"}) if status == 409 else frozenset()


def wants_retry(retries: Retries, met: frozenset[RetryCondition], method: str, tries: int) -> bool:
    """``tries`` have been made already."""
    wanted = retries.on or (SAFE_IF_IDEMPOTENT if method in IDEMPOTENT else ALWAYS_SAFE)
    return tries <= retries.attempts and not met.isdisjoint(wanted)


def pause_before(tries: int, draw: float) -> float:
    """Exponential with jitter: half of it is chance, so that clients do not come back in step."""
    return float(min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE) * (0.5 + draw / 2))
