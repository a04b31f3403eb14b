"""Whether a definition fits to the others: routes against the upstreams and functions there are.

Everything is told at once: what can be read of a faulty definition is checked against the catalog all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from admin_api.own_address import find_own_endpoints
from coalmine.catalog import Reader, Writer
from coalmine.errors import Fault
from coalmine.manifests import ConfigSet
from coalmine.model import Definitions, Route, Upstream, VirtualService
from coalmine.model.salvage import Reading, read_definition
from coalmine.routing.build import DEFAULT
from coalmine.routing.check import RouteChecker, check_virtual_service
from coalmine.settings import Settings
from coalmine.tls.client import list_faults


def gather(reader: Reader, routes: Iterable[Route]) -> Definitions:
    """What ``routes`` are checked against: the upstreams they use with all their functions, and all names."""
    used = sorted({use.upstream for route in routes for use in (*route.destinations, *_mirrors(route))})
    return Definitions(
        upstreams=reader.load_upstreams(),
        functions=tuple(function for name in used for function in reader.functions_of(name)),
        virtual_services=reader.load_virtual_services(),
        pending=frozenset(name for name in used if _is_unread(reader, name)),
    )


def _mirrors(route: Route) -> tuple[Any, ...]:
    return (route.mirror,) if route.mirror else ()


def _is_unread(reader: Reader, upstream: str) -> bool:
    report = reader.find_report(upstream)
    return report is None or report.last_success_at is None


def make_default(writer: Writer) -> list[Fault]:
    """Make the virtual service "default" where it is missing; a fault where it could get no request."""
    if writer.find_virtual_service(DEFAULT):
        return []
    for other in writer.load_virtual_services():
        if "*" in other.domains:
            detail = f"no virtual service is named, and all requests belong to {other.name}"
            return [Fault("/virtual_service", "missing_key", detail, f"add virtual_service: {other.name}")]
    writer.put_virtual_service(VirtualService(name=DEFAULT))
    return []


def read_route(writer: Writer, body: dict[str, Any]) -> Reading[Route]:
    """``body`` as a route, with every fault: its own, and those that the catalog shows."""
    reading = read_definition(Route, body)
    route = reading.definition
    if route is None:
        return reading
    if route.virtual_service == DEFAULT:
        reading = reading.also(make_default(writer))
    return judge_route(reading, RouteChecker(gather(writer, [route])))


def judge_route(reading: Reading[Route], checker: RouteChecker) -> Reading[Route]:
    """With what is wrong with it among the other definitions; of a faulty one, what can be read of it is judged."""
    route = reading.definition
    return reading if route is None else reading.also(checker.check(route, reading.is_missing))


def judge_upstream(reading: Reading[Upstream]) -> Reading[Upstream]:
    """With what is wrong with the files that it names: who finds out here need not find out by failing requests."""
    upstream = reading.definition
    return reading if upstream is None or upstream.tls is None else reading.also(list_faults(upstream.tls))


def judge_virtual_service(reading: Reading[VirtualService], definitions: Definitions) -> Reading[VirtualService]:
    service = reading.definition
    return reading if service is None else reading.also(check_virtual_service(service, definitions))


def judge_set(writer: Writer, config: ConfigSet, settings: Settings) -> list[Fault]:
    """Every fault of ``config``, whose definitions are all in the catalog of ``writer``."""
    definitions = gather(writer, config.routes)
    # Nobody can know yet which functions an upstream has that this very set brings.
    tolerate = definitions.pending & {item.name for item in config.upstreams}
    checker = RouteChecker(definitions, tolerate=tolerate)
    default = make_default(writer) if any(route.virtual_service == DEFAULT for route in config.routes) else []
    faults = list(config.faults)
    for reading in config.readings:
        if isinstance(reading.definition, Upstream):
            judged = judge_upstream(reading).also(find_own_endpoints(reading.definition, settings))
            faults += judged.faults
        elif isinstance(reading.definition, VirtualService):
            faults += judge_virtual_service(reading, definitions).faults
        elif isinstance(reading.definition, Route):
            route = judge_route(reading, checker)
            faults += (route.also(default) if reading.definition.virtual_service == DEFAULT else route).faults
    # A name may be unknown only because the definition that has it cannot be read.
    unknown = {Upstream: "unknown_upstream", VirtualService: "unknown_virtual_service"}
    silent = {code for kind, code in unknown.items() if kind in config.nameless}
    return [fault for fault in faults if fault.code not in silent]
