"""``/api/v1/canaries``: the release of a new version on one route, step by step, and back.

A canary is named as ``virtual-service/x`` or ``x``, where x is a route, a function that a route calls, or a path.
What a step writes is planned by ``coalmine.routing.canary``; here it is carried out in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.differences import Change
from admin_api.documented import NAMED, READING, WRITING, problems, takes
from admin_api.etags import check_if_match, hash_definition
from admin_api.pages import PageBody, answer_page, slice_page
from admin_api.parts import HasParts
from admin_api.queries import DryRun, HasPaging
from admin_api.representations import dump
from admin_api.writes import API, Call, Write, transaction
from coalmine.catalog import Reader, Writer
from coalmine.errors import Problem
from coalmine.model import Canary, Definitions, Destination, HeaderMatch, Name, Sticky
from coalmine.model.faults import parse_definition
from coalmine.routing.canary import (
    CanaryPlan,
    find_canary,
    plan_abort,
    plan_promote,
    plan_shift,
    plan_start,
)
from coalmine.routing.canary_status import describe_canary

router = APIRouter(prefix="/api/v1/canaries", tags=["canaries"])

Force = Annotated[bool, Query(description="although somebody changed the routes by hand since the last step")]
Percent = Annotated[int, Field(ge=0, le=100, description="share of the requests without the header")]
Planner = Callable[[Definitions, Sequence[Canary]], CanaryPlan]


class CanaryStart(BaseModel):
    """A new version beside the one that a route sends to now."""

    model_config = ConfigDict(extra="forbid")

    route: str = Field(description="such as coalmine/findPets")
    upstream: Name
    function: str | None = Field(None, description="absent: the function of that name that the route calls now")
    header: HeaderMatch | None = None
    percent: Percent = 0
    sticky: Sticky | None = None


class CanaryShift(BaseModel):
    model_config = ConfigDict(extra="forbid")

    percent: Percent
    sticky: Sticky | None = None


class Share(BaseModel):
    destination: Destination
    percent: float


class CanaryStatus(BaseModel):
    shares: list[Share] = Field(description="of the requests without the header")
    drift: list[str] = Field(description="what somebody changed by hand since the last step")


class CanaryView(Canary):
    status: CanaryStatus


class CanaryEnd(BaseModel):
    """What a step that ends a canary did (or would do)."""

    dry_run: bool
    summary: str
    changes: list[Change]
    problems: list[Problem]


_STEP = WRITING | NAMED | problems("canary_conflict")


@router.get("", response_model=PageBody[CanaryView], responses=READING)
def list_canaries(request: Request, parts: HasParts, paging: HasPaging) -> Response:
    """Canaries under way, by the name of their route."""
    with parts.catalog.read() as reader:
        definitions = reader.load_definitions()
        page = slice_page(list(reader.list_canaries()), lambda one: (one.name,), paging.cursor, paging.limit)
    return answer_page(request, page, lambda canary: show_canary(definitions, canary))


@router.post("", status_code=201, response_model=CanaryView, responses=_STEP, openapi_extra=takes(CanaryStart))
def start_canary(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    """Start: by a header, by a share of the requests, or both."""
    wanted = parse_definition(CanaryStart, body.parse_object())
    options = {name: getattr(wanted, name) for name in ("upstream", "function", "header", "percent", "sticky")}

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        return plan_start(definitions, canaries, wanted.route, started=parts.now(), **options)

    return _step(Call(request, parts, dry_run), plan, created=True, upstream=wanted.upstream)


@router.get("/{reference:path}", response_model=CanaryView, responses=READING | NAMED)
def get_canary(request: Request, parts: HasParts, reference: str) -> Response:
    with parts.catalog.read() as reader:
        definitions = reader.load_definitions()
        canary = find_canary(definitions, reader.list_canaries(), reference)
    return answer(request, show_canary(definitions, canary), definition=dump(canary))


@router.post("/{reference:path}/shift", response_model=CanaryView, responses=_STEP, openapi_extra=takes(CanaryShift))
def shift_canary(
    request: Request, parts: HasParts, reference: str, body: HasBody, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Give the new version another share; requests with the header stay on it."""
    wanted = parse_definition(CanaryShift, body.parse_object())
    call = Call(request, parts, dry_run)

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        _check_unchanged(call, find_canary(definitions, canaries, reference))
        options: dict[str, Any] = {"sticky": wanted.sticky, "force": force, "started": parts.now()}
        return plan_shift(definitions, canaries, reference, wanted.percent, **options)

    return _step(call, plan)


