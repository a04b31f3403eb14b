"""``/api/v1/functions``: what the services around offer; read-only, discovery writes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.documented import NAMED, READING
from admin_api.pages import PageBody, answer_page
from admin_api.parts import HasParts
from admin_api.queries import HasPaging, Paging
from coalmine.catalog import Reader
from coalmine.model import Function, FunctionState

router = APIRouter(prefix="/api/v1/functions", tags=["functions"])


@dataclass(frozen=True, slots=True)
class Filters:
    q: Annotated[str | None, Query(description="words in name, path, summary and tags")] = None
    method: Annotated[str | None, Query()] = None
    tag: Annotated[str | None, Query()] = None
    state: Annotated[FunctionState | None, Query(description="removed: it left the document")] = None


HasFilters = Annotated[Filters, Depends()]


@router.get("", response_model=PageBody[Function], responses=READING)
def list_functions(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    filters: HasFilters,
    upstream: Annotated[str | None, Query()] = None,
) -> Response:
    """Functions by upstream and name."""
    with parts.catalog.read() as reader:
        return answer_functions(request, reader, paging, upstream=upstream, filters=filters)


@router.get("/{upstream}/{function:path}", response_model=Function, responses=READING | NAMED)
def get_function(request: Request, parts: HasParts, upstream: str, function: str) -> Response:
    with parts.catalog.read() as reader:
        return answer(request, show_function(reader.get_function(upstream, function)))


def answer_functions(
    request: Request, reader: Reader, paging: Paging, *, upstream: str | None, filters: Filters
) -> Response:
    page = reader.list_functions(upstream=upstream, cursor=paging.cursor, limit=paging.limit, **asdict(filters))
    return answer_page(request, page, show_function)


def show_function(function: Function) -> dict[str, Any]:
    """With its nulls: inside a schema they mean something."""
    return function.model_dump(mode="json", by_alias=True)
