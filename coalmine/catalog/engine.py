"""How SQLite is opened.

Rule 1: WAL, so that readers never wait for the writer, and ``synchronous=FULL``, so that an answered write
        survives the loss of power (WAL with NORMAL may roll the last ones back).
Rule 2: transactions begin here and nowhere else: the driver's own BEGIN is switched off. Writes begin IMMEDIATE:
        a transaction that reads first and writes later would fail with SQLITE_BUSY instead of waiting.
Rule 3: a connection never creates the file (``mode=rw``): a database deleted under a running server would come
        back empty.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import QueuePool

from coalmine.errors import CatalogError

BUSY_SECONDS = 5.0  # other processes hold the lock for milliseconds; a human in a sqlite3 shell, for ever
_POOL = 8  # connections kept open; more are opened while more threads read
_PRAGMAS = (
    f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # macOS: fsync alone does not reach the disk
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
)


def database_path(url: str) -> Path:
    """The file that ``url`` names; raises CatalogError for anything but a SQLite file."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise CatalogError(f"{url!r} is not a database URL", hint="write sqlite:///coalmine.db") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise CatalogError(f"{url!r} does not name a SQLite file", hint="write sqlite:///coalmine.db")
    return Path(parsed.database).absolute()


def connect(path: Path) -> sqlite3.Connection:
    """A raw connection to an existing file, without a transaction of its own."""
    uri = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS, cached_statements=256
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def open_engine(path: Path, *, alone: bool = False) -> Engine:
    """A pool of connections, or ``alone`` a single one; nothing is opened yet."""
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: connect(path),
        pool_size=1 if alone else _POOL,
        max_overflow=0 if alone else -1,
        pool_reset_on_return="rollback",
        poolclass=QueuePool,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
