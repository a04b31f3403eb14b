"""``/api/v1/config``: everything that people wrote, as one document.

GET gives what PUT takes. ``apply`` adds and changes, PUT also removes; either does all of it or nothing. Bodies are
Coalmine's own form or Gloo's manifests, any number of YAML documents.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.applying import apply_set, read_set
from admin_api.bodies import HasBody
from admin_api.differences import Change
from admin_api.documented import READING, WRITING, takes
from admin_api.etags import check_if_match, hash_definition
from admin_api.parts import HasParts
from admin_api.queries import DryRun
from admin_api.representations import dump_short
from admin_api.writes import Call, DryRunBody, foresee, publish
from coalmine.errors import Problem
from coalmine.model import Definitions, Route, Upstream, VirtualService

router = APIRouter(prefix="/api/v1/config", tags=["config"])

Replace = Annotated[bool, Query(description="as PUT would: what is not in the body is removed")]


class Config(BaseModel):
    """What ``coalmine dump`` prints and ``coalmine apply`` takes; routes stand oldest first."""

    upstreams: list[Upstream] = Field(default_factory=list)
    virtual_services: list[VirtualService] = Field(default_factory=list)
    routes: list[Route] = Field(default_factory=list)


class ConfigResult(BaseModel):
    """What was changed (or would be), and the problems that it brought."""

    dry_run: bool
    changes: list[Change]
    problems: list[Problem]


@router.get("", response_model=Config, responses=READING)
def get_config(request: Request, parts: HasParts) -> Response:
    """Everything that people wrote, without what is said by default."""
    with parts.catalog.read() as reader:
        definitions = reader.load_definitions()
    return answer(request, dump_config(definitions))


@router.put("", response_model=ConfigResult, responses=WRITING, openapi_extra=takes(Config))
def replace_config(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    """Make the catalog exactly what the body says; the listed order of routes is their age."""
    return _change(Call(request, parts, dry_run), body.parse_all(), replace=True)


@router.post("/apply", response_model=ConfigResult, responses=WRITING, openapi_extra=takes(Config))
def apply_config(request: Request, parts: HasParts, body: HasBody, dry_run: DryRun = False) -> Response:
    """Add and change what the body has; of a Gloo virtual service, all routes are replaced."""
    return _change(Call(request, parts, dry_run), body.parse_all(), replace=False)


@router.post("/diff", response_model=ConfigResult, responses=WRITING, openapi_extra=takes(Config))
def diff_config(request: Request, parts: HasParts, body: HasBody, replace: Replace = False) -> Response:
    """What `apply` (or PUT) would change, object by object and key by key; nothing is changed."""
    return _change(Call(request, parts, dry_run=True), body.parse_all(), replace=replace)


@router.post("/validate", response_model=ConfigResult, responses=WRITING, openapi_extra=takes(Config))
def validate_config(request: Request, parts: HasParts, body: HasBody, replace: Replace = False) -> Response:
    """Whether `apply` would take the body: 422 with every fault where it would not."""
    return _change(Call(request, parts, dry_run=True), body.parse_all(), replace=replace)


def dump_config(definitions: Definitions) -> dict[str, Any]:
    return {
        "upstreams": [dump_short(item) for item in definitions.upstreams],
        "virtual_services": [dump_short(item) for item in definitions.virtual_services],
        "routes": [dump_short(item) for item in definitions.routes],
    }


def _change(call: Call, documents: list[Any], *, replace: bool) -> Response:
    config = read_set(documents)
    with call.parts.catalog.write() as writer:
        before = writer.load_definitions()
        check_if_match(call.header("if-match"), hash_definition(dump_config(before)))
        apply_set(writer, config, remove_others=replace)
        would = foresee(writer, before, lambda served: None)
        if call.dry_run:
            writer.rollback()
    if not call.dry_run:
        publish(call.parts, wake=True)
    return answer(call.request, _result(would, call.dry_run))


def _result(would: DryRunBody, dry_run: bool) -> dict[str, Any]:
    return ConfigResult(dry_run=dry_run, changes=would.changes, problems=would.problems).model_dump(mode="json")
