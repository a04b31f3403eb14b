"""One write transaction: all of it is kept, or nothing.

Rule 1: a Writer is a Reader, so that checks and writes see the same state.
Rule 2: replacing a route keeps its age; what is derived (searched text, uses) is written with its definition.
Rule 3: a transaction that changed what people write is exactly one revision, whoever wrote: nobody can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.dialects import sqlite
from sqlmodel import Session, col, select

from coalmine.catalog.document_revisions import DEFAULT_KEPT as DEFAULT_DOCUMENTS_KEPT
from coalmine.catalog.documents import write_document
from coalmine.catalog.journal import SECTIONS, Changes, State, compare
from coalmine.catalog.owners import OwnersWriter
from coalmine.catalog.paging import is_storable, search_text, tag_text
from coalmine.catalog.reader import Memory, Reader
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
from coalmine.model import Document, Function, ProbeReport, Route, Upstream, VirtualService
from coalmine.model.canary import Canary
from coalmine.model.pin import Pin
from coalmine.model.revision import Ownership, Signature

DEFAULT_KEPT = 200  # revisions; the setting of that name decides
_SECTION_OF = {
    UpstreamRow: SECTIONS["upstream"],
    VirtualServiceRow: SECTIONS["virtual_service"],
    RouteRow: SECTIONS["route"],
    CanaryRow: SECTIONS["canary"],
}


class Writer(Reader):
    """``put_*`` tells whether the object is new, ``delete_*`` whether there was one."""

    def __init__(
        self,
        session: Session,
        path: Path,
        memory: Memory | None = None,
        *,
        kept: int = DEFAULT_KEPT,
        documents_kept: int = DEFAULT_DOCUMENTS_KEPT,
    ) -> None:
        super().__init__(session, path, memory)
        self.rolled_back = False
        self.recorded = False
        self.owners: OwnersWriter = OwnersWriter(session)
        self._kept = kept
        self._documents_kept = documents_kept
        self._before: State | None = None
        self._changes: Changes | None = None  # from _before to now; None after another write

    def rollback(self) -> None:
        """Undo everything of this transaction when it ends (a dry run); until then it can be read."""
        self.rolled_back = True

    def list_changes(self) -> Changes:
        """What this transaction has changed so far of what people write."""
        if self._before is None:
            return Changes(())
        if self._changes is None:
            self._changes = compare(self._before, self.load_state())
        return self._changes

    def record(self, signature: Signature) -> int | None:
        """Make the changes of this transaction a revision; None where there are none. The last thing to do in it."""
        changes = self.list_changes()
        self.recorded = True
        return self.revisions.add(signature, changes, self._kept) if changes else None

    def claim(self, names: Iterable[str], owner: str) -> None:
        """Objects (``routes/find-pets``) that were just written by the set ``owner``."""
        self._touch()
        self.owners.claim(names, owner)

    def restore_owners(self, owners: Mapping[str, Ownership | None]) -> None:
        """Exactly these; None: the object belongs to the API."""
        self._touch()
        self.owners.restore(owners)

    def put_upstream(self, upstream: Upstream) -> bool:
        labels = (f"{key}={value}" for key, value in upstream.labels.items())
        text, seal = write_document(upstream)
        return self._put(
            UpstreamRow,
            name=upstream.name,
            discovered=int(upstream.discovery.enabled is not False),
            search=search_text(upstream.name, *upstream.endpoints, *labels),
            seal=seal,
            document=text,
        )

    def put_virtual_service(self, virtual_service: VirtualService) -> bool:
        text, seal = write_document(virtual_service)
        search = search_text(virtual_service.name, *virtual_service.domains)
        return self._put(VirtualServiceRow, name=virtual_service.name, search=search, seal=seal, document=text)

    def put_route(self, route: Route) -> bool:
        text, seal = write_document(route)
        uses = _uses_of(route)
        created = self._put(
            RouteRow,
            name=route.name,
            virtual_service=route.virtual_service,
            search=search_text(route.name, *_paths_of(route), *(part for use in uses for part in use)),
            seal=seal,
            document=text,
        )
        # Who writes a route takes its functions as they are now.
        self._run(delete(PinRow).where(col(PinRow.route) == route.name))
        self._run(delete(RouteUseRow).where(col(RouteUseRow.route) == route.name))
        if uses:
            rows = [{"route": route.name, "upstream": upstream, "function": function} for upstream, function in uses]
            self._run(insert(RouteUseRow), rows)
        return created

    def put_canary(self, canary: Canary) -> bool:
        text, seal = write_document(canary)
        return self._put(CanaryRow, name=canary.name, seal=seal, document=text)

    def delete_upstream(self, name: str) -> bool:
        """Its functions, report and documents go with it; routes that use it stay."""
        return self._delete(UpstreamRow, name)

    def delete_virtual_service(self, name: str) -> bool:
        """Its routes stay."""
        return self._delete(VirtualServiceRow, name)

    def delete_route(self, name: str) -> bool:
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
        text, seal = write_document(report)
        read = int(report.last_success_at is not None)
        self._upsert(ReportRow, [{"upstream": upstream, "was_read": read, "seal": seal, "document": text}])
        self._upsert(FunctionRow, [_function_row(upstream, function) for function in functions])
        if documents is not None:
            self._run(delete(DocumentRow).where(col(DocumentRow.upstream) == upstream))
            self._upsert(DocumentRow, [_document_row(upstream, document) for document in documents])

    def put_pins(self, upstream: str, pins: Sequence[Pin]) -> None:
        """Exactly these for the functions of ``upstream``."""
        self._run(delete(PinRow).where(col(PinRow.upstream) == upstream))
        self._upsert(PinRow, [_pin_row(pin) for pin in pins])

    def keep_documents(
        self, upstream: str, documents: Sequence[Document], functions: Sequence[Function], texts: Mapping[str, bytes]
    ) -> int | None:
        """Make ``documents`` and the functions they have a revision, where they differ from the last; its number."""
        if self.find_upstream(upstream) is None:
            return None
        return self.document_revisions.add(upstream, documents, functions, texts, self._documents_kept)

    def _touch(self, row: type[Any] | None = None) -> None:
        """Remember how it was, before the first change, which is one of ``row``."""
        assert not self.recorded, "the revision of this transaction is written already"
        self._changes = None
        if self._before is None:
            self._before = self.load_state()
        if row is not None:
            self._listed.pop(row, None)

    def _put(self, row: type[NamedRow], *, name: str, **values: Any) -> bool:
        self._touch(row)
        changed = self._run(update(row).where(col(row.name) == name).values(**values))
        if changed == 0:
            self._run(insert(row).values(name=name, **values))
        return changed == 0

    def _delete(self, row: type[NamedRow], name: str) -> bool:
        self._touch(row)
        if not is_storable(name):
            return False
        self.owners.forget(f"{_SECTION_OF[row]}/{name}")
        return self._run(delete(row).where(col(row.name) == name)) > 0

    def _upsert(self, row: type[Row], rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        table = row.__table__  # type: ignore[attr-defined]
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
