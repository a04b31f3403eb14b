"""Whether a definition fits to the others: routes against the upstreams and functions there are.

Everything is told at once: where parts of a route are malformed, the destinations that can be read are checked
against the catalog all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from admin_api.pages import walk
from coalmine.catalog import Reader, Writer
from coalmine.errors import DefinitionError, Fault
from coalmine.model import Definitions, Destination, Route, VirtualService
from coalmine.model.faults import list_faults
from coalmine.routing.build import DEFAULT
from coalmine.routing.check import check_route


def gather(reader: Reader, routes: Iterable[Route]) -> Definitions:
    """What ``routes`` are checked against: the upstreams they use with all their functions, and all names."""
    used = sorted({use.upstream for route in routes for use in (*route.destinations, *_mirrors(route))})
    return Definitions(
        upstreams=tuple(walk(reader.list_upstreams)),
        functions=tuple(function for name in used for function in reader.functions_of(name)),
        virtual_services=tuple(walk(reader.list_virtual_services)),
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
    for other in walk(writer.list_virtual_services):
        if "*" in other.domains:
            detail = f"no virtual service is named, and all requests belong to {other.name}"
            return [Fault("/virtual_service", "missing_key", detail, f"add virtual_service: {other.name}")]
    writer.put_virtual_service(VirtualService(name=DEFAULT))
    return []


def parse_route(writer: Writer, body: dict[str, Any]) -> Route:
    """``body`` as a route that can be served; raises DefinitionError with every fault, here and in the catalog."""
    faults = make_default(writer) if body.get("virtual_service", DEFAULT) == DEFAULT else []
    try:
        route = Route.model_validate(body)
    except ValidationError as error:
        faults += list_faults(error, Route, body) + _check_destinations(writer, body)
        raise DefinitionError(faults) from None
    faults += check_route(route, gather(writer, [route]))
    if faults:
        raise DefinitionError(faults)
    return route


def _check_destinations(reader: Reader, body: dict[str, Any]) -> list[Fault]:
    """The faults of those destinations that can be read on their own."""
    listed = body.get("destinations")
    faults: list[Fault] = []
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        try:
            destination = Destination.model_validate(item).model_copy(update={"weight": 1})
        except ValidationError:
            continue
        route = Route(name="checked", destinations=(destination,))
        here, there = "/destinations/0", f"/destinations/{index}"
        faults += [
            Fault(there + fault.pointer.removeprefix(here), fault.code, fault.detail, fault.hint)
            for fault in check_route(route, gather(reader, [route]))
            if fault.pointer.startswith(here)
        ]
    return faults
