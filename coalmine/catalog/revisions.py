"""What was changed when and by whom: reading revisions, adding one, and the state after any of them.

Rule 1: the state of the past is found by walking back from the present: what no revision since has changed is as it is
        now, everything else is as the first revision since found it. So the newest revisions suffice, and the oldest
        may go.
Rule 2: a revision holds what it changed and nothing else: its size is that of the change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Table, delete, func, insert, or_, select, update
from sqlmodel import Session

from coalmine.catalog.documents import read_document, write_document
from coalmine.catalog.journal import SECTIONS, Changes, merge, split_object, undo_order
from coalmine.catalog.paging import Page, check_limit, check_text, read_cursor, write_cursor
from coalmine.catalog.rows import ChangeRow, RevisionRow
from coalmine.errors import CatalogError, CoalmineError, NotFoundError
from coalmine.model.revision import ObjectChange, Revision, Signature

_revision: Table = RevisionRow.__table__  # type: ignore[attr-defined]
_change: Table = ChangeRow.__table__  # type: ignore[attr-defined]
D = TypeVar("D", bound=BaseModel)
Damaged = Callable[[str, str], CatalogError]  # makes an error of where and why


class Revisions:
    """The revisions as one transaction sees them."""

    def __init__(self, session: Session, damaged: Damaged) -> None:
        self._session = session
        self._damaged = damaged

    def get(self, number: int) -> Revision:
        self._check(number, self._first())
        query = select(_revision.c.number, _revision.c.seal, _revision.c.document)
        row = self._execute(query.where(_revision.c.number == number)).one()
        return self._parse(Revision, *row)

    def page(
        self, *, object: str | None = None, actor: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[Revision]:
        """Newest first. ``actor`` is a whole actor or its first word (``cli``)."""
        conditions: list[Any] = []
        if object is not None:
            changed = select(_change.c.revision).where(_change.c.object == check_text(object))
            conditions.append(_revision.c.number.in_(changed))
        if actor is not None:
            column, first = _revision.c.actor, check_text(actor) + " "
            conditions.append(or_(column == actor, func.substr(column, 1, len(first)) == first))
        total = self._execute(select(func.count()).select_from(_revision).where(*conditions)).scalar_one()
        if cursor is not None:
            conditions.append(_revision.c.number < _read_number(cursor))
        query = select(_revision.c.number, _revision.c.seal, _revision.c.document).where(*conditions)
        rows = list(self._execute(query.order_by(_revision.c.number.desc()).limit(check_limit(limit) + 1)))
        more = write_cursor((str(rows[limit - 1][0]),)) if len(rows) > limit else None
        return Page(tuple(self._parse(Revision, *row) for row in rows[:limit]), more, total)

    def last(self) -> int:
        """The newest number, 0 before the first write."""
        return int(self._execute(select(func.max(_revision.c.number))).scalar_one() or 0)

    def changes(self, number: int) -> tuple[ObjectChange, ...]:
        """What revision ``number`` changed, object by object."""
        self._check(number, self._first())
        return tuple(self._changes(_change.c.revision == number))

    def between(self, old: int, new: int) -> tuple[list[ObjectChange], bool]:
        """What is different after ``new`` from what was after ``old``, and whether routes changed places.

        Either may be the newer one. 0 and every number before a kept one is the state before that one.
        """
        for number in (old, new):
            self._check(number, self._first() - 1)
        low, high = sorted((old, new))
        inside = (_change.c.revision > low) & (_change.c.revision <= high)
        merged = merge(self._changes(inside))
        if old > new:
            merged = [_reverse(change) for change in merged]
        places = self._orders(_revision.c.number > low, _revision.c.number <= high)
        return merged, any(places.values())

    def undone(self, number: int, order: Sequence[str]) -> tuple[list[ObjectChange], list[str]]:
        """What leads back to the state after ``number`` from the present, and the order of its routes."""
        changes, _ = self.between(self.last(), number)
        past = list(order)
        orders = self._orders(_revision.c.number > number)
        for revision, order_before in sorted(orders.items(), reverse=True):
            past = undo_order(past, *self._moves(revision)) if order_before is None else order_before
        return changes, past

    def add(self, signature: Signature, changes: Changes, keep: int) -> int:
        """Write a revision and let the oldest go; its number."""
        order = None if changes.order_before is None else json.dumps(changes.order_before)
        # The number is told by the database, and stands in no document that was sealed before.
        blank = {"actor": signature.actor, "route_order": order, "seal": "", "document": ""}
        number = int(self._execute(insert(_revision).values(**blank)).inserted_primary_key[0])
        counts: dict[Any, int] = {}
        for change in changes.objects:
            counts[change.action] = counts.get(change.action, 0) + 1
        revision = Revision(number=number, objects=counts, reordered=order is not None, **dict(signature))
        document, seal = write_document(revision)
        self._execute(update(_revision).where(_revision.c.number == number).values(seal=seal, document=document))
        if changes.objects:
            self._execute(insert(_change), list(_change_rows(number, changes.objects)))
        self._trim(keep)
        return number

    def _trim(self, keep: int) -> None:
        numbers = select(_revision.c.number).order_by(_revision.c.number.desc())
        too_old = numbers.offset(keep).limit(1).scalar_subquery()
        self._execute(delete(_revision).where(_revision.c.number <= too_old))

    def _first(self) -> int:
        """The oldest number that is kept; the next one where none is."""
        return int(self._execute(select(func.min(_revision.c.number))).scalar_one() or self.last() + 1)

    def _check(self, number: int, first: int) -> None:
        last = self.last()
        if first <= number <= last:
            return
        kept = f"{self._first()} to {last} are kept" if last else "none is kept"
        raise NotFoundError(f"there is no revision {number}", hint=f"{kept}; the setting --revisions says how many")

    def _orders(self, *conditions: Any) -> dict[int, list[str] | None]:
        """By number, the order of before where the revision changed places."""
        query = select(_revision.c.number, _revision.c.route_order).where(*conditions)
        return {number: None if order is None else json.loads(order) for number, order in self._execute(query)}

    def _moves(self, revision: int) -> tuple[list[str], dict[str, int]]:
        """The routes that a revision added, and those that it removed with their places."""
        columns = select(_change.c.object, _change.c.action, _change.c.place)
        added: list[str] = []
        removed: dict[str, int] = {}
        for name, action, place in self._execute(columns.where(_change.c.revision == revision)):
            section, own = split_object(name)
            if section == SECTIONS["route"] and action == "add":
                added.append(own)
            elif section == SECTIONS["route"] and action == "remove":
                removed[own] = place
        return added, removed

    def _changes(self, condition: Any) -> Iterable[ObjectChange]:
        columns = select(_change.c.revision, _change.c.seal, _change.c.document).where(condition)
        for row in self._execute(columns.order_by(_change.c.revision, _change.c.position)):
            yield self._parse(ObjectChange, *row)

    def _parse(self, model: type[D], number: int, seal: str, document: str) -> D:
        return read_document(model, document, seal, lambda why: self._damaged(f"revision {number}", why))

    def _execute(self, statement: Any, values: list[dict[str, Any]] | None = None) -> Any:
        return self._session.connection().execute(statement, values)


def _change_rows(number: int, changes: Sequence[ObjectChange]) -> Iterable[dict[str, Any]]:
    for position, change in enumerate(changes):
        document, seal = write_document(change)
        row = {"revision": number, "object": change.object, "position": position, "action": change.action}
        yield {**row, "place": change.place, "seal": seal, "document": document}


def _reverse(change: ObjectChange) -> ObjectChange:
    return ObjectChange(
        object=change.object,
        before=change.after,
        after=change.before,
        ownership_before=change.ownership_after,
        ownership_after=change.ownership_before,
    )


def _read_number(cursor: str) -> int:
    (text,) = read_cursor(cursor, 1)
    if not text.isdecimal() or len(text) > 18:
        raise CoalmineError(
            "the cursor is not one that a listing gave out", code="invalid_query", hint="leave cursor away to start"
        )
    return int(text)
