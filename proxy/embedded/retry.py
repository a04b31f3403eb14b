"""When a request is sent once more: rules as tables. This file performs no I/O.

Without a route's ``retries`` nothing is sent twice, but for one case: a kept connection turns out to have been closed
before a byte of the answer, and the method is idempotent (RFC 9112 section 9.3.1).
"""

from __future__ import annotations

from coalmine.model import Retries, RetryCondition
from proxy.embedded.upstream import Failure, UpstreamConnection

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"QUERY"})  # RFC 9110 section 9.2.2

# The conditions that each failure fulfils: without an answer it becomes a 502 or 504 of the gateway's own.
OF_FAILURE: dict[Failure, frozenset[RetryCondition]] = {
    "connect-failure": frozenset({"connect-failure", "5xx", "gateway-error"}),
    "reset": frozenset({"reset", "5xx", "gateway-error"}),
    "timeout": frozenset({"timeout", "5xx", "gateway-error"}),
    "protocol": frozenset({"5xx", "gateway-error"}),
}
# The answer where nothing helped.
CODE_OF_FAILURE: dict[Failure, str] = {
    "connect-failure": "upstream_unreachable",
    "reset": "upstream_reset",
    "timeout": "upstream_timeout",
    "protocol": "upstream_protocol_error",
}
# Seconds before the second try after the first one; doubled each time. Long enough for a hiccup to pass.
FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0


def is_stale(connection: UpstreamConnection, verb: bytes) -> bool:
    """RFC 9112 section 9.3.1: a kept connection that ended before it answered a request that may be repeated."""
    return connection.reused and not connection.answered and verb in IDEMPOTENT


def conditions_of_status(status: int) -> frozenset[RetryCondition]:
    if status in (502, 503, 504):
        return frozenset({"gateway-error", "5xx"})
    if status >= 500:
        return frozenset({"5xx"})
    return frozenset({"retriable-4xx"}) if status == 409 else frozenset()


def wants_retry(retries: Retries | None, met: frozenset[RetryCondition], tries: int) -> bool:
    """``tries`` have been made already."""
    return retries is not None and tries <= retries.attempts and not met.isdisjoint(retries.on)


def pause_before(tries: int, draw: float) -> float:
    """Exponential with jitter: half of it is chance, so that clients do not come back in step."""
    return float(min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE) * (0.5 + draw / 2))
