"""Which destination gets a request: weights by chance, or the same one for the same user.

Rule 1: this file performs no I/O; chance is the parameter ``draw``, in [0, 1).
Rule 2: a destination of weight 0 is never chosen.
Rule 3: sticky choice is weighted rendezvous hashing: each destination has a score for the key, made of its identity
    (upstream and function, never its position) and its weight, and the highest wins. Raising one weight raises one
    score, so users move to that destination and never between the others, nor back.
Rule 4: the hash is the same in every process, on every machine and after every restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from coalmine.model import CookieKey, Sticky
from coalmine.routing.decision import RequestHead
from coalmine.routing.snapshot import ServedDestination
from coalmine.routing.values import split_cookies

Draw = Callable[[], float]
Headers = tuple[tuple[str, str], ...]
# A draw has 53 random bits (IEEE 754 binary64); 14 hexadecimal digits hold them. A sticky value grants nothing, it only
# has to differ between users.
_COOKIE_BITS = 2**53


class Choice(NamedTuple):
    """The position of the chosen destination, and headers to add to the answer (a minted cookie)."""

    position: int
    headers: Headers = ()


Chooser = Callable[[RequestHead, Draw], Choice]
# The position that chance alone chooses; draws only where there is a choice.
Spread = Callable[[Draw], int]


def compile_steering(destinations: Sequence[ServedDestination], sticky: Sticky | None) -> Chooser:
    """The chooser of a route with at least one destination of weight above 0."""
    weighted = _by_weight(destinations)
    if sticky is None:
        return weighted
    ring = _Rendezvous(destinations)
    if sticky.cookie is not None:
        return _by_cookie(ring, sticky.cookie)
    if sticky.header is not None:
        name = sticky.header.lower().encode()
        return lambda head, draw: _by_key(", ".join(head.values(name)), ring, weighted, head, draw)
    return lambda head, draw: _by_key(head.source, ring, weighted, head, draw)


def shares(destinations: Sequence[ServedDestination]) -> list[float]:
    """The share of each destination, 0 to 100."""
    total = sum(destination.weight for destination in destinations)
    return [100 * destination.weight / total for destination in destinations]


def compile_spread(destinations: Sequence[ServedDestination]) -> Spread:
    """By weight; at least one is above 0."""
    eligible = [(index, item.weight) for index, item in enumerate(destinations) if item.weight]
    if len(eligible) == 1:
        only = eligible[0][0]
        return lambda draw: only
    total = sum(weight for _, weight in eligible)
    limits = []
    reached = 0
    for index, weight in eligible:
        reached += weight
        limits.append((reached, index))

    def choose(draw: Draw) -> int:
        point = draw() * total
        for limit, index in limits:
            if point < limit:
                return index
        return limits[-1][1]  # a product that was rounded up to the total

    return choose


def _by_weight(destinations: Sequence[ServedDestination]) -> Chooser:
    spread = compile_spread(destinations)
    choices = [Choice(index) for index in range(len(destinations))]
    return lambda head, draw: choices[spread(draw)]


def _by_key(key: str, ring: _Rendezvous, weighted: Chooser, head: RequestHead, draw: Draw) -> Choice:
    return Choice(ring.choose(key)) if key else weighted(head, draw)


def _by_cookie(ring: _Rendezvous, cookie: CookieKey) -> Chooser:
    attributes = f"; Path=/; Max-Age={cookie.ttl_seconds}; HttpOnly; SameSite=Lax"

    def choose(head: RequestHead, draw: Draw) -> Choice:
        for name, value in split_cookies(head.values(b"cookie")):
            if name == cookie.name and value:
                return Choice(ring.choose(value))
        value = f"{int(draw() * _COOKIE_BITS):014x}"
        secure = "; Secure" if head.scheme == "https" else ""
        return Choice(ring.choose(value), (("set-cookie", f"{cookie.name}={value}{attributes}{secure}"),))

    return choose


class _Rendezvous:
    """Schindelhauer and Schomaker's weighted rendezvous: the score of weight w and uniform u is -w / ln u."""

    def __init__(self, destinations: Sequence[ServedDestination]) -> None:
        seen: dict[str, int] = {}
        self._members: list[tuple[int, float, bytes]] = []
        for index, destination in enumerate(destinations):
            identity = f"{destination.upstream}\n{destination.function or ''}"
            seen[identity] = seen.get(identity, 0) + 1
            salt = blake2b(f"{identity}\n{seen[identity]}".encode(), digest_size=16).digest()
            if destination.weight:
                self._members.append((index, float(destination.weight), salt))

    def choose(self, key: str) -> int:
        if len(self._members) == 1:
            return self._members[0][0]
        text = key.encode("utf-8", "surrogatepass")
        return max(self._members, key=lambda member: _score(text, member))[0]


def _score(text: bytes, member: tuple[int, float, bytes]) -> float:
    _, weight, salt = member
    number = int.from_bytes(blake2b(text, digest_size=8, key=salt).digest(), "big")
    # Half a step up: never 0, whose logarithm does not exist; 2**64 - 1 rounds to 1.0, whose logarithm is 0.
    logarithm = math.log((number + 0.5) / 2**64)
    return -weight / logarithm if logarithm else math.inf
