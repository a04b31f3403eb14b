"""kill -9 at any moment loses no write that was answered, and damage is noticed."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from coalmine.catalog import Catalog
from coalmine.errors import CatalogError
from coalmine.model import Definitions
from tests.coalmine.catalog.support import REPORT, document, function, route, upstream

ROUNDS = 4  # bench/durability kills hundreds of times

WRITER = """
import sys
from coalmine.catalog import Catalog
from tests.coalmine.catalog.support import route, upstream
catalog = Catalog(sys.argv[1])
catalog.migrate()
number = int(sys.argv[2])
while True:
    with catalog.write() as writer:
        writer.put_upstream(upstream(f"u{number}"))
        writer.put_route(route(f"r{number}", to=f"u{number}"))
    print(number, flush=True)
    number += 1
"""


def test_a_killed_process_loses_no_answered_write_and_leaves_no_half_of_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    chance, answered = random.Random(1), []
    for lap in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(lap * 100_000)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            answered.append(int(process.stdout.readline()))
            time.sleep(chance.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            answered += [int(line) for line in process.stdout if line.endswith("\n")]
        with closing(sqlite3.connect(tmp_path / "c.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        catalog = Catalog(url)
        with catalog.read() as reader:
            kept = set(reader.names("route"))
            assert {f"r{number}" for number in answered} <= kept
            assert {name.replace("r", "u") for name in kept} == set(reader.names("upstream"))
        catalog.close()
    assert len(answered) > ROUNDS


MIGRATOR = """
import sys
from coalmine.catalog import Catalog
print("begins", flush=True)
Catalog(sys.argv[1]).migrate()
"""


def test_a_process_killed_while_it_creates_the_database_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    chance = random.Random(2)
    for lap in range(ROUNDS):
        url = f"sqlite:///{tmp_path}/{lap}.db"
        with subprocess.Popen([sys.executable, "-c", MIGRATOR, url], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))
            process.kill()
        catalog = Catalog(url)
        catalog.migrate()
        with catalog.write() as writer:
            writer.put_upstream(upstream("u"))
        catalog.close()


def fill(catalog: Catalog) -> None:
    with catalog.write() as writer:
        for number in range(8):
            writer.put_upstream(upstream(f"u{number}", labels={"x": "y" * 200}))
            writer.put_route(route(f"r{number}", to="u", function=f"f{number}"))
        writer.put_upstream(upstream("u"))
        functions = [function(f"f{number}", summary="s" * 300) for number in range(8)]
        writer.save_discovery("u", functions=functions, report=REPORT, documents=[document()])


def load(path: Path) -> Definitions:
    catalog = Catalog(f"sqlite:///{path}")
    try:
        catalog.migrate()
        with catalog.read() as reader:
            return reader.load_definitions(all_functions=True)
    finally:
        catalog.close()


def test_a_flipped_byte_gives_a_clear_error_or_the_right_definitions(tmp_path: Path, catalog: Catalog) -> None:
    fill(catalog)
    with closing(sqlite3.connect(catalog.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    right, good = load(catalog.path), catalog.path.read_bytes()
    chance, noticed = random.Random(3), 0
    for _ in range(200):
        place = chance.randrange(len(good))
        damaged = bytearray(good)
        damaged[place] ^= 1 << chance.randrange(8)
        copy = tmp_path / "copy.db"
        copy.write_bytes(damaged)
        try:
            assert load(copy) == right, f"byte {place}"
        except CatalogError as error:
            noticed += 1
            assert str(copy) in error.detail
        for extra in tmp_path.glob("copy.db-*"):
            extra.unlink()
    assert noticed > 20


@pytest.mark.parametrize("size", [1, 99, 100, 4096, 5000, 8192])
def test_a_truncated_database_is_refused(tmp_path: Path, catalog: Catalog, size: int) -> None:
    fill(catalog)
    catalog.close()
    shutil.copy(catalog.path, tmp_path / "copy.db")
    with (tmp_path / "copy.db").open("r+b") as file:
        file.truncate(size)
    with pytest.raises(CatalogError, match=r"copy\.db (is damaged|is not a SQLite database)"):
        load(tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE route SET document = replace(document, '\"u\"', '\"v\"')", "its checksum is wrong"),
        ("UPDATE route SET name = 'other' WHERE name = 'r0'", "its columns and its document differ"),
        ("UPDATE function SET state = 'removed' WHERE name = 'f0'", "its columns and its document differ"),
    ],
)
def test_a_row_that_was_changed_behind_our_back_is_noticed(catalog: Catalog, change: str, why: str) -> None:
    fill(catalog)
    with closing(sqlite3.connect(catalog.path)) as connection, connection:
        connection.execute(change)
    with pytest.raises(CatalogError, match=why):
        load(catalog.path)  # a catalog that remembers nothing


def test_a_row_that_a_definition_no_longer_allows_is_named(catalog: Catalog) -> None:
    from coalmine.catalog.documents import _seal

    fill(catalog)
    with closing(sqlite3.connect(catalog.path)) as connection, connection:
        connection.execute("UPDATE upstream SET document = '{}', seal = ? WHERE name = 'u'", [_seal("{}")])
    with (
        pytest.raises(CatalogError, match=r"Upstream u in the database .* not a valid Upstream"),
        catalog.read() as reader,
    ):
        reader.get_upstream("u")
