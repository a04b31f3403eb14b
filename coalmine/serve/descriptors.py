"""Open files: as many as the system lets this process have, and no more connections than they are enough for.

A process that runs out of descriptors can neither accept nor connect. So the soft limit is raised to the hard one,
which children inherit, and where that is too low for what settings ask, fewer connections are accepted, and it is said.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace

from coalmine.settings import Settings

# Beyond one per client and one per request in flight: upstream connections that idle, mirrors, checks, connections that
# are being turned away, and what a process has open anyhow. Where limits are low, half of them is for this.
RESERVE = 1_000


def fit_descriptors(settings: Settings, report: Callable[[str], None]) -> Settings:
    """``settings`` with as many connections as there are descriptors for."""
    limit = raise_limit()
    most = most_connections(limit, settings)
    if most >= settings.max_connections:
        return settings
    report(
        f"open files are limited to {limit} (ulimit -Hn): each worker accepts at most {most} client connections"
        f" instead of {settings.max_connections}"
    )
    return replace(settings, max_connections=most)


def raise_limit() -> int:
    """The soft limit becomes the hard one, which is returned."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1 << 20)  # some systems refuse infinity itself
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (OSError, ValueError):
        return soft
    return hard


def most_connections(limit: int, settings: Settings) -> int:
    """Client connections that ``limit`` descriptors are enough for; a request takes one more for its upstream."""
    room = limit - min(RESERVE, limit // 2)
    # Every connection may have a request in flight, up to their number's own limit.
    return max(1, room - settings.max_requests if 0 < settings.max_requests <= room // 2 else room // 2)
