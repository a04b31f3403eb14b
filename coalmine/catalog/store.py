"""The catalog: definitions, discovered functions and reports in one SQLite file.

Reads run in any number of threads and never wait for a write. Writes run one at a time, over one connection: one lock
here, BEGIN IMMEDIATE against other processes. When ``write()`` has ended without an exception, the write is on disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Transaction
from sqlmodel import Session

from coalmine.catalog.document_revisions import DEFAULT_KEPT as DEFAULT_DOCUMENTS_KEPT
from coalmine.catalog.engine import database_path, open_engine
from coalmine.catalog.faults import reached, translated
from coalmine.catalog.held import Held
from coalmine.catalog.loader import Memory
from coalmine.catalog.migrate import check, migrate
from coalmine.catalog.reader import Reader
from coalmine.catalog.writer import DEFAULT_KEPT, Writer
from coalmine.errors import CatalogError
from coalmine.model import Definitions
from coalmine.model.revision import Signature

_LOCK_SECONDS = 30.0  # the longest legitimate write (thousands of functions) takes about one


class Catalog:
    """``url`` is ``sqlite:///relative.db`` or ``sqlite:////absolute.db``; nothing is opened before the first use.

    The newest ``revisions`` are kept, and of the documents of each upstream the newest ``document_revisions``.
    """

    def __init__(
        self, url: str, *, revisions: int = DEFAULT_KEPT, document_revisions: int = DEFAULT_DOCUMENTS_KEPT
    ) -> None:
        self.path = database_path(url)
        self._engine = open_engine(self.path)
        self._lock = threading.Lock()
        self._memory: Memory = {}
        self._writing = open_engine(self.path, alone=True)
        self._held = Held()  # of the last transaction over that connection
        self._held_as_of: tuple[Any, int] | None = None
        self._revisions = revisions
        self._document_revisions = document_revisions
        self._identity: tuple[int, int] | None = None
        self._fault: CatalogError | None = None  # why it could not be opened
        self.write_fault: CatalogError | None = None  # why the last write could not be made

    def check(self) -> None:
        """Whether ``migrate`` could go well, without changing anything; raises CatalogError."""
        with translated(self.path), reached(self.path):
            check(self.path)

    def migrate(self) -> None:
        """Create the database or bring it up to date; raises CatalogError where it cannot be used.

        Then reading and writing raise the same, until another call has gone well.
        """
        try:
            with translated(self.path), reached(self.path):
                migrate(self.path)
        except CatalogError as error:
            self.fail(error)
        self._fault = None
        self._engine.dispose()  # what was open may have been another file of this name
        self._writing.dispose()
        self._identity = _identify(self.path)

    def is_there(self) -> bool:
        """Whether there is a file; raises CatalogError where nobody tells."""
        with reached(self.path):
            return self.path.exists()

    def fail(self, error: CatalogError) -> NoReturn:
        """From now on, until ``migrate`` has gone well, nothing can be read or written for this reason; raises it."""
        self._fault = error
        raise error

    def close(self) -> None:
        self._engine.dispose()
        self._writing.dispose()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        self._check_open()
        with translated(self.path), self._engine.connect() as connection, Session(connection) as session:
            yield Reader(session, self.path, self._memory)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Commits at the end, rolls back on an exception."""
        self._check_open()
        if not self._lock.acquire(timeout=_LOCK_SECONDS):
            raise CatalogError("another write takes too long", hint="try again")
        try:
            self.check_place()
            with self._transaction(immediate=True) as (session, held, transaction):
                writer = Writer(
                    session,
                    self.path,
                    self._memory,
                    held,
                    kept=self._revisions,
                    documents_kept=self._document_revisions,
                )
                yield writer
                if writer.rolled_back:
                    transaction.rollback()
                elif not writer.recorded:
                    writer.record(Signature(actor="catalog", at=datetime.now(UTC), summary="written directly"))
            self.write_fault = None
        except CatalogError as error:
            self.write_fault = error
            raise
        finally:
            self._lock.release()

    def load_definitions(self) -> Definitions:
        """What a snapshot is built from, with everything that was written before; most of it is known already."""
        self._check_open()
        if self._lock.acquire(blocking=False):
            try:
                with self._transaction(immediate=False) as (session, held, _):
                    return Reader(session, self.path, self._memory, held).load_definitions()
            finally:
                self._lock.release()
        known = self._held.definitions  # somebody writes: as the last write left it
        if known is not None:
            return known
        with self.read() as reader:
            return reader.load_definitions()

    @contextmanager
    def _transaction(self, *, immediate: bool) -> Iterator[tuple[Session, Held, Transaction]]:
        """For whoever has the lock: over the connection of writes. What it holds in the end is there for the next."""
        with (
            translated(self.path),
            self._writing.connect().execution_options(immediate=immediate) as connection,
        ):
            with connection.begin() as transaction, Session(connection) as session:
                as_of = _find_data_version(connection)
                before = self._held if as_of == self._held_as_of else Held()
                held = before.copy()
                self._held_as_of = None  # where it cannot be committed, nobody knows what there is
                try:
                    yield session, held, transaction
                except BaseException:
                    self._held, self._held_as_of = before, as_of
                    raise
                committed = transaction.is_active
            self._held, self._held_as_of = held if committed else before, as_of

    def _check_open(self) -> None:
        if self._fault is not None:
            raise CatalogError(self._fault.detail, hint=self._fault.hint)

    def check_place(self) -> None:
        """Whether the file is still the one that was opened; raises CatalogError."""
        # SQLite goes on writing to a file that was deleted or moved away; such writes would be lost.
        if self._identity is not None and _identify(self.path) != self._identity:
            raise CatalogError(
                f"the database {self.path} was deleted or replaced while in use", hint="restart Coalmine"
            )


def _find_data_version(connection: Connection) -> tuple[Any, int]:
    """By which connection, and what it says: another number once another connection has committed."""
    driver: Any = connection.connection.dbapi_connection
    return driver, driver.execute("PRAGMA data_version").fetchone()[0]


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
