"""Requests in flight: how many there may be, in a worker and to one upstream.

Rule 1: whoever finds no place is answered 503 at once. Nobody queues: a queue would make everybody late.
Rule 2: a request holds one place, from when it first waits for somebody (for its own body, where that has to be read
        first, or for its upstream) until its end. A tunnel holds none: it is bounded by the connections it takes.
Rule 3: one upstream cannot take the places of all others (``EngineOptions.most_requests_of_one``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.embedded.endpoints import Cluster
from proxy.embedded.options import EngineOptions
from proxy.embedded.replies import make_reply
from proxy.embedded.retry import RetryBudget

if TYPE_CHECKING:
    from proxy.embedded.tries import Tries


class Places:
    """The places of one worker; ``reading`` stands for the upstream while a body is read."""

    def __init__(self, options: EngineOptions) -> None:
        self.taken = 0
        self.most = options.most_requests
        self.most_of_one = options.most_requests_of_one
        self.reading = RetryBudget()


def take_place(exchange: Tries, cluster: Cluster | None) -> bool:
    """A place for a request to ``cluster``, None: that is being read. False: there was none, and it is answered."""
    places = exchange.engine.places
    budget = places.reading if cluster is None else cluster.budget
    if cluster is not None and budget.requests >= (cluster.max_requests or places.most_of_one):
        return _turn_away(exchange, f"{budget.requests} requests to the upstream {cluster.name} are in flight already")
    if exchange.budget is not None:
        exchange.budget.requests -= 1
    elif places.taken < places.most:
        places.taken += 1
    else:
        return _turn_away(exchange, f"{places.taken} requests are in flight already")
    budget.requests += 1
    exchange.budget = budget
    return True


def leave_place(exchange: Tries) -> None:
    if exchange.budget is not None:
        exchange.budget.requests -= 1
        exchange.budget = None
        exchange.engine.places.taken -= 1


def _turn_away(exchange: Tries, detail: str) -> bool:
    exchange.engine.counters.requests_refused += 1
    exchange.refuse(make_reply("overloaded", detail))
    return False
