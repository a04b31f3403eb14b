"""``/api/v1/canaries``: the release of a new version on one route, step by step, and back.

A canary is named as ``virtual-service/x`` or ``x``, where x is a route, a function that a route calls, or a path.
What a step writes is planned by ``coalmine.routing.canary``; here it is carried out in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.canary_gate import refuse_breaking
from admin_api.canary_views import CanaryEnd, CanaryStepped, CanaryView, StepTaken, Viewer, compare, count
from admin_api.documented import NAMED, READING, WRITING, problems, takes
from admin_api.etags import check_if_match, hash_definition
from admin_api.pages import PageBody, answer_page, slice_page
from admin_api.parts import HasParts
from admin_api.queries import DryRun, HasPaging
from admin_api.representations import dump
from admin_api.writes import API, Call, Write, transaction
from coalmine.catalog import Reader, Writer
from coalmine.model import Canary, Definitions, HeaderMatch, Name, Route, Sticky
from coalmine.model.base import Whole
from coalmine.model.pin import Pin
from coalmine.model.salvage import parse_definition
from coalmine.routing.canary import CanaryPlan, find_canary, plan_abort, plan_promote, plan_shift, plan_start
from coalmine.routing.canary_figures import Counts, take_baseline

router = APIRouter(prefix="/api/v1/canaries", tags=["canaries"])

Force = Annotated[bool, Query(description="although somebody changed the routes by hand since the last step")]
_ACCEPT = "although callers of the old version may fail"
AcceptBreaking = Annotated[bool, Query(description=_ACCEPT)]
Percent = Annotated[Whole, Field(ge=0, le=100, description="share of the requests without the header")]
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
    accept_breaking: bool = Field(False, description=_ACCEPT)


class CanaryShift(BaseModel):
    model_config = ConfigDict(extra="forbid")

    percent: Percent
    sticky: Sticky | None = Field(None, description="absent: as it is")
    accept_breaking: bool = Field(False, description=_ACCEPT)


_STEP = WRITING | NAMED | problems("canary_conflict", "breaking_change")


@router.get("", response_model=PageBody[CanaryView], responses=READING)
def list_canaries(request: Request, parts: HasParts, paging: HasPaging) -> Response:
    """Canaries under way, by the name of their route."""
    counts = count(parts)
    with parts.catalog.read() as reader:
        viewer = Viewer(reader.load_definitions(), reader, counts)
        page = slice_page(list(reader.list_canaries()), lambda one: (one.name,), paging.cursor, paging.limit)
        return answer_page(request, page, viewer.show)


@router.post("", status_code=201, response_model=CanaryStepped, responses=_STEP, openapi_extra=takes(CanaryStart))
def start_canary(
    request: Request,
    parts: HasParts,
    body: HasBody,
    accept_breaking: AcceptBreaking = False,
    dry_run: DryRun = False,
) -> Response:
    """Start: by a header, by a share of the requests, or both."""
    wanted = parse_definition(CanaryStart, body.parse_object())
    options = {name: getattr(wanted, name) for name in ("upstream", "function", "header", "percent", "sticky")}

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        return plan_start(definitions, canaries, wanted.route, started=parts.now(), **options)

    step = Step(Call(request, parts, dry_run), plan, upstream=wanted.upstream)
    return _step(step, accept_breaking=accept_breaking or wanted.accept_breaking, created=True)


@router.get("/{reference:path}", response_model=CanaryView, responses=READING | NAMED)
def get_canary(request: Request, parts: HasParts, reference: str) -> Response:
    """One, with the differences between its versions, and what each of them did since the start."""
    counts = count(parts)
    with parts.catalog.read() as reader:
        definitions = reader.load_definitions()
        canary = find_canary(definitions, reader.list_canaries(), reference)
        shown = Viewer(definitions, reader, counts).show(canary)
    return answer(request, shown, definition=dump(canary))


@router.post("/{reference:path}/shift", response_model=CanaryStepped, responses=_STEP, openapi_extra=takes(CanaryShift))
def shift_canary(
    request: Request,
    parts: HasParts,
    reference: str,
    body: HasBody,
    force: Force = False,
    accept_breaking: AcceptBreaking = False,
    dry_run: DryRun = False,
) -> Response:
    """Give the new version another share; requests with the header stay on it."""
    wanted = parse_definition(CanaryShift, body.parse_object())
    call = Call(request, parts, dry_run)

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        _check_unchanged(call, find_canary(definitions, canaries, reference))
        options: dict[str, Any] = {"sticky": wanted.sticky, "force": force, "started": parts.now()}
        return plan_shift(definitions, canaries, reference, wanted.percent, **options)

    return _step(Step(call, plan), accept_breaking=accept_breaking or wanted.accept_breaking)


@router.post("/{reference:path}/promote", response_model=CanaryEnd, responses=_STEP)
def promote_canary(
    request: Request,
    parts: HasParts,
    reference: str,
    force: Force = False,
    accept_breaking: AcceptBreaking = False,
    dry_run: DryRun = False,
) -> Response:
    """Send everybody to the new version; the canary is over."""
    call = Call(request, parts, dry_run)

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        _check_unchanged(call, find_canary(definitions, canaries, reference))
        return plan_promote(definitions, canaries, reference, force=force)

    return _end(Step(call, plan), reference, gated=not accept_breaking)


@router.post("/{reference:path}/abort", response_model=CanaryEnd, responses=_STEP)
def abort_canary(
    request: Request, parts: HasParts, reference: str, force: Force = False, dry_run: DryRun = False
) -> Response:
    """Restore everything as it was before the start; the canary is over."""
    call = Call(request, parts, dry_run)

    def plan(definitions: Definitions, canaries: Sequence[Canary]) -> CanaryPlan:
        _check_unchanged(call, find_canary(definitions, canaries, reference))
        return plan_abort(definitions, canaries, reference, force=force)

    return _end(Step(call, plan), reference, gated=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a canary: ``make_plan`` says what it writes.

    ``upstream`` is that of the new version, where nobody may use its functions yet.
    """

    call: Call
    make_plan: Planner
    upstream: str | None = None

    def plan(self, write: Write) -> CanaryPlan:
        definitions = _with_functions(write.before, write.writer, self.upstream)
        return self.make_plan(definitions, write.writer.list_canaries())


