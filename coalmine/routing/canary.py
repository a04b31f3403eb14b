"""Canaries in one call each: start, shift, promote, abort; what each would put and delete.

Rule 1: this file performs no I/O and reads no clock; whoever carries a plan out does it in one transaction.
Rule 2: the base route keeps its name, place and options: only its destinations (and, if asked for, ``sticky``) change.
    Testers with the header have a route of their own, which wins because it has one condition more.
Rule 3: what somebody changed by hand since the canary's last step is not overwritten unless ``force`` says so.
Rule 4: a header route that was added by hand is a canary without a record: it can be promoted, aborted or shifted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from coalmine.errors import ConflictError, DefinitionError, Fault, NotFoundError
from coalmine.model import Canary, Definitions, Destination, HeaderMatch, Match, Route, Sticky
from coalmine.routing.canary_base import find_header_route, find_target, resolve_base
from coalmine.routing.canary_status import find_drift, find_route, name_version

_MAX_NAME = 63  # coalmine.model.NAME_PATTERN
# Weights are percent of percent: a hundred times this is well below the largest weight there is (1,000,000), and a
# base route with weights of its own keeps their proportions closely enough.
_MAX_BASE_WEIGHT = 5_000


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """What to write, all or nothing. ``summary`` is a sentence for people."""

    summary: str
    put_routes: tuple[Route, ...] = ()
    delete_routes: tuple[str, ...] = ()
    put_canary: Canary | None = None
    delete_canary: str | None = None


def plan_start(
    definitions: Definitions,
    canaries: Sequence[Canary],
    reference: str,
    *,
    upstream: str,
    function: str | None = None,
    header: HeaderMatch | None = None,
    percent: int = 0,
    sticky: Sticky | None = None,
    started: datetime | None = None,
) -> CanaryPlan:
    """A new version beside the one that serves now: for requests with ``header``, for ``percent`` of the others.

    Raises NotFoundError for a route, upstream or function that is not there, ConflictError where one is under way.
    """
    base = resolve_base(definitions, reference)
    _refuse_running(canaries, base)
    _check_percent(percent)
    destination = find_target(definitions, base, upstream, function)
    canary = Canary(
        name=base.name,
        virtual_service=base.virtual_service,
        destination=destination,
        header=header,
        percent=percent,
        before=base,
        written=base,
        header_route=None if header is None else _make_header_route(definitions, base, header, destination),
        started=started,
    )
    return _step(canary, percent, sticky, f"{name_version(destination)} starts beside {_names(base)}")


def plan_shift(
    definitions: Definitions,
    canaries: Sequence[Canary],
    reference: str,
    percent: int,
    *,
    sticky: Sticky | None = None,
    force: bool = False,
    started: datetime | None = None,
) -> CanaryPlan:
    """Another share for the new version; requests with the header stay on it."""
    _check_percent(percent)
    canary = find_canary(definitions, canaries, reference, started=started)
    _refuse_drift(definitions, canary, force=force)
    return _step(canary, percent, sticky, f"{name_version(canary.destination)} gets {percent} % of {canary.name}")


def plan_promote(
    definitions: Definitions, canaries: Sequence[Canary], reference: str, *, force: bool = False
) -> CanaryPlan:
    """The new version for everybody; the header route goes, the canary is over."""
    canary = find_canary(definitions, canaries, reference)
    _refuse_drift(definitions, canary, force=force)
    current = find_route(definitions, canary.name) or canary.before
    promoted = canary.destination.model_copy(update={"weight": 1})
    base = current.model_copy(update={"destinations": (promoted,), "sticky": canary.before.sticky})
    summary = f"{name_version(canary.destination)} gets all requests of {canary.name}"
    return _finish(definitions, canaries, canary, base, summary)


def plan_abort(
    definitions: Definitions, canaries: Sequence[Canary], reference: str, *, force: bool = False
) -> CanaryPlan:
    """Everything as it was before ``start``; a header route that was added by hand goes."""
    canary = find_canary(definitions, canaries, reference)
    _refuse_drift(definitions, canary, force=force)
    return _finish(definitions, canaries, canary, canary.before, f"{canary.name} is as it was before the canary")


def find_canary(
    definitions: Definitions, canaries: Sequence[Canary], reference: str, *, started: datetime | None = None
) -> Canary:
    """The canary under way on a route; raises NotFoundError. One without a record is found by its header route."""
    gone = _find_recorded(definitions, canaries, reference)
    if gone is not None:
        return gone
    base = resolve_base(definitions, reference)
    recorded = next((canary for canary in canaries if canary.name == base.name), None)
    if recorded is not None:
        return recorded
    header_route = find_header_route(definitions, reference, base)
    if header_route is None:
        raise NotFoundError(
            f"no canary is under way on route {base.name}, and no other route for its path asks for a header",
            hint=f"coalmine canary start {base.virtual_service}/{base.name} --to UPSTREAM --header NAME=VALUE",
        )
    return Canary(
        name=base.name,
        virtual_service=base.virtual_service,
        destination=header_route.destinations[0],
        header=header_route.match.headers[-1],
        before=base,
        written=base,
        header_route=header_route,
        header_route_adopted=True,
        started=started,
    )


def _find_recorded(definitions: Definitions, canaries: Sequence[Canary], reference: str) -> Canary | None:
    """A canary by the very name of its base route, which may have been deleted meanwhile."""
    service, slash, name = reference.partition("/")
    for canary in canaries:
        named = canary.name == reference or (slash and (canary.virtual_service, canary.name) == (service, name))
        if named and find_route(definitions, canary.name) is None:
            return canary
    return None


def _refuse_running(canaries: Sequence[Canary], base: Route) -> None:
    if any(canary.name == base.name for canary in canaries):
        raise ConflictError(
            f"a canary is under way on route {base.name}",
            code="canary_conflict",
            hint=f"coalmine canary promote {base.name}, or coalmine canary abort {base.name}",
        )


def _refuse_drift(definitions: Definitions, canary: Canary, *, force: bool) -> None:
    drift = find_drift(definitions, canary)
    if drift and not force:
        raise ConflictError(
            f"{' and '.join(drift)} since the canary's last step",
            code="canary_conflict",
            hint="look at the route, then repeat the command with --force to go on all the same",
        )


def _check_percent(percent: int) -> None:
    if not 0 <= percent <= 100:
        raise DefinitionError([Fault("/percent", "invalid_value", f"{percent} is no share: give 0 to 100 percent")])


def _step(canary: Canary, percent: int, sticky: Sticky | None, summary: str) -> CanaryPlan:
    base = _with_share(canary, percent, sticky)
    written = canary.model_copy(update={"percent": percent, "written": base})
    routes = [base] if base != canary.written else []
    if canary.header_route is not None and not canary.header_route_adopted:
        routes.append(canary.header_route)
    return CanaryPlan(summary, put_routes=tuple(routes), put_canary=written)


def _with_share(canary: Canary, percent: int, sticky: Sticky | None) -> Route:
    """The base route with ``percent`` for the new version; the old ones keep their proportions.

    What an earlier step made sticky stays so: a user on the new version would be moved back otherwise.
    """
    base = canary.before
    update: dict[str, object] = {"sticky": sticky or canary.written.sticky}
    if percent:
        update["destinations"] = _weigh(base.destinations, canary.destination, percent)
    return base.model_copy(update=update)


def _weigh(old: tuple[Destination, ...], new: Destination, percent: int) -> tuple[Destination, ...]:
    weights = [destination.weight for destination in old]
    total = sum(weights)
    if total > _MAX_BASE_WEIGHT:
        weights = [math.ceil(weight * _MAX_BASE_WEIGHT / total) for weight in weights]
        total = sum(weights)
    scaled = [*(weight * (100 - percent) for weight in weights), total * percent]
    common = math.gcd(*scaled) if len(old) > 1 else total
    return tuple(
        destination.model_copy(update={"weight": weight // common})
        for destination, weight in zip((*old, new), scaled, strict=True)
    )


def _finish(
    definitions: Definitions, canaries: Sequence[Canary], canary: Canary, base: Route, summary: str
) -> CanaryPlan:
    recorded = any(one.name == canary.name for one in canaries)
    header_route = canary.header_route
    gone = () if header_route is None or find_route(definitions, header_route.name) is None else (header_route.name,)
    changed = () if base == find_route(definitions, base.name) else (base,)
    return CanaryPlan(summary, changed, gone, delete_canary=canary.name if recorded else None)


def _make_header_route(definitions: Definitions, base: Route, header: HeaderMatch, destination: Destination) -> Route:
    if any(one.name.lower() == header.name.lower() for one in base.match.headers):
        raise ConflictError(
            f"route {base.name} asks for the header {header.name} itself",
            code="canary_conflict",
            hint="give the canary another header",
        )
    match: Match = base.match.model_copy(update={"headers": (*base.match.headers, header)})
    _refuse_same(definitions, base, match)
    taken = {route.name for route in definitions.routes}
    update = {"name": _free_name(base.name, taken), "match": match, "destinations": (destination,), "sticky": None}
    return base.model_copy(update=update)


def _refuse_same(definitions: Definitions, base: Route, match: Match) -> None:
    for route in definitions.routes:
        if route.virtual_service == base.virtual_service and route.match == match:
            raise ConflictError(
                f"route {route.name} takes the same requests already",
                code="canary_conflict",
                hint=f"coalmine canary promote {base.virtual_service}/{base.name} works with it as it is",
            )


def _free_name(base: str, taken: set[str]) -> str:
    number = 1
    while True:
        suffix = "-canary" if number == 1 else f"-canary-{number}"
        name = base[: _MAX_NAME - len(suffix)].rstrip("-._") + suffix
        if name not in taken:
            return name
        number += 1


def _names(route: Route) -> str:
    return " and ".join(name_version(destination) for destination in route.destinations)
