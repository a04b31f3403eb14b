"""``/api/v1/upstreams/{name}/documents``: what an upstream published, and what changed between two times."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.documented import NAMED, READING
from admin_api.pages import PageBody, answer_page
from admin_api.parts import HasParts
from admin_api.queries import HasPaging
from coalmine.catalog import Reader
from coalmine.differences import Difference, DocumentDifference, FunctionChange
from coalmine.differences.sets import compare_sets
from coalmine.errors import NotFoundError
from coalmine.model import DocumentRevision, Function

router = APIRouter(prefix="/api/v1/upstreams/{name}", tags=["upstreams"])

Severity = Literal["breaking", "warning", "info"]
Number = Annotated[int, Path(ge=1, le=2**53, description="as the list has it")]
Raw = Annotated[bool, Query(description="with the documents as they came, where they were not too large to keep")]


class DocumentText(BaseModel):
    url: str
    text: str = Field(description="what is not UTF-8 in it is replaced")


class DocumentRevisionView(DocumentRevision):
    """A revision with everything that was read of it."""

    functions: list[Function]
    components: dict[str, dict[str, Any]] = Field(description="what schemas refer to, by the URL of the document")
    texts: list[DocumentText] | None = Field(None, description="null: not asked for, or not kept")


class FunctionDifference(BaseModel):
    """One function; ``differences`` say what changed by rules with stable ids."""

    function: str = Field(description="the name before; of an added one, the name")
    renamed_to: str | None = None
    method: str
    path: str
    severity: Severity
    differences: list[Difference]


class DocumentDiff(BaseModel):
    """What is different in revision ``to`` from what was in ``from``."""

    upstream: str
    from_: int = Field(alias="from")
    to: int
    severity: Severity | None = Field(description="the worst of all; null where no function differs")
    added: list[FunctionDifference]
    removed: list[FunctionDifference]
    changed: list[FunctionDifference]


@router.get("/documents", response_model=PageBody[DocumentRevision], responses=READING | NAMED)
def list_documents(request: Request, parts: HasParts, paging: HasPaging, name: str) -> Response:
    """Revisions of the documents, newest first: one for each content that they had."""
    with parts.catalog.read() as reader:
        reader.get_upstream(name)
        page = reader.document_revisions.page(name, cursor=paging.cursor, limit=paging.limit)
    return answer_page(request, page, lambda revision: revision.model_dump(mode="json"))


@router.get("/documents/diff", response_model=DocumentDiff, responses=READING | NAMED, include_in_schema=False)
@router.get("/diff", response_model=DocumentDiff, responses=READING | NAMED)
def diff_documents(
    request: Request,
    parts: HasParts,
    name: str,
    from_: Annotated[int | None, Query(alias="from", ge=1, le=2**53, description="the one before `to`")] = None,
    to: Annotated[int | None, Query(ge=1, le=2**53, description="the newest")] = None,
) -> Response:
    """What changed between two revisions of the documents, function by function; by default between the last two."""
    with parts.catalog.read() as reader:
        reader.get_upstream(name)
        old, new = _choose(reader, name, from_, to)
        before = reader.document_revisions.get_content(name, old)
        after = reader.document_revisions.get_content(name, new)
    found = compare_sets(
        before.functions, after.functions, old_components=before.components, new_components=after.components
    )
    return answer(request, tell_diff(name, old, new, found).model_dump(mode="json", by_alias=True))


@router.get("/documents/{revision}", response_model=DocumentRevisionView, responses=READING | NAMED)
def get_document(request: Request, parts: HasParts, name: str, revision: Number, raw: Raw = False) -> Response:
    """One revision with its functions."""
    with parts.catalog.read() as reader:
        reader.get_upstream(name)
        found = reader.document_revisions.get(name, revision)
        content = reader.document_revisions.get_content(name, revision)
        texts = reader.document_revisions.find_texts(name, revision) if raw else None
    value = found.model_dump(mode="json") | {
        "functions": [one.model_dump(mode="json", by_alias=True) for one in content.functions],
        "components": content.components,
        "texts": None
        if texts is None
        else [{"url": url, "text": text.decode("utf-8", "replace")} for url, text in texts.items()],
    }
    return answer(request, value)


def _choose(reader: Reader, name: str, old: int | None, new: int | None) -> tuple[int, int]:
    """The two revisions that are meant; raises NotFoundError where there are none."""
    numbers = reader.document_revisions.numbers(name)
    if not numbers:
        raise NotFoundError(f"no document of {name!r} was read yet", hint=f"coalmine discover {name}")
    new = numbers[-1] if new is None else new
    if old is None:
        earlier = [number for number in numbers if number < new]
        if not earlier:
            raise NotFoundError(f"no revision of the documents of {name!r} before {new} is kept", hint="say ?from=")
        old = earlier[-1]
    return old, new


def tell_diff(name: str, old: int, new: int, found: DocumentDifference) -> DocumentDiff:
    told = {(one.rule, one.function): one for one in found.differences}
    return DocumentDiff(
        upstream=name,
        **{"from": old},  # a keyword of Python
        to=new,
        severity=found.severity,
        added=[_tell_one(one, told[("function-added", one.name)]) for one in found.added],
        removed=[_tell_one(one, told[("function-removed", one.name)]) for one in found.removed],
        changed=[_tell_change(change) for change in found.changed],
    )


def _tell_one(function: Function, difference: Difference) -> FunctionDifference:
    return FunctionDifference(
        function=function.name,
        method=function.method,
        path=function.path,
        severity=difference.severity,
        differences=[difference],
    )


def _tell_change(change: FunctionChange) -> FunctionDifference:
    return FunctionDifference(
        function=change.old.name,
        renamed_to=change.new.name if change.new.name != change.old.name else None,
        method=change.new.method,
        path=change.new.path,
        severity=change.severity,
        differences=list(change.differences),
    )
