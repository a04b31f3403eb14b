"""Everything that people wrote, loaded at once: what snapshots are built from and writes are compared with.

Rule 1: what is held is not read, and of what is read only that is parsed whose seal nobody has seen.
Rule 2: what is read is checked (seal, name) before it is given out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from coalmine.catalog.documents import read_document
from coalmine.catalog.faults import damaged
from coalmine.catalog.held import Entry, Held, Key, Table
from coalmine.catalog.journal import SECTIONS, State
from coalmine.catalog.owners import Owners
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
from coalmine.model import Definition, Definitions, Document, Function, Route, Upstream, VirtualService
from coalmine.model.canary import Canary
from coalmine.model.pin import Pin

_BATCH = 500  # keys in one query: SQLite takes 32,766 parameters

D = TypeVar("D", bound=Definition)
# By model: key and seal of every definition that the last load gave out. A seal tells one content from another, so
# that what a transaction remembers is right even where it is rolled back.
Memory = dict[type[Definition], Table]

# Asked again and again; making a query takes SQLAlchemy longer than SQLite takes to answer it.
_FUNCTION_KEY = tuple_(col(FunctionRow.upstream), col(FunctionRow.name))
_USED_FUNCTIONS = (
    select(FunctionRow.upstream, FunctionRow.name, FunctionRow.state, FunctionRow.seal)
    .where(_FUNCTION_KEY.in_(select(RouteUseRow.upstream, RouteUseRow.function)))
    .order_by(FunctionRow.upstream, FunctionRow.name)
)
_PENDING = select(UpstreamRow.name).where(
    UpstreamRow.discovered == 1,
    col(UpstreamRow.name).not_in(select(ReportRow.upstream).where(ReportRow.was_read == 1)),
)


class Loader:
    """What is loaded at once, as of the moment of the first question."""

    def __init__(self, session: Session, path: Path, memory: Memory | None = None, held: Held | None = None) -> None:
        """``held`` is what the tables are known to hold now, and learns what is read of them."""
        self._session = session
        self._path = path
        self._memory: Memory = {} if memory is None else memory
        self._held = Held() if held is None else held
        self.owners = Owners(session, self._held)

    def load_definitions(self, *, all_functions: bool = False) -> Definitions:
        """Everything that a snapshot is built from: the functions that routes use, or all."""
        if all_functions:
            return self._load_definitions(self._all_functions())
        if self._held.definitions is None:
            self._held.definitions = self._load_definitions(self._functions())
        return self._held.definitions

    def _load_definitions(self, functions: tuple[Function, ...]) -> Definitions:
        routes = self._all(RouteRow, Route, RouteRow.age)
        return Definitions(
            upstreams=self.load_upstreams(),
            functions=functions,
            virtual_services=self.load_virtual_services(),
            routes=routes,
            pending=self.unread(),
            documents=self._documents(routes),
            pins=self._pins(),
        )

    def load_state(self) -> State:
        """Everything that people wrote, canaries included, and to whom it belongs."""
        self.load_upstreams()
        self.load_virtual_services()
        self._all(RouteRow, Route, RouteRow.age)
        self._all(CanaryRow, Canary, CanaryRow.name)
        kinds: dict[str, type[Definition]] = {
            "upstream": Upstream,
            "virtual_service": VirtualService,
            "route": Route,
            "canary": Canary,
        }
        sections = {SECTIONS[kind]: self._held.by_name(model) for kind, model in kinds.items()}
        return State(sections, self.owners.load())

    def load_upstreams(self) -> tuple[Upstream, ...]:
        return self._all(UpstreamRow, Upstream, UpstreamRow.name)

    def load_virtual_services(self) -> tuple[VirtualService, ...]:
        return self._all(VirtualServiceRow, VirtualService, VirtualServiceRow.name)

    def _all(self, row: type[NamedRow], model: type[D], order: Any) -> tuple[D, ...]:
        if not self._held.knows(model):
            self._changed(row, model, select(row.name, row.seal).order_by(order), ("name",))
        found: tuple[D, ...] = self._held.list(model)
        return found

    def _all_functions(self) -> tuple[Function, ...]:
        rows = self._session.exec(select(FunctionRow).order_by(FunctionRow.upstream, FunctionRow.name))
        return tuple(self._function(row) for row in rows)

    def _functions(self) -> tuple[Function, ...]:
        stale, self._held.stale_uses = self._held.stale_uses, set()
        columns = ("upstream", "name", "state")
        if not self._held.knows(Function):
            self._changed(FunctionRow, Function, _USED_FUNCTIONS, columns)
        elif stale:
            some = _USED_FUNCTIONS.where(_FUNCTION_KEY.in_(sorted(stale)))
            known = self._held.table(Function)
            self._held.replace(Function, stale, self._look_up(FunctionRow, Function, some, columns, known))
        found: tuple[Function, ...] = self._held.list(Function)
        return found

    def _documents(self, routes: tuple[Route, ...]) -> tuple[Document, ...]:
        """Those that calls are checked against; they are large, so nobody else has them loaded."""
        validating = (route for route in routes if route.validate_)
        names = {one.upstream for route in validating for one in route.destinations if one.function is not None}
        if not names:
            self._memory.pop(Document, None)
            return ()
        wanted = tuple(sorted(names))
        if not self._held.knows(Document) or self._held.documents_of != wanted:
            key = (col(DocumentRow.upstream), col(DocumentRow.url))
            query = select(*key, DocumentRow.seal).where(key[0].in_(wanted)).order_by(*key)
            self._changed(DocumentRow, Document, query, ("upstream", "url"))
            self._held.documents_of = wanted
        return self._held.list(Document)

    def _pins(self) -> tuple[Pin, ...]:
        if not self._held.knows(Pin):
            key = (col(PinRow.route), col(PinRow.upstream), col(PinRow.function))
            query = select(*key, PinRow.seal).order_by(*key)
            self._changed(PinRow, Pin, query, ("route", "upstream", "function"))
        return self._held.list(Pin)

    def _changed(self, row: type[Any], model: type[D], query: Any, columns: tuple[str, ...]) -> None:
        """Hold what ``query`` lists; what has not changed since the last load is not read again."""
        loaded = self._look_up(row, model, query, columns, self._memory.get(model, {}))
        self._memory[model] = loaded
        self._held.set(model, dict(loaded))

    def _look_up(
        self, row: type[Any], model: type[D], query: Any, columns: tuple[str, ...], known: Mapping[Key, Entry]
    ) -> Table:
        """What ``query`` (``columns`` and seal) lists, by key; what is ``known`` by its seal is not read."""
        # Past session and rows, which take several times as long to hand out thousands of texts.
        result = self._session.connection().execute(query)
        listed = {tuple(values): seal for *values, seal in result.cursor.fetchall()}
        result.close()
        missing = [key for key, seal in listed.items() if key not in known or known[key][0] != seal]
        read = self._read(row, model, columns, missing)
        return {key: read[key] if key in read else known[key] for key in listed}

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
        if self._held.pending is None:
            self._held.pending = frozenset(self._session.exec(_PENDING))
        return self._held.pending

    def _function(self, row: FunctionRow) -> Function:
        where = f"Function {row.upstream}/{row.name}"
        columns = {"upstream": row.upstream, "name": row.name, "state": row.state}
        return self._parse(Function, row.document, row.seal, where, **columns)

    def _parse(self, model: type[D], document: str, seal: str, where: str, **columns: str) -> D:
        definition = read_document(model, document, seal, lambda why: damaged(self._path, where, why))
        if any(getattr(definition, column) != value for column, value in columns.items()):
            raise damaged(self._path, where, "its columns and its document differ")
        return definition
