"""``/api/v1/upstreams``: the services that requests can be sent to, and what their documents say."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from admin_api import functions, resources
from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.checks import judge_upstream
from admin_api.documented import NAMED, READING, WRITING, problems, takes
from admin_api.own_address import find_own_endpoints
from admin_api.pages import PageBody, answer_page
from admin_api.parts import HasParts
from admin_api.queries import DryRun, Force, HasPaging
from admin_api.representations import UpstreamView, dump, show_upstream, unread_state
from admin_api.resources import Resource
from admin_api.writes import API, Call
from coalmine.catalog import Reader
from coalmine.errors import CoalmineError
from coalmine.model import Function, ProbeReport, Upstream
from coalmine.model.salvage import read_definition

router = APIRouter(prefix="/api/v1/upstreams", tags=["upstreams"])


def _used_by(reader: Reader, name: str) -> list[str]:
    return [f"routes/{route}" for route in reader.routes_using(name)]


UPSTREAMS: Resource[Upstream] = Resource(
    plural="upstreams",
    get=lambda reader, name: reader.get_upstream(name),
    find=lambda reader, name: reader.find_upstream(name),
    put=lambda writer, item: writer.put_upstream(item),
    delete=lambda writer, name: writer.delete_upstream(name),
    read=lambda writer, body: judge_upstream(read_definition(Upstream, body)),
    show=show_upstream,
    used_by=_used_by,
    wakes_prober=True,
    check=find_own_endpoints,
)


@router.get("", response_model=PageBody[UpstreamView], responses=READING)
def list_upstreams(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    q: Annotated[str | None, Query(description="words in name, endpoints and labels")] = None,
    label: Annotated[str | None, Query(description="key or key=value")] = None,
) -> Response:
    """Upstreams by name."""
    served = parts.served()
    with parts.catalog.read() as reader:
        page = reader.list_upstreams(q=q, label=label, cursor=paging.cursor, limit=paging.limit)
        return answer_page(request, page, lambda item: show_upstream(item, reader, served))


@router.post(
    "",
    status_code=201,
    response_model=UpstreamView,
    responses=WRITING | problems("already_exists"),
    openapi_extra=takes(Upstream),
)
def create_upstream(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    """Create an upstream; its document is looked for at once."""
    return resources.create(UPSTREAMS, Call(request, parts, dry_run), body.parse_object())


@router.get("/{name}", response_model=UpstreamView, responses=READING | NAMED)
def get_upstream(request: Request, parts: HasParts, name: str) -> Response:
    with parts.catalog.read() as reader:
        item = reader.get_upstream(name)
        return answer(request, show_upstream(item, reader, parts.served()), definition=dump(item))


@router.put(
    "/{name}",
    response_model=UpstreamView,
    responses=WRITING | {201: {"model": UpstreamView, "description": "created"}},
    openapi_extra=takes(Upstream),
)
def put_upstream(request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False) -> Response:
    """Create or replace; the name in the body may be left out."""
    return resources.replace(UPSTREAMS, Call(request, parts, dry_run), name, body.parse_object())


@router.patch(
    "/{name}",
    response_model=UpstreamView,
    responses=WRITING | NAMED,
    openapi_extra=takes(None, types=("application/merge-patch+json", "application/json")),
)
def patch_upstream(request: Request, parts: HasParts, name: str, body: HasBody, dry_run: DryRun = False) -> Response:
    """Change by a merge patch (RFC 7396)."""
    return resources.patch(UPSTREAMS, Call(request, parts, dry_run), name, body.parse_object())


@router.delete("/{name}", status_code=204, responses=NAMED | problems("precondition_failed", "in_use"))
def delete_upstream(
    request: Request, parts: HasParts, name: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Delete with its functions, unless routes use it."""
    return resources.delete(UPSTREAMS, Call(request, parts, dry_run), name, force=force)


@router.get("/{name}/functions", response_model=PageBody[Function], responses=READING | NAMED)
def list_functions_of_upstream(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    name: str,
    filters: functions.HasFilters,
) -> Response:
    """The functions of one upstream, by name."""
    with parts.catalog.read() as reader:
        reader.get_upstream(name)
        return functions.answer_functions(request, reader, paging, upstream=name, filters=filters)


@router.post("/{name}/probe", response_model=ProbeReport, responses=NAMED | problems("overloaded"))
def probe_upstream(request: Request, parts: HasParts, name: str) -> Response:
    """Look for the document now, and answer with what was found."""
    with parts.catalog.read() as reader:
        reader.get_upstream(name)
    try:
        report = parts.prober.probe(name)
    except TimeoutError:
        hint = f"look at {API}/upstreams/{name}/report later"
        raise CoalmineError("the probe is not finished yet", code="overloaded", hint=hint) from None
    return answer(request, show_report(report))


@router.get("/{name}/report", response_model=ProbeReport, responses=READING | NAMED)
def get_report(request: Request, parts: HasParts, name: str) -> Response:
    """The last probe: every URL that was tried, and why it was not taken."""
    with parts.catalog.read() as reader:
        upstream = reader.get_upstream(name)
        report = reader.find_report(name)
    return answer(request, show_report(report or ProbeReport(upstream=name, state=unread_state(upstream))))


def show_report(report: ProbeReport) -> dict[str, Any]:
    return report.model_dump(mode="json")
