"""Which routes have been gone for long and for many series, so that these are counted together. No I/O.

A route counts as gone once it was missing at two looks SECONDS apart: what was in flight when it went is counted then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from coalmine.feed.stats import MAX_STALE_SERIES, RouteKey, SeriesByLabels
from coalmine.routing.snapshot import Snapshot

SECONDS = 60.0


class StaleRoutes:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._next_look = 0.0
        self._missing: frozenset[RouteKey] = frozenset()

    def find(self, snapshot: Snapshot, told: Iterable[SeriesByLabels]) -> frozenset[RouteKey]:
        """Those to be counted together now; mostly none."""
        labels = {one for series in told for one in series if one[1]}
        if len(labels) <= MAX_STALE_SERIES or self._now() < self._next_look:
            return frozenset()
        self._next_look = self._now() + SECONDS
        present = {(service.name, route.name) for service in snapshot.virtual_services for route in service.routes}
        stale = [one for one in labels if one[:2] not in present]
        missing = frozenset(one[:2] for one in stale)
        gone, self._missing = missing & self._missing, missing
        return gone if len(stale) > MAX_STALE_SERIES else frozenset()
