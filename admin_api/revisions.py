"""``/api/v1/revisions``: what was changed when and by whom, what differs between two moments, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.config import dump_config
from admin_api.differences import Change, WholeChange, tell, tell_whole
from admin_api.documented import NAMED, READING, problems
from admin_api.etags import check_if_match, hash_definition
from admin_api.pages import PageBody, answer_page
from admin_api.parts import HasParts
from admin_api.problems import QueryError
from admin_api.queries import DryRun, HasPaging
from admin_api.writes import Call, transaction
from coalmine.catalog import restore
from coalmine.errors import Problem
from coalmine.model.revision import Revision

router = APIRouter(prefix="/api/v1/revisions", tags=["revisions"])

Number = Annotated[int, Path(ge=0, le=2**53, description="0 is the state before the first revision")]


class RevisionView(Revision):
    """A revision and everything that it changed."""

    changes: list[WholeChange]


class RevisionDiff(BaseModel):
    """What is different after ``b`` from what was after ``a``."""

    a: int
    b: int
    changes: list[Change]
    reordered: bool = Field(description="in between, routes got another age")


class RollbackResult(BaseModel):
    """What going back changed, or would change."""

    dry_run: bool
    revision: int | None = Field(description="the number of the rollback itself; null where nothing was different")
    restored: int = Field(description="the revision whose state this is")
    changes: list[Change]
    problems: list[Problem] = Field(description="what is not served as it was: functions may be gone")


@router.get("", response_model=PageBody[Revision], responses=READING)
def list_revisions(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    object: Annotated[str | None, Query(description="that changed it, such as routes/find-pets")] = None,
    actor: Annotated[str | None, Query(description="by whom: all of it, or its first word, such as cli")] = None,
) -> Response:
    """Revisions, newest first."""
    if object is not None and "/" not in object:
        raise QueryError(f"{object!r} names no object", hint="say what it is: routes/NAME, upstreams/NAME")
    with parts.catalog.read() as reader:
        page = reader.revisions.page(object=object, actor=actor, cursor=paging.cursor, limit=paging.limit)
    return answer_page(request, page, show_revision)


@router.get("/{number}", response_model=RevisionView, responses=READING | NAMED)
def get_revision(request: Request, parts: HasParts, number: Number) -> Response:
    """One revision: who, when, what, and its effect on routes."""
    with parts.catalog.read() as reader:
        revision, changes = reader.revisions.get(number), reader.revisions.changes(number)
    told = [change.model_dump(mode="json") for change in tell_whole(changes)]
    return answer(request, show_revision(revision) | {"changes": told})


@router.get("/{a}/diff/{b}", response_model=RevisionDiff, responses=READING | NAMED)
def diff_revisions(request: Request, parts: HasParts, a: Number, b: Number) -> Response:
    """What differs between the states after two revisions, object by object and key by key."""
    with parts.catalog.read() as reader:
        changes, reordered = reader.revisions.between(a, b)
    found = RevisionDiff(a=a, b=b, changes=tell(changes), reordered=reordered)
    return answer(request, found.model_dump(mode="json"))


@router.post(
    "/{number}/rollback",
    response_model=RollbackResult,
    responses=READING | NAMED | problems("precondition_failed", "invalid_definition"),
)
def roll_back(request: Request, parts: HasParts, number: Number, dry_run: DryRun = False) -> Response:
    """Make upstreams, virtual services, routes and canaries what they were after a revision; `If-Match` as in PUT
    of `/config`. What was accepted once is accepted again: that a function is gone is told, and no reason to refuse."""
    with transaction(Call(request, parts, dry_run), f"rollback to {number}", wake=True) as write:
        check_if_match(write.call.header("if-match"), hash_definition(dump_config(write.before)))
        restore(write.writer, number)
    result = RollbackResult(
        dry_run=dry_run, revision=write.revision, restored=number, changes=write.changes, problems=write.problems
    )
    return answer(request, result.model_dump(mode="json"), headers=write.headers())


def show_revision(revision: Revision) -> dict[str, Any]:
    return {"number": revision.number} | revision.model_dump(mode="json")
