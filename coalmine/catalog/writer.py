"""One write transaction: all of it is kept, or nothing.

Rule 1: a Writer is a Reader, so that checks and writes see the same state.
Rule 2: replacing a route keeps its age; what is derived (searched text, uses) is written with its definition.
Rule 3: a transaction that changed what people write is exactly one revision, whoever wrote: nobody can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, update
from sqlalchemy.dialects import sqlite
from sqlmodel import Session, col, select

from coalmine.catalog.document_revisions import DEFAULT_KEPT as DEFAULT_DOCUMENTS_KEPT
from coalmine.catalog.documents import write_document
from coalmine.catalog.held import Entry, Held
from coalmine.catalog.journal import SECTIONS, Changes, State, compare
from coalmine.catalog.loader import Memory
from coalmine.catalog.owners import OwnersWriter
from coalmine.catalog.paging import is_storable, search_text, tag_text
from coalmine.catalog.reader import Reader
from coalmine.catalog.rows import (
    CanaryRow,
    DocumentRow,
    FunctionRow,
    NamedRow,
    PinRow,
    ReportRow,
    RouteRow,
    RouteUseRow,
    Row,
    UpstreamRow,
    VirtualServiceRow,
)
from coalmine.model import Definition, Document, Function, ProbeReport, Route, Upstream, VirtualService
from coalmine.model.canary import Canary
from coalmine.model.pin import Pin
from coalmine.model.revision import Ownership, Signature

_CALLED: Any = bindparam("called")


def _table_of(row: Any) -> Table:
    table: Table = row.__table__
    return table


DEFAULT_KEPT = 200  # revisions; the setting of that name decides
_SECTION_OF = {
    UpstreamRow: SECTIONS["upstream"],
    VirtualServiceRow: SECTIONS["virtual_service"],
    RouteRow: SECTIONS["route"],
    CanaryRow: SECTIONS["canary"],
}


_MODEL_OF: dict[type[NamedRow], type[Definition]] = {
    UpstreamRow: Upstream,
    VirtualServiceRow: VirtualService,
    RouteRow: Route,
    CanaryRow: Canary,
}
# Made once: making one takes SQLAlchemy longer than SQLite takes to do it.
_INSERT: dict[type[Any], Any] = {row: insert(_table_of(row)) for row in _SECTION_OF}
_UPDATE: dict[type[Any], Any] = {
    row: update(_table_of(row)).where(_table_of(row).c.name == _CALLED) for row in _SECTION_OF
}
_INSERT_USE = insert(RouteUseRow)


class Writer(Reader):
    """``put_*`` tells whether the object is new, ``delete_*`` whether there was one."""

    def __init__(
        self,
        session: Session,
        path: Path,
        memory: Memory | None = None,
        held: Held | None = None,
        *,
        kept: int = DEFAULT_KEPT,
        documents_kept: int = DEFAULT_DOCUMENTS_KEPT,
    ) -> None:
        super().__init__(session, path, memory, held)
        self.rolled_back = False
        self.recorded = False
        self.owners: OwnersWriter = OwnersWriter(session, self._held)
        self._kept = kept
        self._documents_kept = documents_kept
        self._before: State | None = None
        self._touched: set[str] = set()  # objects that may be other ones than before
        self._changes: Changes | None = None  # from _before to now; None after another write

    def rollback(self) -> None:
        """Undo everything of this transaction when it ends (a dry run); until then it can be read."""
        self.rolled_back = True

    def list_changes(self) -> Changes:
        """What this transaction has changed so far of what people write."""
        if self._before is None:
            return Changes(())
        if self._changes is None:
            self._changes = compare(self._before, self.load_state(), self._touched)
        return self._changes

    def record(self, signature: Signature) -> int | None:
        """Make the changes of this transaction a revision; None where there are none. The last thing to do in it."""
        changes = self.list_changes()
        self.recorded = True
        return self.revisions.add(signature, changes, self._kept) if changes else None

    def claim(self, names: Iterable[str], owner: str) -> None:
        """Objects (``routes/find-pets``) that were just written by the set ``owner``."""
        named = list(names)
        self._touch(*named)
        self.owners.claim(named, owner)

    def restore_owners(self, owners: Mapping[str, Ownership | None]) -> None:
        """Exactly these; None: the object belongs to the API."""
        self._touch(*owners)
        self.owners.restore(owners)

    def put_upstream(self, upstream: Upstream) -> bool:
        labels = (f"{key}={value}" for key, value in upstream.labels.items())
        text, seal = write_document(upstream)
        self._held.pending = None
        return self._put(
            UpstreamRow,
            upstream,
            discovered=int(upstream.discovery.enabled is not False),
            search=search_text(upstream.name, *upstream.endpoints, *labels),
            seal=seal,
            document=text,
        )

    def put_virtual_service(self, virtual_service: VirtualService) -> bool:
        text, seal = write_document(virtual_service)
        search = search_text(virtual_service.name, *virtual_service.domains)
        return self._put(VirtualServiceRow, virtual_service, search=search, seal=seal, document=text)

    def put_route(self, route: Route) -> bool:
        text, seal = write_document(route)
        before, uses = self.find_route(route.name), _uses_of(route)
        created = self._put(
            RouteRow,
            route,
            virtual_service=route.virtual_service,
            search=search_text(route.name, *_paths_of(route), *(part for use in uses for part in use)),
            seal=seal,
            document=text,
        )
        # Who writes a route takes its functions as they are now.
        if any(pin.route == route.name for pin in self._pins()):
            self._run(delete(PinRow).where(col(PinRow.route) == route.name))
            self._held.forget(Pin)
        if before is None or _uses_of(before) != uses:
            self._put_uses(route.name, uses, before)
        return created

    def _put_uses(self, route: str, uses: list[tuple[str, str]], before: Route | None) -> None:
        self._run(delete(RouteUseRow).where(col(RouteUseRow.route) == route))
        if before is not None:
            self._held.stale_uses.update(_uses_of(before))
        if uses:
            self._run(_INSERT_USE, [{"route": route, "upstream": one, "function": name} for one, name in uses])
            self._held.stale_uses.update(uses)

    def put_canary(self, canary: Canary) -> bool:
        text, seal = write_document(canary)
        return self._put(CanaryRow, canary, seal=seal, document=text)

    def delete_upstream(self, name: str) -> bool:
        """Its functions, report and documents go with it; routes that use it stay."""
        self._held.forget_discovered()
        return self._delete(UpstreamRow, name)

    def delete_virtual_service(self, name: str) -> bool:
        """Its routes stay."""
        return self._delete(VirtualServiceRow, name)

    def delete_route(self, name: str) -> bool:
        before = self.find_route(name)
        if before is not None:
            self._held.stale_uses.update(_uses_of(before))
        self._held.forget(Pin)
        return self._delete(RouteRow, name)

    def delete_canary(self, name: str) -> bool:
        return self._delete(CanaryRow, name)

    def save_discovery(
        self,
        upstream: str,
        *,
        functions: Sequence[Function],
        report: ProbeReport,
        documents: Sequence[Document] | None,
    ) -> None:
        """Insert or update ``functions``; the others stay as they are. ``documents`` None: they stay too.

        Does nothing where the upstream is gone: it was deleted while it was being probed.
        """
        if self._session.exec(select(UpstreamRow.name).where(UpstreamRow.name == upstream)).first() is None:
            return
        self._held.forget_discovered()
        text, seal = write_document(report)
        read = int(report.last_success_at is not None)
        self._upsert(ReportRow, [{"upstream": upstream, "was_read": read, "seal": seal, "document": text}])
        self._upsert(FunctionRow, [_function_row(upstream, function) for function in functions])
        if documents is not None:
            self._run(delete(DocumentRow).where(col(DocumentRow.upstream) == upstream))
            self._upsert(DocumentRow, [_document_row(upstream, document) for document in documents])

    def put_pins(self, upstream: str, pins: Sequence[Pin]) -> None:
        """Exactly these for the functions of ``upstream``."""
        self._held.forget(Pin)
        self._run(delete(PinRow).where(col(PinRow.upstream) == upstream))
        self._upsert(PinRow, [_pin_row(pin) for pin in pins])

    def keep_documents(
        self, upstream: str, documents: Sequence[Document], functions: Sequence[Function], texts: Mapping[str, bytes]
    ) -> int | None:
        """Make ``documents`` and the functions they have a revision, where they differ from the last; its number."""
        if self.find_upstream(upstream) is None:
            return None
        return self.document_revisions.add(upstream, documents, functions, texts, self._documents_kept)

    def _touch(self, *names: str) -> None:
        """Remember how it was, before the first change; ``names`` are the objects that change now."""
        assert not self.recorded, "the revision of this transaction is written already"
        self._changes = None
        self._touched.update(names)
        if self._before is None:
            self._before = self.load_state()

    def _put(self, row: type[NamedRow], definition: Any, **values: Any) -> bool:
        name, model = definition.name, type(definition)
        self._touch(f"{_SECTION_OF[row]}/{name}")
        known = self._held.table(model).get((name,))
        self._run(_INSERT[row] if known is None else _UPDATE[row], [{"name": name, "called": name, **values}])
        if known is None or known[0] != values["seal"]:
            # Not the one that was given, but what everybody reads from now on.
            self._held.put(model, (name,), self._reread(row, model, name, values), by_age=row is RouteRow)
        return known is None

    def _reread(self, row: type[NamedRow], model: type[Any], name: str, values: Mapping[str, Any]) -> Entry:
        found = row(name=name, **values)
        return found.seal, self._named(model, found)

    def _delete(self, row: type[NamedRow], name: str) -> bool:
        full = f"{_SECTION_OF[row]}/{name}"
        self._touch(full)
        if not is_storable(name):
            return False
        self._held.drop(_MODEL_OF[row], (name,))
        self.owners.forget(full)
        return self._run(delete(row).where(col(row.name) == name)) > 0

    def _upsert(self, row: type[Row], rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        table = _table_of(row)
        statement = sqlite.insert(table)
        rest = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        self._run(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest), rows)

    def _run(self, statement: Any, rows: list[dict[str, Any]] | None = None) -> int:
        # What this session has read already would otherwise be given out again unchanged.
        self._session.expunge_all()
        return int(self._session.connection().execute(statement, rows).rowcount)


def _uses_of(route: Route) -> list[tuple[str, str]]:
    """Every (upstream, function or "") that the route sends to, once."""
    used: list[Any] = [*route.destinations, *([route.mirror] if route.mirror else [])]
    return list(dict.fromkeys((use.upstream, use.function or "") for use in used))


def _paths_of(route: Route) -> list[str]:
    path = route.match.path
    return [text for text in (path.exact, path.prefix, path.template, path.regex) if text is not None]


def _function_row(upstream: str, function: Function) -> dict[str, Any]:
    text, seal = write_document(function)
    return {
        "upstream": upstream,
        "name": function.name,
        "state": function.state,
        "method": function.method,
        "search": search_text(
            upstream,
            function.name,
            function.method,
            function.path,
            function.operation_id,
            function.summary,
            *function.tags,
        ),
        "tags": tag_text(*function.tags),
        "seal": seal,
        "document": text,
    }


def _pin_row(pin: Pin) -> dict[str, Any]:
    text, seal = write_document(pin)
    return {"route": pin.route, "upstream": pin.upstream, "function": pin.function, "seal": seal, "document": text}


def _document_row(upstream: str, document: Document) -> dict[str, Any]:
    text, seal = write_document(document)
    return {"upstream": upstream, "url": document.url, "seal": seal, "document": text}
