"""From definitions to a snapshot.

Rule 1: this file performs no I/O and reads no clock: equal definitions give an equal version, however their upstreams
    are ordered and whenever their functions were seen.
Rule 2: no bad definition raises, sinks a good one or vanishes. It is set aside with a problem: its route keeps its
    place in the order and answers with the problem, so that no request falls through to the next route.
Rule 3: a domain belongs to the first virtual service that claims it.
Rule 4: the virtual service ``default`` exists for routes even where nobody defined it; it is the youngest, for ``*``.
Rule 5: what a Builder remembers saves work and never shows: its snapshots are those that a new one gives. What became
    of a route is taken from memory where the route and all that it depends on are the same objects as before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from operator import attrgetter, is_

from coalmine.errors import Problem
from coalmine.model import Definitions, Destination, Mirror, Route, Upstream, VirtualService
from coalmine.routing.known import Known
from coalmine.routing.local import find_local_faults
from coalmine.routing.order import Key, order_key
from coalmine.routing.resolve import Resolver, common_problem
from coalmine.routing.shadow import Claim, compare_claims, make_claim
from coalmine.routing.snapshot import ServedRoute, ServedUpstream, ServedVirtualService, Snapshot, make_snapshot

DEFAULT = "default"
_FEW = 100  # more routes at once are as quickly built with all the others

_order_of = attrgetter("order")
_claim_of = attrgetter("claim")
_name_of = attrgetter("definition.name")


def build_snapshot(definitions: Definitions) -> Snapshot:
    """Everything that can be served of ``definitions``, and the problems of what cannot."""
    return Builder().build(definitions)


def where_of(route: Route) -> str:
    return f"routes/{route.name}"


@dataclass(frozen=True, slots=True, eq=False)
class _Built:
    """What became of a route by itself, and what it was made of. Only the same one is equal."""

    route: Route
    needs: tuple[object, ...]
    served: ServedRoute
    problems: tuple[Problem, ...]
    order: Key
    claim: Claim


@dataclass(frozen=True, slots=True)
class _BuiltService:
    """What became of the routes of a virtual service together; ``members`` in effective order."""

    members: tuple[_Built, ...]
    served: ServedVirtualService
    problems: tuple[Problem, ...]
    claims: tuple[Claim, ...] = ()
    shadowed: Mapping[str, str] = field(default_factory=dict)


class Builder:
    """Builds one snapshot after another; may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._routes: dict[int, _Built] = {}  # by identity: each holds its route, so that no other gets it
        self._last = Definitions()
        self._members: dict[str, list[_Built]] = {}  # by the name of their virtual service, oldest first
        self._services: dict[str, _BuiltService] = {}
        self._upstreams: tuple[ServedUpstream, ...] = ()
        self._warnings: tuple[Problem, ...] = ()  # of upstreams

    def build(self, definitions: Definitions) -> Snapshot:
        """What ``build_snapshot`` gives; what is as in the last one is the same object."""
        with self._lock:
            return self._build(definitions)

    def _build(self, definitions: Definitions) -> Snapshot:
        problems: list[Problem] = []
        last, self._last = self._last, definitions
        if not self._replace_routes(last, definitions):
            self._routes = {id(built.route): built for built in self._build_routes(last, definitions)}
            self._members = _group(self._routes.values())
        claimed = _claim_domains(_with_default(self._members, definitions.virtual_services), problems)
        problems += _find_homeless(self._members, {service.name for service in claimed})
        self._services = {one.name: self._build_service(one, self._members.get(one.name, [])) for one in claimed}
        for service in self._services.values():
            problems += service.problems
        if not _are_same(last.upstreams, definitions.upstreams):
            self._upstreams, self._warnings = _serve_upstreams(definitions), _warn_of_upstreams(definitions)
        problems += self._warnings
        served = tuple(service.served for service in self._services.values())
        return make_snapshot(self._upstreams, served, _tidy(problems))

    def _replace_routes(self, last: Definitions, new: Definitions) -> bool:
        """Build only the routes that took the places of others or came last; whether that is all there is to do."""
        if not _are_alike_around(last, new) or len(new.routes) < len(last.routes):
            return False
        places = [place for place, same in enumerate(map(is_, last.routes, new.routes)) if not same]
        gone = [last.routes[place] for place in places]
        came = [*(new.routes[place] for place in places), *new.routes[len(last.routes) :]]
        # Of the same virtual service, one for one, so that those around them stay where they are.
        moved = any(old.virtual_service != made.virtual_service for old, made in zip(gone, came, strict=False))
        if len(came) > _FEW or moved or not {id(route) for route in came}.isdisjoint(self._routes):
            return False
        known = Known(new)
        resolver = Resolver(known)
        for number, route in enumerate(came):
            built = _build_route(route, _find_needs(route, known), resolver)
            members = self._members[route.virtual_service] = [*self._members.get(route.virtual_service, ())]
            if number < len(gone):
                members[members.index(self._routes.pop(id(gone[number])))] = built
            else:
                members.append(built)
            self._routes[id(route)] = built
        return True

    def _build_routes(self, last_definitions: Definitions, definitions: Definitions) -> Iterable[_Built]:
        nothing_new = _are_alike_around(last_definitions, definitions)
        known = Known(definitions)
        resolver = Resolver(known)
        for route in definitions.routes:
            last = self._routes.get(id(route))
            if last is not None and nothing_new:
                yield last
                continue
            needs = _find_needs(route, known)
            if last is not None and _are_same(last.needs, needs):
                yield last
            else:
                yield _build_route(route, needs, resolver)

    def _build_service(self, service: ServedVirtualService, members: list[_Built]) -> _BuiltService:
        ordered = tuple(sorted(members, key=_order_of))  # stable, so age decides between equals
        last = self._services.get(service.name, _BuiltService((), service, ()))
        if last.served.domains == service.domains and _are_same(last.members, ordered):
            return last
        claims = tuple(map(_claim_of, ordered))
        same = last.claims == claims
        shadowed = last.shadowed if same else compare_claims(claims)
        finished = dict(zip(map(id, last.members), last.served.routes, strict=True)) if same else {}
        known = dict(zip(map(_name_of, last.served.routes), last.served.routes, strict=True))
        routes = tuple([finished.get(id(built)) or _finish(built, shadowed, known) for built in ordered])
        if last.served.domains == service.domains and _are_same(last.served.routes, routes):
            served = last.served
        else:
            served = ServedVirtualService(service.name, service.domains, routes)
        own = (problem for built in ordered for problem in built.problems)
        return _BuiltService(ordered, served, (*own, *_shadow_problems(shadowed)), claims, shadowed)


