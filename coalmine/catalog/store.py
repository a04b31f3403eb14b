"""The catalog: definitions, discovered functions and reports in one SQLite file.

Reads run in any number of threads and never wait for a write. Writes run one at a time: one lock here, BEGIN
IMMEDIATE against other processes. When ``write()`` has ended without an exception, the write is on the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from sqlmodel import Session

from coalmine.catalog.document_revisions import DEFAULT_KEPT as DEFAULT_DOCUMENTS_KEPT
from coalmine.catalog.engine import database_path, open_engine
from coalmine.catalog.faults import translated
from coalmine.catalog.migrate import check, migrate
from coalmine.catalog.reader import Memory, Reader
from coalmine.catalog.writer import DEFAULT_KEPT, Writer
from coalmine.errors import CatalogError
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
        self._revisions = revisions
        self._document_revisions = document_revisions
        self._identity: tuple[int, int] | None = None
        self._fault: CatalogError | None = None  # why it could not be opened
        self.write_fault: CatalogError | None = None  # why the last write could not be made

    def check(self) -> None:
        """Whether ``migrate`` could go well, without changing anything; raises CatalogError."""
        with translated(self.path):
            check(self.path)

    def migrate(self) -> None:
        """Create the database or bring it up to date; raises CatalogError where it cannot be used.

        Then reading and writing raise the same, until another call has gone well.
        """
        try:
            with translated(self.path):
                migrate(self.path)
        except CatalogError as error:
            self.fail(error)
        self._fault = None
        self._identity = _identify(self.path)

    def fail(self, error: CatalogError) -> NoReturn:
        """From now on, until ``migrate`` has gone well, nothing can be read or written for this reason; raises it."""
        self._fault = error
        raise error

    def close(self) -> None:
        self._engine.dispose()

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
            with (
                translated(self.path),
                self._engine.connect().execution_options(immediate=True) as connection,
                connection.begin() as transaction,
                Session(connection) as session,
            ):
                writer = Writer(
                    session,
                    self.path,
                    self._memory,
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


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
