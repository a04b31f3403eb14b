"""``/api/v1/virtual-services``: domains whose requests are matched against one set of routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from admin_api import resources
from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.checks import judge_virtual_service
from admin_api.documented import NAMED, READING, WRITING, problems, takes
from admin_api.gateway_document import make_gateway_document
from admin_api.pages import PageBody, answer_page, walk
from admin_api.parts import HasParts
from admin_api.queries import DryRun, Force, HasPaging
from admin_api.representations import VirtualServiceView, dump, show_virtual_service
from admin_api.resources import Resource
from admin_api.served_pages import list_urls
from admin_api.writes import Call
from coalmine.catalog import Reader, Writer
from coalmine.model import Definitions, VirtualService
from coalmine.model.salvage import Reading, read_definition

router = APIRouter(prefix="/api/v1/virtual-services", tags=["virtual services"])


def _read(writer: Writer, body: dict[str, Any]) -> Reading[VirtualService]:
    others = Definitions(virtual_services=writer.load_virtual_services())
    return judge_virtual_service(read_definition(VirtualService, body), others)


def _used_by(reader: Reader, name: str) -> list[str]:
    return [f"routes/{route.name}" for route in walk(reader.list_routes, virtual_service=name)]


VIRTUAL_SERVICES: Resource[VirtualService] = Resource(
    plural="virtual-services",
    get=lambda reader, name: reader.get_virtual_service(name),
    find=lambda reader, name: reader.find_virtual_service(name),
    put=lambda writer, item: writer.put_virtual_service(item),
    delete=lambda writer, name: writer.delete_virtual_service(name),
    read=_read,
    show=show_virtual_service,
    used_by=_used_by,
)


@router.get("", response_model=PageBody[VirtualServiceView], responses=READING)
def list_virtual_services(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    q: Annotated[str | None, Query(description="words in name and domains")] = None,
) -> Response:
    """Virtual services by name."""
    served = parts.served()
    with parts.catalog.read() as reader:
        page = reader.list_virtual_services(q=q, cursor=paging.cursor, limit=paging.limit)
        return answer_page(request, page, lambda item: show_virtual_service(item, reader, served))


@router.post(
    "",
    status_code=201,
    response_model=VirtualServiceView,
    responses=WRITING | problems("already_exists"),
    openapi_extra=takes(VirtualService),
)
def create_virtual_service(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    return resources.create(VIRTUAL_SERVICES, Call(request, parts, dry_run), body.parse_object())


@router.get("/{name}", response_model=VirtualServiceView, responses=READING | NAMED)
def get_virtual_service(request: Request, parts: HasParts, name: str) -> Response:
    with parts.catalog.read() as reader:
        item = reader.get_virtual_service(name)
        value = show_virtual_service(item, reader, parts.served())
        return answer(request, value, definition=dump(item))


@router.put(
    "/{name}",
    response_model=VirtualServiceView,
    responses=WRITING | {201: {"model": VirtualServiceView, "description": "created"}},
    openapi_extra=takes(VirtualService),
)
def put_virtual_service(
    request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False
) -> Response:
    """Create or replace; the name in the body may be left out."""
    return resources.replace(VIRTUAL_SERVICES, Call(request, parts, dry_run), name, body.parse_object())


@router.patch(
    "/{name}",
    response_model=VirtualServiceView,
    responses=WRITING | NAMED,
    openapi_extra=takes(None, types=("application/merge-patch+json", "application/json")),
)
def patch_virtual_service(
    request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False
) -> Response:
    """Change by a merge patch (RFC 7396)."""
    return resources.patch(VIRTUAL_SERVICES, Call(request, parts, dry_run), name, body.parse_object())


@router.delete("/{name}", status_code=204, responses=NAMED | problems("precondition_failed", "in_use"))
def delete_virtual_service(
    request: Request, parts: HasParts, name: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Delete, unless it has routes."""
    return resources.delete(VIRTUAL_SERVICES, Call(request, parts, dry_run), name, force=force)


@router.get("/{name}/openapi.json", response_model=dict[str, Any], responses=READING | NAMED)
def get_gateway_document(request: Request, parts: HasParts, name: str) -> Response:
    """The gateway's own document: the routed functions under their public paths, OpenAPI 3.1."""
    with parts.catalog.read() as reader:
        item = reader.get_virtual_service(name)
        return answer(request, make_gateway_document(item, parts.feed.current, reader, list_urls(parts.settings)))
