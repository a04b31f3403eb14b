"""Alembic's scripts and the tables of the catalog are the same, and every database is brought up or refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import coalmine
from coalmine.catalog import Catalog, migrate
from coalmine.catalog.engine import open_engine
from coalmine.catalog.rows import Row
from coalmine.errors import CatalogError
from coalmine.model import Discovery
from tests.coalmine.catalog.support import upstream

ROOT = Path(coalmine.__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.db"


def bring_up(path: Path) -> None:
    catalog = Catalog(f"sqlite:///{path}")
    try:
        catalog.migrate()
    finally:
        catalog.close()


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def schema(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()


def test_upgrading_from_nothing_gives_the_tables_that_the_catalog_uses(path: Path) -> None:
    bring_up(path)
    engine = open_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
    engine.dispose()


def test_down_and_up_again_gives_the_same_schema(path: Path) -> None:
    bring_up(path)
    before = schema(path)
    engine = open_engine(path)
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
    bring_up(path)
    assert schema(path) == before


def test_migrating_again_changes_nothing_and_keeps_what_is_there(path: Path) -> None:
    catalog = Catalog(f"sqlite:///{path}")
    catalog.migrate()
    with catalog.write() as writer:
        writer.put_upstream(upstream("u"))
    before = schema(path)
    catalog.migrate()
    with catalog.read() as reader:
        assert reader.names("upstream") == ["u"]
    catalog.close()
    assert schema(path) == before


def test_who_never_said_whether_to_probe_leaves_it_to_the_setting_and_the_label(path: Path) -> None:
    bring_up(path)
    engine = open_engine(path)
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0004")
    engine.dispose()
    catalog = Catalog(f"sqlite:///{path}")
    names = {"on": True, "off": False, "open": None}
    for name, enabled in names.items():
        given = upstream(name).model_copy(update={"discovery": Discovery(enabled=enabled), "labels": {"team": "ä"}})
        with catalog.write() as writer:
            writer.put_upstream(given)
    execute(
        path, "INSERT INTO upstream SELECT 'damaged', discovered, search, 'x', document FROM upstream WHERE name='on'"
    )
    catalog.migrate()
    with catalog.read() as reader:
        found = {name: reader.get_upstream(name) for name in names}
        with pytest.raises(CatalogError, match="checksum"):
            reader.get_upstream("damaged")
    catalog.close()
    assert {name: one.discovery.enabled for name, one in found.items()} == {"on": None, "off": False, "open": None}
    assert {one.labels["team"] for one in found.values()} == {"ä"}


def test_a_new_database_is_for_its_owner_alone(path: Path) -> None:
    bring_up(path)
    assert [(file.name, file.stat().st_mode & 0o777) for file in path.parent.iterdir()] == [("c.db", 0o600)]


def test_many_that_create_it_at_once_get_one_database(path: Path) -> None:
    together = threading.Barrier(8, timeout=20)

    def one(number: int) -> None:
        catalog = Catalog(f"sqlite:///{path}")
        together.wait()
        catalog.migrate()
        with catalog.write() as writer:
            writer.put_upstream(upstream(f"u{number}"))
        catalog.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    catalog = Catalog(f"sqlite:///{path}")
    with catalog.read() as reader:
        assert len(reader.names("upstream")) == 8
    catalog.close()


def make_newer(path: Path) -> None:
    bring_up(path)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")


def make_foreign(path: Path) -> None:
    execute(path, "CREATE TABLE photos (name TEXT)")


@pytest.mark.parametrize(
    ("make", "detail", "hint"),
    [
        pytest.param(make_newer, r"made by a newer Coalmine \(schema 9999\)", "install the newer version", id="newer"),
        pytest.param(make_foreign, "the database of another program", "another file", id="another program's"),
        pytest.param(lambda path: path.write_bytes(b""), "is an empty file", "restore a backup", id="empty"),
        pytest.param(
            lambda path: path.write_text("hello " * 1000), "is not a SQLite database", "another file", id="a text"
        ),
        pytest.param(Path.mkdir, "is a directory", "coalmine.db", id="a directory"),
    ],
)
def test_what_is_no_database_of_ours_is_refused_and_left_alone(
    path: Path, make: object, detail: str, hint: str
) -> None:
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(CatalogError, match=detail) as caught:
        bring_up(path)
    assert hint in (caught.value.hint or "")
    assert caught.value.code == "catalog_unavailable"
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_missing_directory_is_named(path: Path) -> None:
    with pytest.raises(CatalogError, match=r"the directory .*/missing does not exist") as caught:
        bring_up(path.parent / "missing" / "c.db")
    assert (caught.value.hint or "").startswith("create it: mkdir -p")


def test_a_file_system_that_keeps_no_write_ahead_log_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(sqlite3.Connection):
        def execute(self, statement: str, *given: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(statement.replace("journal_mode=WAL", "journal_mode"), *given)

    bring_up(path)
    execute(path, "PRAGMA journal_mode=DELETE")
    monkeypatch.setattr(migrate, "connect", lambda path: sqlite3.connect(path, factory=Deaf))
    with pytest.raises(CatalogError, match="cannot keep a write-ahead log"):
        bring_up(path)


UNPRIVILEGED = """
import ctypes, os, struct, sys
if os.getuid() == 0:
    # Give up every capability (capset(2), version 3): root, too, is bound by file modes then.
    assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) == 0