def _build_route(route: Route, needs: tuple[object, ...], resolver: Resolver) -> _Built:
    served, problems = _serve_route(route, resolver)
    return _Built(route, needs, served, problems, order_key(route), make_claim(route))


def _group(routes: Iterable[_Built]) -> dict[str, list[_Built]]:
    members: dict[str, list[_Built]] = {}
    for built in routes:
        members.setdefault(built.route.virtual_service, []).append(built)
    return members


def _find_homeless(members: Mapping[str, Sequence[_Built]], services: Set[str]) -> Iterable[Problem]:
    for name in members.keys() - services:
        for built in members[name]:
            detail = f"the virtual service {name} does not exist"
            yield Problem("virtual_service_missing", where_of(built.route), detail)


def _are_alike_around(old: Definitions, new: Definitions) -> bool:
    """Whether everything is the same that ``_find_needs`` looks at."""
    if old.pending != new.pending:
        return False
    if old.upstreams is not new.upstreams and not _have_same_names(old.upstreams, new.upstreams):
        return False
    pairs = ((old.functions, new.functions), (old.documents, new.documents), (old.pins, new.pins))
    return all(_are_same(some, others) for some, others in pairs)


def _have_same_names(some: Sequence[Upstream], others: Sequence[Upstream]) -> bool:
    return [upstream.name for upstream in some] == [upstream.name for upstream in others]


