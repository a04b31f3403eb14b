"""One consistent read transaction.

Rule 1: names and everything from discovery are data: they travel as bound parameters, never inside SQL.
Rule 2: what is read is checked (seal, name) before it is given out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, func, tuple_
from sqlmodel import Session, col, select

from coalmine.catalog.document_revisions import DocumentRevisions
from coalmine.catalog.faults import damaged
from coalmine.catalog.filters import contains, has_label, uses
from coalmine.catalog.held import Held
from coalmine.catalog.loader import Loader, Memory
from coalmine.catalog.paging import (
    Page,
    check_limit,
    check_text,
    is_storable,
    read_cursor,
    tag_text,
    write_cursor,
)
from coalmine.catalog.revisions import Revisions
from coalmine.catalog.rows import (
    CanaryRow,
    DocumentRow,
    FunctionRow,
    NamedRow,
    PinRow,
    ReportRow,
    RouteRow,
    RouteUseRow,
    UpstreamRow,
    VirtualServiceRow,
)
from coalmine.errors import NotFoundError, nearest
from coalmine.model import Definition, Document, Function, ProbeReport, Route, Upstream, VirtualService
from coalmine.model.canary import Canary
from coalmine.model.pin import Pin

Kind = Literal["upstream", "virtual_service", "route"]
D = TypeVar("D", bound=Definition)
_ROWS: dict[str, type[NamedRow]] = {
    "upstream": UpstreamRow,
    "virtual_service": VirtualServiceRow,
    "route": RouteRow,
    "canary": CanaryRow,
}


class Reader(Loader):
    """Everything that can be asked, as of the moment of the first question. ``get_*`` raises NotFoundError."""

    def __init__(self, session: Session, path: Path, memory: Memory | None = None, held: Held | None = None) -> None:
        super().__init__(session, path, memory, held)
        self.revisions = Revisions(session, lambda where, why: damaged(path, where, why))
        self.document_revisions = DocumentRevisions(session, lambda where, why: damaged(path, where, why))

    # Upstreams, virtual services, routes -------------------------------------------------------------

    def find_upstream(self, name: str) -> Upstream | None:
        return self._find(UpstreamRow, Upstream, name)

    def get_upstream(self, name: str) -> Upstream:
        return self.find_upstream(name) or self._missing("upstream", name)

    def list_upstreams(
        self, *, q: str | None = None, label: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[Upstream]:
        """By name; ``label`` is ``key`` or ``key=value``."""
        conditions = [] if label is None else [has_label(check_text(label))]
        return self._list(UpstreamRow, Upstream, conditions, q, cursor, limit)

    def find_virtual_service(self, name: str) -> VirtualService | None:
        return self._find(VirtualServiceRow, VirtualService, name)

    def get_virtual_service(self, name: str) -> VirtualService:
        return self.find_virtual_service(name) or self._missing("virtual_service", name)

    def list_virtual_services(
        self, *, q: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[VirtualService]:
        return self._list(VirtualServiceRow, VirtualService, [], q, cursor, limit)

    def find_route(self, name: str) -> Route | None:
        return self._find(RouteRow, Route, name)

    def get_route(self, name: str) -> Route:
        return self.find_route(name) or self._missing("route", name)

    def list_routes(
        self,
        *,
        q: str | None = None,
        virtual_service: str | None = None,
        upstream: str | None = None,
        function: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Route]:
        """By name, not in effective order."""
        conditions: list[ColumnElement[bool]] = []
        if virtual_service is not None:
            conditions.append(col(RouteRow.virtual_service) == check_text(virtual_service))
        if upstream is not None or function is not None:
            conditions.append(col(RouteRow.name).in_(select(RouteUseRow.route).where(*uses(upstream, function))))
        return self._list(RouteRow, Route, conditions, q, cursor, limit)

    def routes_using(self, upstream: str, function: str | None = None) -> list[str]:
        """Names of the routes that send to ``upstream``, or to one of its functions; mirrors count."""
        if not is_storable(upstream, function or ""):
            return []
        query = select(RouteUseRow.route).where(*uses(upstream, function)).distinct().order_by(RouteUseRow.route)
        return list(self._session.exec(query))

    def names(self, kind: Kind) -> list[str]:
        row = _ROWS[kind]
        return list(self._session.exec(select(row.name).order_by(row.name)))

    def uses_of(self, upstream: str) -> list[tuple[str, str]]:
        """Route and function, for every use of a function of ``upstream``."""
        query = select(RouteUseRow.route, RouteUseRow.function).where(
            RouteUseRow.upstream == upstream, RouteUseRow.function != ""
        )
        return [(route, function) for route, function in self._session.exec(query.order_by(RouteUseRow.route))]

    def pins_of(self, upstream: str) -> tuple[Pin, ...]:
        """The definitions of functions of ``upstream`` that routes go on with."""
        rows = self._session.exec(select(PinRow).where(PinRow.upstream == upstream).order_by(PinRow.route))
        return tuple(self._parse(Pin, row.document, row.seal, f"a pin of {row.route}") for row in rows)

    # Functions ---------------------------------------------------------------------------------------

    def list_functions(
        self,
        *,
        q: str | None = None,
        upstream: str | None = None,
        method: str | None = None,
        tag: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Function]:
        """By upstream and name."""
        equal = {
            FunctionRow.upstream: upstream,
            FunctionRow.method: method and method.upper(),
            FunctionRow.state: state,
        }
        conditions = [col(column) == check_text(value) for column, value in equal.items() if value is not None]
        if tag is not None:
            conditions.append(func.instr(col(FunctionRow.tags), tag_text(check_text(tag))) > 0)
        conditions += contains(col(FunctionRow.search), q)
        return self._page(
            FunctionRow, self._function, conditions, (col(FunctionRow.upstream), col(FunctionRow.name)), cursor, limit
        )

    def find_function(self, upstream: str, name: str) -> Function | None:
        if not is_storable(upstream, name):
            return None
        row = self._session.get(FunctionRow, (upstream, name))
        return None if row is None else self._function(row)

    def get_function(self, upstream: str, name: str) -> Function:
        found = self.find_function(upstream, name)
        if found is not None:
            return found
        self.get_upstream(upstream)
        close = nearest(name, self.function_names(upstream))
        raise NotFoundError(
            f"the upstream {upstream!r} has no function {name!r}", hint=f"did you mean {close}?" if close else None
        )

    def functions_of(self, upstream: str) -> tuple[Function, ...]:
        """All functions of ``upstream``, removed ones included, by name."""
        query = select(FunctionRow).where(FunctionRow.upstream == upstream).order_by(FunctionRow.name)
        rows = self._session.exec(query) if is_storable(upstream) else ()
        return tuple(self._function(row) for row in rows)

    def function_names(self, upstream: str) -> list[str]:
        query = select(FunctionRow.name).where(FunctionRow.upstream == upstream).order_by(FunctionRow.name)
        return list(self._session.exec(query)) if is_storable(upstream) else []

    # Discovery ---------------------------------------------------------------------------------------

    def find_report(self, upstream: str) -> ProbeReport | None:
        row = self._session.get(ReportRow, upstream) if is_storable(upstream) else None
        return None if row is None else self._parse(ProbeReport, row.document, row.seal, f"the report of {upstream}")

    def documents_of(self, upstream: str) -> tuple[Document, ...]:
        query = select(DocumentRow).where(DocumentRow.upstream == upstream).order_by(DocumentRow.url)
        rows = self._session.exec(query) if is_storable(upstream) else ()
        return tuple(self._parse(Document, row.document, row.seal, f"the document of {upstream}") for row in rows)

    # Canaries ----------------------------------------------------------------------------------------

    def find_canary(self, name: str) -> Canary | None:
        return self._find(CanaryRow, Canary, name)

    def list_canaries(self) -> tuple[Canary, ...]:
        rows = self._session.exec(select(CanaryRow).order_by(CanaryRow.name))
        return tuple(self._named(Canary, row) for row in rows)

    # Parts -------------------------------------------------------------------------------------------

    def _find(self, row: type[NamedRow], model: type[D], name: str) -> D | None:
        if self._held.knows(model):
            return self._held.table(model).get((name,), (None, None))[1]
        if not is_storable(name):
            return None
        found = self._session.exec(select(row).where(row.name == name)).first()
        return None if found is None else self._named(model, found)

    def _missing(self, kind: Kind, name: str) -> Any:
        close = nearest(name, self.names(kind))
        words = kind.replace("_", " ")
        raise NotFoundError(f"there is no {words} {name!r}", hint=f"did you mean {close}?" if close else None)

    def _list(
        self,
        row: type[NamedRow],
        model: type[D],
        conditions: Sequence[ColumnElement[bool]],
        q: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[D]:
        conditions = [*conditions, *contains(col(getattr(row, "search")), q)]  # noqa: B009  CanaryRow has none
        return self._page(row, lambda found: self._named(model, found), conditions, (col(row.name),), cursor, limit)

    def _page(
        self,
        row: type[Any],
        parse: Callable[[Any], D],
        conditions: Sequence[ColumnElement[bool]],
        key: tuple[Any, ...],
        cursor: str | None,
        limit: int,
    ) -> Page[D]:
        check_limit(limit)
        total = self._session.exec(select(func.count()).select_from(row).where(*conditions)).one()
        query = select(row).where(*conditions).order_by(*key).limit(limit + 1)
        if cursor is not None:
            query = query.where(tuple_(*key) > tuple_(*read_cursor(cursor, len(key))))
        rows = list(self._session.exec(query))
        last = tuple(getattr(rows[limit - 1], column.key) for column in key) if len(rows) > limit else None
        return Page(tuple(parse(found) for found in rows[:limit]), write_cursor(last) if last else None, total)

    def _named(self, model: type[D], row: Any) -> D:
        return self._parse(model, row.document, row.seal, f"{model.__name__} {row.name}", name=row.name)
