"""``/api/v1/routes``: which requests go where, in effective order."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from admin_api import resources
from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.checks import read_route
from admin_api.documented import NAMED, READING, WRITING, problems, takes
from admin_api.pages import PageBody, answer_page, slice_page, walk
from admin_api.parts import HasParts
from admin_api.queries import DryRun, Force, HasPaging
from admin_api.representations import RouteView, dump, show_route
from admin_api.resources import Resource
from admin_api.served import Served
from admin_api.writes import Call
from coalmine.catalog import Reader, Writer
from coalmine.model import Route
from coalmine.model.salvage import Reading
from coalmine.routing.names import generate_name

router = APIRouter(prefix="/api/v1/routes", tags=["routes"])

_UNNAMED = "unnamed"  # stands in until the rest of the route, which the name is made of, is read


def _read(writer: Writer, body: dict[str, Any]) -> Reading[Route]:
    """The route in ``body``; a missing name is generated."""
    if "name" in body:
        return read_route(writer, body)
    reading = read_route(writer, {"name": _UNNAMED, **body})
    if reading.faults or reading.definition is None:
        return reading
    name = generate_name(reading.definition, frozenset(writer.names("route")))
    return replace(reading, definition=reading.definition.model_copy(update={"name": name}))


ROUTES: Resource[Route] = Resource(
    plural="routes",
    get=lambda reader, name: reader.get_route(name),
    find=lambda reader, name: reader.find_route(name),
    put=lambda writer, item: writer.put_route(item),
    delete=lambda writer, name: writer.delete_route(name),
    read=_read,
    show=show_route,
    used_by=lambda reader, name: [f"canaries/{name}"] if reader.find_canary(name) else [],
)


@router.get("", response_model=PageBody[RouteView], responses=READING)
def list_routes(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    q: Annotated[str | None, Query(description="words in name, path and destinations")] = None,
    virtual_service: Annotated[str | None, Query()] = None,
    upstream: Annotated[str | None, Query(description="routes that send to it")] = None,
    function: Annotated[str | None, Query(description="routes that call it")] = None,
) -> Response:
    """Routes by virtual service, in the order in which they are tried."""
    served = parts.served()
    with parts.catalog.read() as reader:
        names = _list_names(reader, q, virtual_service, upstream, function)
        places = {name: _place(name, reader, served) for name in names}
        page = slice_page(names, lambda name: (*places[name], name), paging.cursor, paging.limit)
        return answer_page(request, page, lambda name: show_route(reader.get_route(name), reader, served))


def _list_names(
    reader: Reader, q: str | None, virtual_service: str | None, upstream: str | None, function: str | None
) -> list[str]:
    if q is None and virtual_service is None and function is None and upstream is None:
        return reader.names("route")  # of thousands, only one page is read whole
    found = walk(reader.list_routes, q=q, virtual_service=virtual_service, upstream=upstream, function=function)
    return [route.name for route in found]


def _place(name: str, reader: Reader, served: Served) -> tuple[str, int]:
    """Effective order; what is not served, because its virtual service is gone, comes after the rest of it."""
    return served.places.get(name) or (reader.get_route(name).virtual_service, len(served.places))


@router.post(
    "",
    status_code=201,
    response_model=RouteView,
    responses=WRITING | problems("already_exists"),
    openapi_extra=takes(Route),
)
def create_route(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    """Create a route; a name is generated where it has none."""
    return resources.create(ROUTES, Call(request, parts, dry_run), body.parse_object())


@router.get("/{name}", response_model=RouteView, responses=READING | NAMED)
def get_route(request: Request, parts: HasParts, name: str) -> Response:
    with parts.catalog.read() as reader:
        item = reader.get_route(name)
        return answer(request, show_route(item, reader, parts.served()), definition=dump(item))


@router.put(
    "/{name}",
    response_model=RouteView,
    responses=WRITING | {201: {"model": RouteView, "description": "created"}},
    openapi_extra=takes(Route),
)
def put_route(request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False) -> Response:
    """Create or replace; a replaced route keeps its age."""
    return resources.replace(ROUTES, Call(request, parts, dry_run), name, body.parse_object())


@router.patch(
    "/{name}",
    response_model=RouteView,
    responses=WRITING | NAMED,
    openapi_extra=takes(None, types=("application/merge-patch+json", "application/json")),
)
def patch_route(request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False) -> Response:
    """Change by a merge patch (RFC 7396); lists, such as destinations, are replaced whole."""
    return resources.patch(ROUTES, Call(request, parts, dry_run), name, body.parse_object())


@router.delete("/{name}", status_code=204, responses=NAMED | problems("precondition_failed", "in_use"))
def delete_route(
    request: Request, parts: HasParts, name: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Delete, unless a canary is under way on it."""
    return resources.delete(ROUTES, Call(request, parts, dry_run), name, force=force)
