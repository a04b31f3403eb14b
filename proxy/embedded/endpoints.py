"""The endpoints of an upstream: whose turn it is, and who sits out for a while.

Passive ejection: an endpoint that fails several times in a row is left out, twice as long each time it happens again.
Active checks (``health``): an endpoint that is ``down`` is left out until checks find it up again.
Panic threshold: never are so many ejected that fewer than half are left, and never the last one. Where checks find all
of them down, all are asked as before: the checks may be wrong, and refusing everybody would be no better.
This file performs no I/O; the clock is handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coalmine.routing.snapshot import ServedUpstream
from coalmine.tls.client import ClientTls, default_tls
from proxy.embedded.retry import RetryBudget

if TYPE_CHECKING:
    from proxy.embedded.health import Check
    from proxy.embedded.upstream import Failure, UpstreamConnection

# Consecutive failures that eject. An answer of 500 to 599 is one; a refused connection counts more, because
# it cannot be the fault of the request.
FAILURES_TO_EJECT = 5
COST_OF_STATUS = 1
COST_OF_CONNECTION = 2
COST_OF_FAILURE: dict[Failure, int] = {
    "connect-failure": COST_OF_CONNECTION,
    "tls": COST_OF_STATUS,
    "reset": COST_OF_STATUS,
    "timeout": COST_OF_STATUS,
    "protocol": COST_OF_STATUS,
    "exhausted": 0,
}
# Seconds; the first ejection, doubled each time up to the longest. A service that restarts is back in seconds.
FIRST_EJECTION = 5.0
LONGEST_EJECTION = 300.0


class Endpoint:
    """One origin: its address, its idle connections (the last used first) and its health."""

    __slots__ = (
        "authority",
        "check",
        "down",
        "ejected_until",
        "ejections",
        "failures",
        "hangs_up",
        "host",
        "idle",
        "origin",
        "port",
        "retired",
        "tls",
    )

    def __init__(self, origin: str, tls: ClientTls | None = None) -> None:
        """``tls``: of its upstream; absent: the common one."""
        parts = urlsplit(origin)
        self.origin = origin
        self.tls = (tls or default_tls()) if parts.scheme == "https" else None
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self.authority = parts.netloc.encode("ascii", "replace")
        self.idle: list[UpstreamConnection] = []
        self.hangs_up = False  # it has closed a connection that idled
        self.retired = False  # no longer configured: connections are not kept
        self.failures = 0
        self.ejections = 0
        self.ejected_until = 0.0
        self.down = False  # so say the active checks
        self.check: Check | None = None  # the state of those

    def is_healthy(self, now: float) -> bool:
        return self.ejected_until <= now and not self.down

    def retire(self) -> None:
        """Close what idles; requests in flight finish."""
        self.retired = True
        for connection in list(self.idle):
            connection.close()


class Cluster:
    """The endpoints of one upstream, taken in turn."""

    __slots__ = ("_turn", "budget", "endpoints", "health_check", "max_requests", "name", "tls")

    def __init__(self, upstream: ServedUpstream, endpoints: list[Endpoint], budget: RetryBudget | None = None) -> None:
        self.name = upstream.name
        self.endpoints = endpoints
        self.health_check = upstream.health_check
        self.tls = upstream.tls
        self.max_requests = upstream.max_requests
        self.budget = budget or RetryBudget()
        self._turn = 0

    def pick(self, now: float, avoid: Endpoint | None = None) -> Endpoint:
        """The next healthy endpoint, ``avoid`` (where the last try failed) only when there is no other."""
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return endpoints[0]
        self._turn += 1
        chosen = endpoints[self._turn % len(endpoints)]
        if chosen is not avoid and chosen.is_healthy(now):
            return chosen
        ring = [endpoints[(self._turn + step) % len(endpoints)] for step in range(len(endpoints))]
        healthy = [endpoint for endpoint in ring if endpoint.is_healthy(now)]
        others = (endpoint for endpoint in healthy if endpoint is not avoid)
        standing = (endpoint for endpoint in ring if not endpoint.down)
        return next(others, None) or next(iter(healthy), None) or next(standing, chosen)

    def failed(self, endpoint: Endpoint, cost: int, now: float) -> bool:
        """Count a failure; whether it ejected the endpoint."""
        endpoint.failures += cost
        if endpoint.failures < FAILURES_TO_EJECT or endpoint.ejected_until > now or not self._can_spare_one(now):
            return False
        if now - endpoint.ejected_until > LONGEST_EJECTION:
            endpoint.ejections = 0
        endpoint.ejected_until = now + min(FIRST_EJECTION * 2**endpoint.ejections, LONGEST_EJECTION)
        endpoint.ejections += 1
        endpoint.failures = FAILURES_TO_EJECT - 1  # once back, one more failure is enough
        return True

    def _can_spare_one(self, now: float) -> bool:
        out = sum(not endpoint.is_healthy(now) for endpoint in self.endpoints)
        return (out + 1) * 2 <= len(self.endpoints)


def update_clusters(old: dict[str, Cluster], upstreams: tuple[ServedUpstream, ...]) -> dict[str, Cluster]:
    """The clusters of a new snapshot; endpoints that stay keep their connections and their health."""
    new = {upstream.name: _update_cluster(old.get(upstream.name), upstream) for upstream in upstreams}
    kept = {endpoint for cluster in new.values() for endpoint in cluster.endpoints}
    for cluster in old.values():
        for endpoint in cluster.endpoints:
            if endpoint not in kept:
                endpoint.retire()
    return new


def _update_cluster(old: Cluster | None, upstream: ServedUpstream) -> Cluster:
    # Connections that were made by other rules of trust are not kept: with other TLS, all endpoints are new.
    same = old is not None and old.tls == upstream.tls
    known = {endpoint.origin: endpoint for endpoint in old.endpoints} if old is not None and same else {}
    if old is not None and tuple(known) == upstream.endpoints and old.health_check == upstream.health_check:
        old.max_requests = upstream.max_requests
        return old
    tls = next((endpoint.tls for endpoint in known.values()), None) or _make_tls(upstream)
    endpoints = [known.get(origin) or Endpoint(origin, tls) for origin in upstream.endpoints]
    return Cluster(upstream, endpoints, old.budget if old else None)


def _make_tls(upstream: ServedUpstream) -> ClientTls | None:
    return ClientTls(upstream.tls, f"upstreams/{upstream.name}") if upstream.tls is not None else None
