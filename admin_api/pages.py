"""Lists: ``{"items", "next_cursor", "total"}``."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.problems import QueryError
from coalmine.catalog import Page

T = TypeVar("T")


class PageBody(BaseModel, Generic[T]):
    """One page; what follows is asked for with ``?cursor=`` and ``next_cursor``, null at the end."""

    items: list[T]
    next_cursor: str | None = None
    total: int = Field(description="how many there are on all pages")


def answer_page(request: Request, page: Page[T], show: Callable[[T], Any]) -> Response:
    items = [show(item) for item in page.items]
    return answer(request, {"items": items, "next_cursor": page.next_cursor, "total": page.total})


def walk(list_page: Callable[..., Page[T]], **filters: Any) -> Iterator[T]:
    """All items of a listing of the catalog, page by page."""
    cursor: str | None = None
    while True:
        page = list_page(cursor=cursor, limit=1000, **filters)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def slice_page(items: list[T], key: Callable[[T], tuple[Any, ...]], cursor: str | None, limit: int) -> Page[T]:
    """A page of a list that is in memory already: sorted by ``key``, which the cursor holds."""
    after = () if cursor is None else _read_cursor(cursor)
    try:
        rest = [item for item in sorted(items, key=key) if key(item) > after]
    except TypeError:
        raise _bad_cursor() from None
    page = tuple(rest[:limit])
    return Page(page, _write_cursor(key(page[-1])) if len(rest) > limit else None, len(items))


def _write_cursor(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[Any, ...]:
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _bad_cursor() from None
    if not isinstance(key, list):
        raise _bad_cursor()
    return tuple(key)


def _bad_cursor() -> QueryError:
    return QueryError("the cursor is not one that a listing gave out", hint="leave cursor away to start")