def _find_needs(route: Route, known: Known) -> tuple[object, ...]:
    """Everything outside of ``route`` that what is served of it depends on."""
    needs: list[object] = []
    targets: list[Destination | Mirror] = [*route.destinations]
    if route.mirror is not None:
        targets.append(route.mirror)
    for target in targets:
        function = None if target.function is None else known.find_function(target.upstream, target.function)
        document = known.find_document(function) if function is not None and route.validate_ else None
        pin = None if target.function is None else known.find_pin(where_of(route), target.upstream, target.function)
        needs += target.upstream in known.upstreams, target.upstream in known.pending, function, document, pin
    return tuple(needs)


def _are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return some is others or (len(some) == len(others) and all(map(is_, some, others)))


def _serve_route(route: Route, resolver: Resolver) -> tuple[ServedRoute, tuple[Problem, ...]]:
    where, before = where_of(route), len(resolver.problems)
    destinations = tuple(
        resolver.resolve(where, destination, validate=route.validate_) for destination in route.destinations
    )
    mirror = resolver.resolve_mirror(where, route.mirror)
    problems = tuple(resolver.problems[before:])
    faults = find_local_faults(route)
    if faults:
        code = "invalid_regex" if any(fault.code == "invalid_regex" for fault in faults) else "route_invalid"
        detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
        return ServedRoute(route, destinations, mirror, code, detail), (*problems, Problem(code, where, detail))
    return ServedRoute(route, destinations, mirror, *common_problem(destinations)), problems


def _finish(built: _Built, shadowed: Mapping[str, str], known: dict[str, ServedRoute]) -> ServedRoute:
    """With its shadow; the one of ``known`` where there is no difference."""
    name, made = built.route.name, built.served
    last = known.get(name)
    if name in shadowed:
        made = replace(made, shadowed_by=shadowed[name])
    # Equal is what has the same text: 1, 1.0 and true are equal in Python.
    return last if last is not None and (last is made or last.text == made.text) else made


def _shadow_problems(shadowed: Mapping[str, str]) -> Iterable[Problem]:
    for name, earlier in shadowed.items():
        detail = f"the route {earlier} is earlier in the order and takes all its requests"
        yield Problem("route_shadowed", f"routes/{name}", detail, "warning")


def _warn_of(unverified: Upstream) -> Problem:
    detail = "tls.verify is false: anybody who can get between may pass for this upstream"
    return Problem("upstream_unverified", f"upstreams/{unverified.name}", detail, "warning")


def _warn_of_upstreams(definitions: Definitions) -> tuple[Problem, ...]:
    return tuple(_warn_of(one) for one in definitions.upstreams if one.tls is not None and not one.tls.verify)


def _serve_upstreams(definitions: Definitions) -> tuple[ServedUpstream, ...]:
    return tuple(
        ServedUpstream(upstream.name, upstream.endpoints, upstream.health_check, upstream.tls, upstream.max_requests)
        for upstream in sorted(definitions.upstreams, key=lambda one: one.name)
    )


def _with_default(members: Iterable[str], services: tuple[VirtualService, ...]) -> tuple[VirtualService, ...]:
    if DEFAULT in members and all(service.name != DEFAULT for service in services):
        return (*services, VirtualService(name=DEFAULT))
    return services


def _claim_domains(services: Iterable[VirtualService], problems: list[Problem]) -> list[ServedVirtualService]:
    """The virtual services by name, each with the domains that it got."""
    owners: dict[str, str] = {}
    served: list[ServedVirtualService] = []
    for service in services:
        for domain in service.domains:
            owners.setdefault(domain, service.name)
        kept = tuple(sorted({domain for domain in service.domains if owners[domain] == service.name}))
        for domain in service.domains:
            if owners[domain] != service.name:
                detail = f"the domain {domain} belongs to the virtual service {owners[domain]}"
                severity = "warning" if kept else "error"
                problems.append(Problem("domain_conflict", f"virtual-services/{service.name}", detail, severity))
        served.append(ServedVirtualService(service.name, kept))
    return sorted(served, key=lambda one: one.name)


def _tidy(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, in an order that does not depend on how they were found."""
    return tuple(sorted(set(problems), key=lambda one: (one.where, one.code, one.detail)))
