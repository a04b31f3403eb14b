"""Transactions: whole or not at all, many threads, and the words for what cannot be used."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.pool import QueuePool

from coalmine.catalog import Catalog, engine, faults, store
from coalmine.errors import CatalogError, NotFoundError
from tests.coalmine.catalog.support import route, upstream


def names(catalog: Catalog) -> list[str]:
    with catalog.read() as reader:
        return reader.names("route")


def put(catalog: Catalog, name: str) -> None:
    with catalog.write() as writer:
        writer.put_route(route(name))


def test_an_exception_undoes_everything(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as writer:
        writer.put_route(route("a"))
        writer.get_route("b")
    assert names(catalog) == []


def test_a_dry_run_sees_its_own_changes_and_leaves_none(catalog: Catalog) -> None:
    with catalog.write() as writer:
        writer.rollback()
        writer.put_route(route("a"))
        assert writer.names("route") == ["a"]
    assert names(catalog) == []
    put(catalog, "b")
    assert names(catalog) == ["b"]


def test_a_reader_sees_one_moment_and_waits_for_no_writer(catalog: Catalog) -> None:
    put(catalog, "a")
    with catalog.read() as reader:
        assert reader.names("route") == ["a"]
        with catalog.write() as writer:
            writer.put_route(route("b"))
            assert reader.names("route") == ["a"]
            assert names(catalog) == ["a"]
        assert reader.names("route") == ["a"]
    assert names(catalog) == ["a", "b"]


def test_fifty_writers_at_once_lose_nothing(catalog: Catalog) -> None:
    def add(number: int) -> None:
        with catalog.write() as writer:
            count = len(writer.names("route"))
            writer.put_upstream(upstream("shared", labels={"writes": str(count + 1)}))
            writer.put_route(route(f"r{number}"))

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(add, range(50)))
    with catalog.read() as reader:
        assert len(reader.names("route")) == 50
        assert reader.get_upstream("shared").labels == {"writes": "50"}


def test_fifty_readers_at_once_are_served(catalog: Catalog) -> None:
    put(catalog, "a")
    together = threading.Barrier(50, timeout=20)

    def look(_: int) -> list[str]:
        with catalog.read() as reader:
            reader.names("route")
            together.wait()
            return reader.names("route")

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(look, range(50))) == [["a"]] * 50


def test_an_answered_write_survives_the_loss_of_power(catalog: Catalog) -> None:
    with catalog.write() as writer:
        connection = writer._session.connection()
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.rename(f"{path}.moved")], ids=["deleted", "moved"])
def test_a_write_to_a_database_that_was_taken_away_is_refused_and_not_lost(catalog: Catalog, change: object) -> None:
    put(catalog, "a")
    change(catalog.path)  # type: ignore[operator]
    with pytest.raises(CatalogError, match="deleted or replaced") as caught:
        put(catalog, "b")
    assert caught.value.hint == "restart Coalmine"


def test_a_database_that_was_replaced_by_another_is_refused(catalog: Catalog) -> None:
    shutil.copy(catalog.path, f"{catalog.path}.copy")
    Path(f"{catalog.path}.copy").replace(catalog.path)
    with pytest.raises(CatalogError, match="deleted or replaced"):
        put(catalog, "b")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_lock_of_another_process_is_waited_for_and_then_told_and_reading_goes_on(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PRAGMAS", ("PRAGMA busy_timeout=50", "PRAGMA foreign_keys=ON"))
    with locked(catalog.path):
        catalog.close()
        with pytest.raises(CatalogError, match="locked by another process") as caught:
            put(catalog, "a")
        assert "close the program" in (caught.value.hint or "")
        assert names(catalog) == []
    put(catalog, "a")


def test_a_writer_that_does_not_end_lets_the_next_one_fail_in_time(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.05)
    with catalog.write(), ThreadPoolExecutor(1) as pool, pytest.raises(CatalogError, match="takes too long"):
        pool.submit(put, catalog, "a").result(20)
    put(catalog, "a")


@pytest.mark.parametrize(
    "url",
    ["", "coalmine.db", "postgresql://h/d", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x.db?mode=ro"],
)
def test_a_url_that_names_no_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(CatalogError) as caught:
        Catalog(url)
    assert caught.value.hint == "write sqlite:///coalmine.db"


def test_a_path_is_a_path_whatever_is_in_it(tmp_path: Path) -> None:
    directory = tmp_path / "a b%20?#é"
    directory.mkdir()
    catalog = Catalog(f"sqlite:///{directory}/c.db".replace("%", "%25").replace("?", "%3F"))
    assert catalog.path.parent.parent == tmp_path
    catalog.close()


def test_reading_before_migrating_says_what_to_do(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/c.db")
    with pytest.raises(CatalogError, match="cannot be opened"):
        names(catalog)
    assert list(tmp_path.iterdir()) == [], "a database is made by migrate alone"
    sqlite3.connect(tmp_path / "c.db").close()
    with pytest.raises(CatalogError, match="no tables yet") as caught:
        names(catalog)
    assert "migrate" in (caught.value.hint or "")
    catalog.close()


def test_a_pool_that_is_used_up_is_told(tmp_path: Path) -> None:
    pool = QueuePool(lambda: sqlite3.connect(":memory:"), pool_size=1, max_overflow=0, timeout=0.01)
    held = pool.connect()
    with pytest.raises(CatalogError, match="too much to do"), faults.translated(tmp_path):
        pool.connect()
    held.close()
    pool.dispose()


def test_an_error_without_words_is_passed_on_as_it_is(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"refuses: .*syntax error"), catalog.read() as reader:
        reader._session.connection().exec_driver_sql("nonsense")


LIMITED = """
import resource, signal, sys
from coalmine.catalog import Catalog
from coalmine.errors import CatalogError
from tests.coalmine.catalog.support import route
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
catalog = Catalog(sys.argv[1])
catalog.migrate()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
kept = 0
try:
    while True:
        with catalog.write() as writer:
            writer.put_route(route(f"r{kept}", direct_response=None, request_headers={"set": {"x": "y" * 4000}}))
        kept += 1
except CatalogError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with catalog.write() as writer:
    assert len(writer.names("route")) == kept, (len(writer.names("route")), kept)
    writer.put_route(route("after"))
print("recovered", kept > 5)
"""


def test_a_file_that_may_not_grow_fails_one_write_and_recovers_when_it_may(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: write(2) fails in the same place."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, f"sqlite:///{tmp_path}/c.db"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert "the disk is full" in first or "the disk reports an error" in first
    assert last == "recovered True"


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "may not be accessed"), (errno.EIO, "disk reports an error"), (errno.EMFILE, "cannot be opened")],
)
def test_a_file_that_the_system_does_not_give_out_is_told_in_words_and_can_be_used_once_it_does(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    put(catalog, "a")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)  # modes of files mean nothing to root, who may run this
        for step in (catalog.check, catalog.migrate):
            with pytest.raises(CatalogError, match=words) as caught:
                step()
            assert str(catalog.path) in caught.value.detail and caught.value.hint
        with pytest.raises(CatalogError, match=words):
            names(catalog)
    catalog.migrate()
    assert names(catalog) == ["a"]
