"""How a canary stands: who gets the new version, and whether its routes are as its last step left them. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from coalmine.model import Canary, Definitions, Destination, Route

# Who gets the new version. Whoever sends the header gets it in any case, if the canary has one.
CanaryState = Literal["nobody", "testers", "percent", "everybody"]


@dataclass(frozen=True, slots=True)
class CanaryStatus:
    """A canary as it stands. ``drift`` says what somebody changed by hand since its last step."""

    canary: Canary
    state: CanaryState
    shares: tuple[tuple[Destination, float], ...]
    drift: tuple[str, ...] = ()


def describe_canary(definitions: Definitions, canary: Canary) -> CanaryStatus:
    """The canary with the shares its base route has now."""
    current = find_route(definitions, canary.name)
    destinations = () if current is None else current.destinations
    total = sum(destination.weight for destination in destinations)
    shares = tuple((destination, round(100 * destination.weight / total, 2)) for destination in destinations)
    state = _find_state(definitions, canary, shares)
    return CanaryStatus(canary, state, shares, tuple(find_drift(definitions, canary)))


def _find_state(definitions: Definitions, canary: Canary, shares: Sequence[tuple[Destination, float]]) -> CanaryState:
    old = [share for destination, share in shares if name_version(destination) != name_version(canary.destination)]
    new = [share for destination, share in shares if name_version(destination) == name_version(canary.destination)]
    if any(new):
        return "percent" if any(old) else "everybody"
    header_route = canary.header_route
    tested = header_route is not None and find_route(definitions, header_route.name) is not None
    return "testers" if tested else "nobody"


def find_replaced(definitions: Definitions, canaries: Sequence[Canary], services: Collection[str]) -> list[Canary]:
    """The canaries in ``services``, all routes of which were written anew, that are not under way any more.

    A canary goes on where the new routes are what its last step wrote.
    """
    concerned = [canary for canary in canaries if canary.virtual_service in services]
    return [canary for canary in concerned if _is_replaced(definitions, canary)]


def _is_replaced(definitions: Definitions, canary: Canary) -> bool:
    header_route = canary.header_route
    return bool(find_drift(definitions, canary)) or (
        header_route is not None and find_route(definitions, header_route.name) is None
    )


def find_drift(definitions: Definitions, canary: Canary) -> list[str]:
    """What of the canary's routes is not as its last step left it. A header route that is gone harms nobody."""
    drift = []
    base = find_route(definitions, canary.name)
    if base is None:
        drift.append(f"route {canary.name} was deleted")
    elif base != canary.written:
        drift.append(f"route {canary.name} was changed")
    if canary.header_route is not None:
        current = find_route(definitions, canary.header_route.name)
        if current is not None and current != canary.header_route:
            drift.append(f"route {canary.header_route.name} was changed")
    return drift


def find_route(definitions: Definitions, name: str) -> Route | None:
    return next((route for route in definitions.routes if route.name == name), None)


def name_version(destination: Destination) -> str:
    """``upstream/function``, or the upstream alone."""
    return f"{destination.upstream}/{destination.function}" if destination.function else destination.upstream
