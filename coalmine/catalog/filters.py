"""Conditions on rows, as listings ask for them. Rule: whatever is asked for travels as a bound parameter."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, func
from sqlmodel import col, select

from coalmine.catalog.paging import check_text, search_words
from coalmine.catalog.rows import RouteUseRow, UpstreamRow


def contains(text: Any, q: str | None) -> list[ColumnElement[bool]]:
    # instr and not LIKE: nothing in q is a wildcard, and a NUL does not end it.
    return [func.instr(text, word) > 0 for word in search_words(q)]


def uses(upstream: str | None, function: str | None) -> list[ColumnElement[bool]]:
    conditions = []
    if upstream is not None:
        conditions.append(col(RouteUseRow.upstream) == check_text(upstream))
    if function is not None:
        conditions.append(col(RouteUseRow.function) == check_text(function))
    return conditions


def has_label(label: str) -> ColumnElement[bool]:
    key, equals, value = label.partition("=")
    each = func.json_each(col(UpstreamRow.document), "$.labels").table_valued("key", "value")
    found = select(1).select_from(each).where(each.c.key == key)
    return exists(found.where(each.c.value == value) if equals else found)
