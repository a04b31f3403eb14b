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
from coalmine.catalog.documents import read_document
from coalmine.catalog.faults import damaged
from coalmine.catalog.filters import contains, has_label, uses
from coalmine.catalog.journal import SECTIONS, State
from coalmine.catalog.owners import Owners
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
from coalmine.model import Definition, Definitions, Document, Function, ProbeReport, Route, Upstream, VirtualService
from coalmine.model.canary import Canary
from coalmine.model.pin import Pin

_BATCH = 500  # keys in one query: SQLite takes 32,766 parameters

Kind = Literal["upstream", "virtual_service", "route"]
D = TypeVar("D", bound=Definition)
# By model: key and seal of every definition that the last load gave out. A seal tells one content from another, so
# that what a transaction remembers is right even where it is rolled back.
Memory = dict[type[Definition], dict[tuple[str, ...], tuple[str, Any]]]

_ROWS: dict[str, type[NamedRow]] = {
    "upstream": UpstreamRow,
    "virtual_service": VirtualServiceRow,
    "route": RouteRow,
    "canary": CanaryRow,
}


class Reader:
    """Everything that can be asked, as of the moment of the first question. ``get_*`` raises NotFoundError."""

    def __init__(self, session: Session, path: Path, memory: Memory | None = None) -> None:
        self._session = session
        self._path = path
        self._memory: Memory = {} if memory is None else memory
        self._listed: dict[type[Any], tuple[Any, ...]] = {}  # what this transaction has listed, until it writes there
        self.owners = Owners(session)
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

    # All ---------------------------------------------------------------------------------------------

    def load_definitions(self, *, all_functions: bool = False) -> Definitions:
        """Everything that a snapshot is built from: the functions that routes use, or all."""
        routes = self._all(RouteRow, Route, RouteRow.age)
        return Definitions(
            upstreams=self.load_upstreams(),
            functions=self._functions(all_functions),
            virtual_services=self.load_virtual_services(),
            routes=routes,
            pending=self.unread(),
            documents=self._documents(routes),
            pins=self._pins(),
        )

    def load_state(self) -> State:
        """Everything that people wrote, canaries included, and to whom it belongs."""
        kinds: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("upstream", self.load_upstreams()),
            ("virtual_service", self.load_virtual_services()),
            ("route", self._all(RouteRow, Route, RouteRow.age)),
            ("canary", self._all(CanaryRow, Canary, CanaryRow.name)),
        )
        objects = {f"{SECTIONS[kind]}/{item.name}": item for kind, items in kinds for item in items}
        return State(objects, self.owners.load())

    def load_upstreams(self) -> tuple[Upstream, ...]:
        return self._all(UpstreamRow, Upstream, UpstreamRow.name)

    def load_virtual_services(self) -> tuple[VirtualService, ...]:
        return self._all(VirtualServiceRow, VirtualService, VirtualServiceRow.name)

    def _all(self, row: type[NamedRow], model: type[D], order: Any) -> tuple[D, ...]:
        if row not in self._listed:
            self._listed[row] = self._changed(row, model, select(row.name, row.seal).order_by(order), ("name",))
        return self._listed[row]

    def _functions(self, everything: bool) -> tuple[Function, ...]:
        if everything:
            rows = self._session.exec(select(FunctionRow).order_by(FunctionRow.upstream, FunctionRow.name))
            return tuple(self._function(row) for row in rows)
        routed = select(RouteUseRow.upstream, RouteUseRow.function)
        columns = select(FunctionRow.upstream, FunctionRow.name, FunctionRow.state, FunctionRow.seal)
        used = columns.where(tuple_(col(FunctionRow.upstream), col(FunctionRow.name)).in_(routed))
        ordered = used.order_by(FunctionRow.upstream, FunctionRow.name)
        return self._changed(FunctionRow, Function, ordered, ("upstream", "name", "state"))

    def _documents(self, routes: tuple[Route, ...]) -> tuple[Document, ...]:
        """Those that calls are checked against; they are large, so nobody else has them loaded."""
        validating = (route for route in routes if route.validate_)
        names = {one.upstream for route in validating for one in route.destinations if one.function is not None}
        if not names:
            self._memory.pop(Document, None)
            return ()
        key = (col(DocumentRow.upstream), col(DocumentRow.url))
        query = select(*key, DocumentRow.seal).where(key[0].in_(sorted(names))).order_by(*key)
        return self._changed(DocumentRow, Document, query, ("upstream", "url"))

    def _pins(self) -> tuple[Pin, ...]:
        key = (col(PinRow.route), col(PinRow.upstream), col(PinRow.function))
        query = select(*key, PinRow.seal).order_by(*key)
        return self._changed(PinRow, Pin, query, ("route", "upstream", "function"))

    def _changed(self, row: type[Any], model: type[D], query: Any, columns: tuple[str, ...]) -> tuple[D, ...]:
        """What ``query`` (``columns`` and seal) lists; what has not changed since the last load is not read again."""
        known = self._memory.get(model, {})
        # Past session and rows, which take several times as long to hand out thousands of texts.
        result = self._session.connection().execute(query)
        listed = {tuple(values): seal for *values, seal in result.cursor.fetchall()}
        result.close()
        missing = [key for key, seal in listed.items() if key not in known or known[key][0] != seal]
        read = self._read(row, model, columns, missing)
        loaded = {key: read[key] if key in read else known[key] for key in listed}
        self._memory[model] = loaded
        return tuple(definition for _, definition in loaded.values())

    def _read(
        self, row: type[Any], model: type[D], columns: tuple[str, ...], keys: list[tuple[str, ...]]
    ) -> dict[tuple[str, ...], tuple[str, D]]:
        """Seal and definition by key."""
        read: dict[tuple[str, ...], tuple[str, D]] = {}
        for start in range(0, len(keys), _BATCH):
            for *values, seal, document in self._rows(row, columns, keys[start : start + _BATCH]):
                named = dict(zip(columns, values, strict=True))
                where = f"{model.__name__} {'/'.join(values)}"
                read[tuple(values)] = seal, self._parse(model, document, seal, where, **named)
        return read

    def _rows(self, row: type[Any], columns: tuple[str, ...], keys: list[tuple[str, ...]]) -> Any:
        """By index, key for key: with ``(a, b) IN (VALUES ...)`` SQLite reads the whole table."""
        names = ", ".join(columns)
        marks = ", ".join([f"({', '.join('?' * len(columns))})"] * len(keys))
        same = " AND ".join(f"found.{column} = wanted.{column}" for column in columns)
        wanted = ", ".join(f"found.{column}" for column in (*columns, "seal", "document"))
        statement = (  # of names of ours, and as many question marks as there are values
            f"WITH wanted ({names}) AS (VALUES {marks}) SELECT {wanted}"  # noqa: S608
            f' FROM wanted CROSS JOIN "{row.__tablename__}" AS found ON {same}'
        )
        values = tuple(value for key in keys for value in key)
        return self._session.connection().exec_driver_sql(statement, values).all()

    def unread(self) -> frozenset[str]:
        """The upstreams whose document was never read, and may be."""
        known = select(ReportRow.upstream).where(ReportRow.was_read == 1)
        query = select(UpstreamRow.name).where(UpstreamRow.discovered == 1, col(UpstreamRow.name).not_in(known))
        return frozenset(self._session.exec(query))

    # Parts -------------------------------------------------------------------------------------------

    def _find(self, row: type[NamedRow], model: type[D], name: str) -> D | None:
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

    def _function(self, row: FunctionRow) -> Function:
        where = f"Function {row.upstream}/{row.name}"
        columns = {"upstream": row.upstream, "name": row.name, "state": row.state}
        return self._parse(Function, row.document, row.seal, where, **columns)

    def _parse(self, model: type[D], document: str, seal: str, where: str, **columns: str) -> D:
        definition = read_document(model, document, seal, lambda why: damaged(self._path, where, why))
        if any(getattr(definition, column) != value for column, value in columns.items()):
            raise damaged(self._path, where, "its columns and its document differ")
        return definition
