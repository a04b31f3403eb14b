"""From definitions to a snapshot.

Rule 1: this file performs no I/O and reads no clock: equal definitions give an equal version, however their upstreams
    are ordered and whenever their functions were seen.
Rule 2: no bad definition raises, sinks a good one or vanishes. It is set aside with a problem: its route keeps its
    place in the order and answers with the problem, so that no request falls through to the next route.
Rule 3: a domain belongs to the first virtual service that claims it.
Rule 4: the virtual service ``default`` exists for routes even where nobody defined it; it is the youngest, for ``*``.
"""

from __future__ import annotations

from collections.abc import Iterable

from coalmine.errors import Problem
from coalmine.model import Definitions, Route, VirtualService
from coalmine.routing.known import Known
from coalmine.routing.local import find_local_faults
from coalmine.routing.order import order_routes
from coalmine.routing.resolve import Resolver, common_problem
from coalmine.routing.shadow import find_shadowed
from coalmine.routing.snapshot import ServedRoute, ServedUpstream, ServedVirtualService, Snapshot, make_snapshot

DEFAULT = "default"


def build_snapshot(definitions: Definitions) -> Snapshot:
    """Everything that can be served of ``definitions``, and the problems of what cannot."""
    resolver = Resolver(Known(definitions))
    problems: list[Problem] = []
    services = _claim_domains(_with_default(definitions), problems)
    routes: dict[str, list[Route]] = {service.name: [] for service in services}
    for route in definitions.routes:
        if route.virtual_service in routes:
            routes[route.virtual_service].append(route)
        else:
            detail = f"the virtual service {route.virtual_service} does not exist"
            problems.append(Problem("virtual_service_missing", where_of(route), detail))
    served = tuple(_serve_routes(service, routes[service.name], resolver, problems) for service in services)
    upstreams = tuple(
        ServedUpstream(upstream.name, upstream.endpoints)
        for upstream in sorted(definitions.upstreams, key=lambda one: one.name)
    )
    return make_snapshot(upstreams, served, _tidy([*problems, *resolver.problems]))


def where_of(route: Route) -> str:
    return f"routes/{route.name}"


def _with_default(definitions: Definitions) -> tuple[VirtualService, ...]:
    services = definitions.virtual_services
    wanted = any(route.virtual_service == DEFAULT for route in definitions.routes)
    if wanted and all(service.name != DEFAULT for service in services):
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


def _serve_routes(
    service: ServedVirtualService, routes: list[Route], resolver: Resolver, problems: list[Problem]
) -> ServedVirtualService:
    ordered = order_routes(routes)
    served = tuple(_serve_route(route, resolver, problems) for route in ordered)
    for name, earlier in find_shadowed(ordered).items():
        detail = f"the route {earlier} is earlier in the order and takes all its requests"
        problems.append(Problem("route_shadowed", f"routes/{name}", detail, "warning"))
    return ServedVirtualService(service.name, service.domains, served)


def _serve_route(route: Route, resolver: Resolver, problems: list[Problem]) -> ServedRoute:
    where = where_of(route)
    destinations = tuple(
        resolver.resolve(where, destination, validate=route.validate_) for destination in route.destinations
    )
    mirror = resolver.resolve_mirror(where, route.mirror)
    faults = find_local_faults(route)
    if faults:
        code = "invalid_regex" if any(fault.code == "invalid_regex" for fault in faults) else "route_invalid"
        detail = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
        problems.append(Problem(code, where, detail))
        return ServedRoute(route, destinations, mirror, code, detail)
    return ServedRoute(route, destinations, mirror, *common_problem(destinations))


def _tidy(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, in an order that does not depend on how they were found."""
    return tuple(sorted(set(problems), key=lambda one: (one.where, one.code, one.detail)))
