"""When an upstream is probed next. This file performs no I/O and reads no clock; chance is a parameter."""

from __future__ import annotations

from coalmine.model import DiscoveryState

# A round begins this much early at most, so that upstreams that were added together drift apart and a changed
# document is still noticed within one interval.
_JITTER = 0.15
# Backing off doubles the wait with every failure up to these multiples of the interval. A service that is down
# costs one refused connection, and its return should be noticed soon; one without a document costs a search.
_CAPS: dict[DiscoveryState, int] = {"unreachable": 4, "stale": 4, "not_found": 16}


def next_delay(interval: float, state: DiscoveryState, failures: int, draw: float, *, searched: bool = False) -> float:
    """Seconds until the next probe; ``failures`` in a row so far, ``draw`` in [0, 1).

    ``searched``: the last one asked for the whole table in vain, whether functions are known from before or not.
    """
    cap = _CAPS["not_found"] if searched else _CAPS.get(state, 1)
    factor = min(1 << max(0, min(failures, 10) - 1), cap)
    return interval * factor * (1 - _JITTER * draw)