@router.post("/{reference:path}/promote", response_model=CanaryEnd, responses=_STEP)
def promote_canary(
    request: Request, parts: HasParts, reference: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Send everybody to the new version; the canary is over."""
    return _end(
        Call(request, parts, dry_run), reference, lambda one, two: plan_promote(one, two, reference, force=force)
    )


@router.post("/{reference:path}/abort", response_model=CanaryEnd, responses=_STEP)
def abort_canary(
    request: Request, parts: HasParts, reference: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Restore everything as it was before the start; the canary is over."""
    return _end(Call(request, parts, dry_run), reference, lambda one, two: plan_abort(one, two, reference, force=force))


def show_canary(definitions: Definitions, canary: Canary) -> dict[str, Any]:
    status = describe_canary(definitions, canary)
    shares = [{"destination": dump(destination), "percent": percent} for destination, percent in status.shares]
    return dump(canary) | {"status": {"shares": shares, "drift": list(status.drift)}}


def _step(call: Call, make_plan: Planner, *, created: bool = False, upstream: str | None = None) -> Response:
    """Carry out a plan after which there is a canary."""
    with transaction(call, "canary") as write:
        plan, shown = _carry_out(write, make_plan, upstream)
    assert plan.put_canary is not None
    if call.dry_run:
        return answer(call.request, write.would().model_dump(mode="json"), headers=write.headers())
    status, extra = (201, {"location": f"{API}/canaries/{plan.put_canary.name}"}) if created else (200, {})
    headers = write.headers() | extra
    return answer(call.request, shown, definition=dump(plan.put_canary), status=status, headers=headers)


def _end(call: Call, reference: str, make_plan: Planner) -> Response:
    """Carry out a plan after which there is none."""

    def plan_unless_changed(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        _check_unchanged(call, find_canary(definitions, canaries, reference))
        return make_plan(definitions, canaries)

    with transaction(call, "canary") as write:
        plan, _ = _carry_out(write, plan_unless_changed, None)
    changes = write.definition_changes()
    end = CanaryEnd(dry_run=call.dry_run, summary=plan.summary, changes=changes, problems=write.problems)
    return answer(call.request, end.model_dump(mode="json"), headers=write.headers())


def _carry_out(write: Write, make_plan: Planner, upstream: str | None) -> tuple[CanaryPlan, dict[str, Any] | None]:
    """Write what ``make_plan`` plans, and show the canary that it leaves, if any.

    ``upstream`` is that of the new version, whose functions nobody may use yet.
    """
    writer = write.writer
    plan = make_plan(_with_functions(write.before, writer, upstream), writer.list_canaries())
    for route in plan.put_routes:
        writer.put_route(route)
    for name in plan.delete_routes:
        writer.delete_route(name)
    if plan.put_canary is not None:
        writer.put_canary(plan.put_canary)
    if plan.delete_canary is not None:
        writer.delete_canary(plan.delete_canary)
    shown = _show_planned(writer, plan)
    write.summary, write.show = f"canary: {plan.summary}", lambda served: shown
    return plan, shown


def _show_planned(writer: Writer, plan: CanaryPlan) -> dict[str, Any] | None:
    return None if plan.put_canary is None else show_canary(writer.load_definitions(), plan.put_canary)


def _with_functions(definitions: Definitions, reader: Reader, upstream: str | None) -> Definitions:
    if upstream is None or reader.find_upstream(upstream) is None:
        return definitions
    others = tuple(one for one in definitions.functions if one.upstream != upstream)
    return replace(definitions, functions=others + reader.functions_of(upstream))


def _check_unchanged(call: Call, canary: Canary) -> None:
    check_if_match(call.header("if-match"), hash_definition(dump(canary)))