def _step(step: Step, *, accept_breaking: bool, created: bool = False) -> Response:
    """Carry out a step after which there is a canary."""
    call, counts = step.call, count(step.call.parts)
    with transaction(call, "canary") as write:
        plan = step.plan(write)
        canary = _begin_counting(plan, write.writer, counts)
        if not accept_breaking and not _goes_back(canary, write.writer):
            refuse_breaking(compare(write.writer, canary))
        _carry_out(write, replace(plan, put_canary=canary), canary)
        shown = Viewer(write.writer.load_definitions(), write.writer, counts).show(canary)
        write.show = lambda served: shown
    if call.dry_run:
        return answer(call.request, write.would().model_dump(mode="json"), headers=write.headers())
    taken = StepTaken(summary=plan.summary, changes=write.definition_changes()).model_dump(mode="json")
    status, extra = (201, {"location": f"{API}/canaries/{canary.name}"}) if created else (200, {})
    return answer(
        call.request, shown | {"step": taken}, definition=dump(canary), status=status, headers=write.headers() | extra
    )


def _end(step: Step, reference: str, *, gated: bool) -> Response:
    """Carry out a step after which there is none; a ``gated`` one may break nobody."""
    call = step.call
    with transaction(call, "canary") as write:
        plan = step.plan(write)
        canary = find_canary(write.before, write.writer.list_canaries(), reference)
        if gated:
            refuse_breaking(compare(write.writer, canary))
        _carry_out(write, plan, canary)
    end = CanaryEnd(
        dry_run=call.dry_run,
        route=canary.name,
        summary=plan.summary,
        changes=write.definition_changes(),
        problems=write.problems,
    )
    return answer(call.request, end.model_dump(mode="json"), headers=write.headers())


def _carry_out(write: Write, plan: CanaryPlan, canary: Canary) -> None:
    writer = write.writer
    pins = _find_pins(writer, canary)
    for route in plan.put_routes:
        writer.put_route(route)
        _put_back(writer, [pin for pin in pins if pin.route == route.name], route)
    for name in plan.delete_routes:
        writer.delete_route(name)
    if plan.put_canary is not None:
        writer.put_canary(plan.put_canary)
    if plan.delete_canary is not None:
        writer.delete_canary(plan.delete_canary)
    write.summary = f"canary: {plan.summary}"


def _find_pins(reader: Reader, canary: Canary) -> list[Pin]:
    """What the base route goes on with of its old versions: a step is about the new one, and decides nothing there."""
    upstreams = {one.upstream for one in canary.before.destinations}
    return [pin for upstream in sorted(upstreams) for pin in reader.pins_of(upstream) if pin.route == canary.name]


def _put_back(writer: Writer, pins: Sequence[Pin], route: Route) -> None:
    used = {(one.upstream, one.function) for one in route.destinations}
    for pin in pins:
        if (pin.upstream, pin.function) in used:
            writer.put_pins(pin.upstream, [*writer.pins_of(pin.upstream), pin])


def _begin_counting(plan: CanaryPlan, reader: Reader, counts: Counts) -> Canary:
    """The canary that the plan leaves; a new one remembers what was counted before it."""
    canary = plan.put_canary
    assert canary is not None
    if reader.find_canary(canary.name) is not None:
        return canary
    return canary.model_copy(update={"baseline": take_baseline(canary, counts)})


def _goes_back(canary: Canary, reader: Reader) -> bool:
    """A smaller share for a version that turned out to be a bad one needs no permission."""
    known = reader.find_canary(canary.name)
    return known is not None and canary.percent < known.percent


def _with_functions(definitions: Definitions, reader: Reader, upstream: str | None) -> Definitions:
    if upstream is None or reader.find_upstream(upstream) is None:
        return definitions
    others = tuple(one for one in definitions.functions if one.upstream != upstream)
    return replace(definitions, functions=others + reader.functions_of(upstream))


def _check_unchanged(call: Call, canary: Canary) -> None:
    check_if_match(call.header("if-match"), hash_definition(dump(canary)))
