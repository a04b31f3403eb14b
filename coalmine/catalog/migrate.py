"""Creating a database, and bringing an older one up to date.

Rule 1: a new database comes into being complete: it is made under another name and then linked into place.
Rule 2: an upgrade is one transaction; killed at any moment, it has happened or it has not.
Rule 3: what cannot be used is refused with words: newer, foreign, damaged, empty.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import coalmine
from coalmine.catalog.engine import connect, open_engine
from coalmine.errors import CatalogError

APPLICATION_ID = 0x434D494E  # "CMIN": tells our databases from those of other programs
_MAGIC = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html section 1.3.1
_alembic = threading.Lock()  # alembic.context is one per process


def migrate(path: Path) -> None:
    """Make ``path`` a database of the newest version."""
    _check_place(path)
    if not path.exists():
        _create(path)
    _check_file(path)
    _check_version(path)
    _upgrade(path)
    with closing(connect(path)) as connection:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise CatalogError(f"the file system of {path} cannot keep a write-ahead log", hint="use a local disk")


def check(path: Path) -> None:
    """Raises what ``migrate`` would raise before it changes anything."""
    _check_place(path)
    if path.exists():
        _check_file(path)
        _check_version(path)


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise CatalogError(f"{path} is a directory", hint="name a file in it, such as coalmine.db")
    if not path.parent.is_dir():
        raise CatalogError(f"the directory {path.parent} does not exist", hint=f"create it: mkdir -p {path.parent}")


def _create(path: Path) -> None:
    new = path.with_name(f"{path.name}.new-{os.getpid()}-{threading.get_ident()}")
    try:
        # 0600: the catalog may hold addresses and labels that are nobody else's business.
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(connect(new)) as connection:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        _upgrade(new)
        _link(new, path)
    except OSError as error:
        raise CatalogError(
            f"the database {path} cannot be created: {error.strerror}", hint=f"let this user write to {path.parent}"
        ) from error
    finally:
        new.unlink(missing_ok=True)


def _link(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        return  # another process was faster, and its database is as good
    except OSError:
        new.rename(path)  # a file system without links
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the new name, too, survives the loss of power
    finally:
        os.close(directory)


def _check_file(path: Path) -> None:
    if path.stat().st_size == 0:
        raise CatalogError(
            f"the database {path} is an empty file", hint="restore a backup, or delete the file to start with nothing"
        )
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise CatalogError(f"{path} is not a SQLite database", hint="give another file, or move this one away")
    with closing(connect(path)) as connection:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            raise CatalogError(f"{path} is the database of another program", hint="give another file")
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise CatalogError(f"the database {path} is damaged ({found})", hint="restore a backup")


def _check_version(path: Path) -> None:
    version = _version(path)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if version is not None and version not in known:
        raise CatalogError(
            f"the database {path} was made by a newer Coalmine (schema {version})",
            hint=f"install the newer version, this is {coalmine.__version__}",
        )


def _version(path: Path) -> str | None:
    with closing(connect(path)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    return None if row is None else str(row[0])


def _upgrade(path: Path) -> None:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if _version(path) == head:
        return
    engine = open_engine(path)
    try:
        with engine.connect() as connection:
            # Rebuilding a table drops the old one, which would cascade; the pragma is deaf inside a transaction.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            with connection.execution_options(immediate=True).begin():
                run_upgrade(connection)
            connection.invalidate()
    finally:
        engine.dispose()


def run_upgrade(connection: Connection, revision: str = "head") -> None:
    """Alembic's upgrade inside the transaction of ``connection``."""
    with _alembic:
        command.upgrade(_config(connection), revision)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts_path()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def scripts_path() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(coalmine.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
