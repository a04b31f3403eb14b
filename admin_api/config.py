"""``/api/v1/config``: everything that people wrote, as one document.

GET gives what PUT takes. ``apply`` adds and changes, PUT also removes; either does all of it or nothing. Bodies are
Coalmine's own form or Gloo's manifests, any number of YAML documents. What a body writes belongs to the set that
``owner`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.applying import TakenOver, apply_set, end_replaced_canaries, read_set
from admin_api.bodies import Body, HasBody
from admin_api.differences import Change
from admin_api.documented import READING, WRITING, problems, takes
from admin_api.etags import check_if_match, hash_definition
from admin_api.parts import HasParts
from admin_api.problems import QueryError
from admin_api.queries import DryRun
from admin_api.representations import dump_short
from admin_api.writes import Call, transaction
from coalmine.errors import Problem
from coalmine.model import NAME_PATTERN, Definitions, Route, Upstream, VirtualService
from coalmine.model.revision import API_OWNER, Ownership

router = APIRouter(prefix="/api/v1/config", tags=["config"])

Replace = Annotated[bool, Query(description="as PUT would: what is not in the body is removed")]
Prune = Annotated[bool, Query(description="remove what this set wrote once and has no more; nothing of others")]
Owner = Annotated[str, Query(pattern=NAME_PATTERN, description="the name of the set that the body is")]
DEFAULT_OWNER = "apply"
APPLYING = WRITING | problems("owned_by_other", "in_use")


class Config(BaseModel):
    """What ``coalmine dump`` prints and ``coalmine apply`` takes; routes stand oldest first."""

    upstreams: list[Upstream] = Field(default_factory=list)
    virtual_services: list[VirtualService] = Field(default_factory=list)
    routes: list[Route] = Field(default_factory=list)


class ConfigResult(BaseModel):
    """What was changed (or would be), and the problems that it brought."""

    dry_run: bool
    revision: int | None = Field(None, description="the number of what was done; null where nothing was changed")
    owner: str = Field(description="the set that was written")
    changes: list[Change]
    taken_over: list[TakenOver] = Field(description="what belonged to others before")
    drifted: list[str] = Field(description="what of the set others had changed since it was written last")
    ended_canaries: list[str] = Field(description="canaries that are over because their routes were replaced")
    problems: list[Problem]


@router.get("", response_model=Config, responses=READING)
def get_config(
    request: Request,
    parts: HasParts,
    owner: Annotated[str | None, Query(description="only what belongs to this set, or to `api`")] = None,
) -> Response:
    """Everything that people wrote, without what is said by default."""
    with parts.catalog.read() as reader:
        definitions = reader.load_definitions()
        owners = reader.owners.load()
    return answer(request, dump_config(definitions if owner is None else _only(definitions, owners, owner)))


@router.put("", response_model=ConfigResult, responses=WRITING, openapi_extra=takes(Config))
def replace_config(
    request: Request, parts: HasParts, body: HasBody, owner: Owner = DEFAULT_OWNER, dry_run: DryRun = False
) -> Response:
    """Make the catalog exactly what the body says; the listed order of routes is their age."""
    return _change(Call(request, parts, dry_run), body, owner, replace=True)


@router.post("/apply", response_model=ConfigResult, responses=APPLYING, openapi_extra=takes(Config))
def apply_config(
    request: Request,
    parts: HasParts,
    body: HasBody,
    owner: Owner = DEFAULT_OWNER,
    prune: Prune = False,
    dry_run: DryRun = False,
) -> Response:
    """Add and change what the body has; of a Gloo virtual service, all routes are replaced."""
    return _change(Call(request, parts, dry_run), body, owner, prune=prune)


@router.post("/diff", response_model=ConfigResult, responses=APPLYING, openapi_extra=takes(Config))
def diff_config(
    request: Request,
    parts: HasParts,
    body: HasBody,
    owner: Owner = DEFAULT_OWNER,
    prune: Prune = False,
    replace: Replace = False,
) -> Response:
    """What `apply` (or PUT) would change, object by object and key by key; nothing is changed."""
    return _change(Call(request, parts, dry_run=True), body, owner, replace=replace, prune=prune)


@router.post("/validate", response_model=ConfigResult, responses=APPLYING, openapi_extra=takes(Config))
def validate_config(
    request: Request,
    parts: HasParts,
    body: HasBody,
    owner: Owner = DEFAULT_OWNER,
    prune: Prune = False,
    replace: Replace = False,
) -> Response:
    """Whether `apply` would take the body: 422 with every fault where it would not."""
    return _change(Call(request, parts, dry_run=True), body, owner, replace=replace, prune=prune)


def dump_config(definitions: Definitions) -> dict[str, Any]:
    return {
        "upstreams": [dump_short(item) for item in definitions.upstreams],
        "virtual_services": [dump_short(item) for item in definitions.virtual_services],
        "routes": [dump_short(item) for item in definitions.routes],
    }


def _only(definitions: Definitions, owners: Mapping[str, Ownership], owner: str) -> Definitions:
    def is_theirs(name: str) -> bool:
        return (owners[name].owner if name in owners else API_OWNER) == owner

    return Definitions(
        upstreams=tuple(item for item in definitions.upstreams if is_theirs(f"upstreams/{item.name}")),
        virtual_services=tuple(
            item for item in definitions.virtual_services if is_theirs(f"virtual-services/{item.name}")
        ),
        routes=tuple(item for item in definitions.routes if is_theirs(f"routes/{item.name}")),
    )


def _change(call: Call, body: Body, owner: str, *, replace: bool = False, prune: bool = False) -> Response:
    _check_query(owner, replace=replace, prune=prune)
    config = read_set(body.parse_all())
    summary = f"{'replace everything by' if replace else 'apply'} the set {owner}"
    with transaction(call, summary, owner=owner, wake=True) as write:
        check_if_match(call.header("if-match"), hash_definition(dump_config(write.before)))
        drifted = write.writer.owners.drifted(owner)
        taken = apply_set(write.writer, config, owner, call.parts.settings, remove_others=replace, prune=prune)
        ended = end_replaced_canaries(write.writer, config, remove_others=replace)
    result = ConfigResult(
        dry_run=call.dry_run,
        revision=write.revision,
        owner=owner,
        changes=write.definition_changes(),
        taken_over=taken,
        drifted=drifted,
        ended_canaries=ended,
        problems=write.problems,
    )
    return answer(call.request, result.model_dump(mode="json"), headers=write.headers())


def _check_query(owner: str, *, replace: bool, prune: bool) -> None:
    if owner == API_OWNER:
        raise QueryError(f"{API_OWNER!r} is who writes without files", hint="give the set another name")
    if replace and prune:
        raise QueryError("replace removes everything else, prune only what is the set's own", hint="give one of them")
