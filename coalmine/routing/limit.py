"""Local rate limits: a token bucket for a route, or for each value of a header or source address.

Rule 1: this file performs no I/O; time is the parameter ``now``. The state belongs to whoever serves, is of one
    process, and outlives snapshots.
Rule 2: a bucket holds ``burst`` tokens and gains ``requests`` in ``per_seconds``; each request takes one, or is
    refused. Several processes share a limit evenly: together they let no more pass, but for one request each.
Rule 3: the number of buckets is bounded: of a route with more keys the one unused for longest is forgotten, and is full
    when it comes back.
Rule 4: preflights are not counted; a request without the header shares one bucket with all others without it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from coalmine.model import RateLimit
from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.problem import problem_reply
from coalmine.routing.snapshot import ServedRoute

# About 3 MB for a route whose keys are all taken by somebody who makes them up.
MAX_KEYS = 10_000
# Keys are what clients send; longer ones than any user id or token hash are cut, not kept.
_MAX_KEY = 256


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float  # seconds of ``now`` when the tokens were counted


class RateLimits:
    """The buckets of one process, which is one of ``workers`` that share each limit."""

    def __init__(self, now: Callable[[], float], *, workers: int = 1) -> None:
        self._now = now
        self._workers = workers
        self._routes: dict[str, OrderedDict[str, _Bucket]] = {}

    def take(self, route: str, limit: RateLimit, key: str) -> float:
        """0 if the request may pass, else the seconds until the next one may."""
        now = self._now()
        capacity = max(1.0, (limit.burst or limit.requests) / self._workers)
        rate = limit.requests / limit.per_seconds / self._workers
        bucket = self._find(route, key, capacity, now)
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / rate

    def _find(self, route: str, key: str, capacity: float, now: float) -> _Bucket:
        buckets = self._routes.get(route)
        if buckets is None:
            buckets = self._routes[route] = OrderedDict()
        bucket = buckets.get(key)
        if bucket is not None:
            buckets.move_to_end(key)
            return bucket
        if len(buckets) >= MAX_KEYS:
            buckets.popitem(last=False)
        bucket = buckets[key] = _Bucket(capacity, now)
        return bucket

    def keep(self, routes: Collection[str]) -> None:
        """Forget the buckets of all other routes."""
        self._routes = {name: buckets for name, buckets in self._routes.items() if name in routes}


class Limit:
    """The compiled limit of one route."""

    def __init__(self, limit: RateLimit, served: ServedRoute) -> None:
        self._limit = limit
        self._served = served
        self._key = _compile_key(limit)

    def refuse(self, head: RequestHead, limits: RateLimits) -> Reply | None:
        """The reply to a request beyond the limit, None for one within it."""
        wait = limits.take(self._served.name, self._limit, self._key(head))
        if not wait:
            return None
        limit, seconds = self._limit, math.ceil(wait)
        detail = f"route {self._served.name} takes {describe_limit(limit)}; the next one in {seconds} s"
        reply = problem_reply("rate_limited", detail, route=self._served)
        name = self._served.name
        # RFC 6585 section 4; the other two as draft-ietf-httpapi-ratelimit-headers-10 has them.
        reply.headers = (
            ("retry-after", str(seconds)),
            ("ratelimit-policy", f'"{name}";q={limit.requests};w={math.ceil(limit.per_seconds)}'),
            ("ratelimit", f'"{name}";r=0;t={seconds}'),
        )
        return reply


def describe_limit(limit: RateLimit) -> str:
    """In words, such as ``10 requests in 1 s for each source address``."""
    by = limit.by
    each = "" if by is None else " for each source address" if by.header is None else f" for each {by.header}"
    return f"{limit.requests} request{'' if limit.requests == 1 else 's'} in {limit.per_seconds:g} s{each}"


def _compile_key(limit: RateLimit) -> Callable[[RequestHead], str]:
    if limit.by is None:
        return lambda head: ""
    if limit.by.header is None:
        return lambda head: head.source
    name = limit.by.header.lower().encode()
    return lambda head: ", ".join(head.values(name))[:_MAX_KEY]
