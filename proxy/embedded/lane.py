"""A lane: what the engine needs to know about one destination of one route, looked up once per snapshot.

Definitions are read here, so that the request path reads plain attributes. This file performs no I/O.
"""

from __future__ import annotations

from coalmine.model import HeaderEdits
from coalmine.routing.decision import Forward
from proxy.embedded.endpoints import Cluster
from proxy.embedded.stats import Labels, Series, Stats


class Lane:
    """``request_edits`` and ``response_edits`` are None where there is nothing to edit.

    ``host`` is the Host to send where the route names one; else ``preserves_host`` tells whether it is the client's.
    """

    __slots__ = (
        "_by_status",
        "_stats",
        "cluster",
        "cors",
        "edits_nothing",
        "host",
        "patience",
        "per_try",
        "preserves_host",
        "request_edits",
        "response_edits",
        "retries",
        "timeout",
    )

    def __init__(self, forward: Forward, clusters: dict[str, Cluster], stats: Stats, timeout: float) -> None:
        """``timeout``: seconds, where the route says nothing."""
        route = forward.route.definition
        self.cluster = clusters.get(forward.upstream)
        self.timeout = route.timeout_seconds or timeout
        self.retries = route.retries
        self.per_try = route.retries.per_try_timeout_seconds if route.retries else None
        self.patience = self.timeout if self.per_try is None else min(self.timeout, self.per_try)  # of the first try
        self.request_edits = _none_if_empty(route.request_headers)
        self.response_edits = _none_if_empty(route.response_headers)
        self.host = None if forward.host is None else forward.host.encode("ascii")
        self.preserves_host = route.host == "preserve"
        self.cors = route.cors is not None
        self.edits_nothing = self.response_edits is None and not self.cors  # of answers
        self._stats = stats
        self._by_status: dict[int, Series] = {}

    def choose_host(self, asked: bytes, own: bytes) -> bytes:
        """The Host to send; ``asked``: the client's, ``own``: the endpoint's authority."""
        if self.host is not None:
            return self.host
        return (self.preserves_host and asked) or own  # an HTTP/1.0 request may have none

    def series(self, forward: Forward, status: int) -> Series:
        series = self._by_status.get(status)
        if series is None:
            series = self._by_status[status] = self._stats.find(labels_of(forward, status))
        return series


def labels_of(forward: Forward, status: int) -> Labels:
    route = forward.route.definition
    return route.virtual_service, route.name, forward.function or "", forward.upstream, status


def _none_if_empty(edits: HeaderEdits) -> HeaderEdits | None:
    return edits if edits.set or edits.add or edits.remove else None


class Lanes:
    """The lanes of one snapshot, made when they are first used."""

    __slots__ = ("_clusters", "_stats", "_timeout", "known")

    def __init__(self, clusters: dict[str, Cluster], stats: Stats, timeout: float) -> None:
        self._clusters = clusters
        self._stats = stats
        self._timeout = timeout
        # By identity: the snapshot keeps its routes and destinations alive as long as this lives.
        self.known: dict[tuple[int, int], tuple[Forward, Lane]] = {}

    def find(self, forward: Forward) -> Lane:
        key = (id(forward.route), id(forward.destination))
        found = self.known.get(key)
        if found is None:
            # The first Forward is kept with its lane, so that no other object ever gets these identities.
            lane = Lane(forward, self._clusters, self._stats, self._timeout)
            found = self.known[key] = (forward, lane)
        return found[1]