from coalmine.catalog import Catalog
from coalmine.errors import CatalogError
catalog = Catalog(sys.argv[1])
try:
    catalog.migrate()
    with catalog.read() as reader:
        print("read", reader.names("upstream"))
    with catalog.write() as writer:
        writer.delete_upstream("u")
except CatalogError as error:
    print(error, "|", error.hint)
"""


def unprivileged(path: Path) -> str:
    """What a user without special powers is told."""
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, f"sqlite:///{path}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def guarded(path: Path) -> Iterator[Path]:
    """A database that may be read and not written."""
    bring_up(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    yield path
    path.parent.chmod(0o755)


def test_a_read_only_database_is_told(guarded: Path) -> None:
    told = unprivileged(guarded)
    assert "is read-only" in told or "cannot be opened" in told
    assert "directory" in told


def test_a_directory_that_may_not_be_written_is_told(guarded: Path) -> None:
    told = unprivileged(guarded.parent / "new.db")
    assert "cannot be created: Permission denied | let this user write to" in told


def test_a_file_system_without_links_gets_its_database_by_renaming(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    bring_up(path)
    assert [file.name for file in path.parent.iterdir()] == ["c.db"]


def test_a_killed_upgrade_has_happened_or_has_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside the upgrade stands for the kill: SQLite rolls both back by the same journal."""
    bring_up(path)
    before = schema(path)
    execute(path, "DELETE FROM alembic_version")  # as if nothing had been migrated: creating the tables fails half way
    with pytest.raises(CatalogError, match="already exists"):
        bring_up(path)
    assert schema(path) == before


def test_the_installed_package_brings_its_migrations_along(tmp_path: Path) -> None:
    """What the wheel holds: the package with ``migrations`` inside, and no checkout beside it."""
    shutil.copytree(ROOT / "coalmine", tmp_path / "coalmine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "migrations", tmp_path / "coalmine" / "migrations")
    code = (
        "from coalmine.catalog import Catalog; import coalmine; print(coalmine.__file__);"
        "catalog = Catalog('sqlite:///c.db'); catalog.migrate(); catalog.close()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert (tmp_path / "c.db").stat().st_size > 0


def test_the_command_line_of_alembic_works_in_a_checkout(path: Path) -> None:
    environ = {**os.environ, "COALMINE_DATABASE": f"sqlite:///{path}"}
    for arguments in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
