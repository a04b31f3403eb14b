"""Promise 10: a schema that is being brought up to date, and versions that do not fit."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from bench.durability.kills import check_integrity, load_texts, make_route
from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, kill, run_forked, serving
from coalmine.catalog import Catalog, migrate
from coalmine.catalog.engine import open_engine

KILLS = 100  # from every older schema
ROUTES = 50
NEWER = "9999"


def run(given: Given) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        newest = Path(folder) / "newest.db"
        fill(newest)
        texts = load_texts(newest)
        for version in list_versions()[:-1]:
            yield kill_the_upgrade(make_older(newest, version), version, texts, given)
        yield start_with_older(make_older(newest, list_versions()[0]), texts)
        yield start_with_newer(newest)


def list_versions() -> list[str]:
    """Oldest first."""
    scripts = ScriptDirectory.from_config(migrate._config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def fill(path: Path) -> None:
    catalog = Catalog(f"sqlite:///{path}")
    catalog.migrate()
    with catalog.write() as writer:
        for number in range(ROUTES):
            writer.put_route(make_route(f"r{number}", str(number)))
    catalog.close()


def make_older(newest: Path, version: str) -> Path:
    """A copy as an older Coalmine would have left it."""
    older = newest.with_name(f"{version}.db")
    shutil.copy(newest, older)
    engine = open_engine(older)
    with engine.connect() as connection, connection.begin():
        command.downgrade(migrate._config(connection), version)
    engine.dispose()
    with closing(sqlite3.connect(older)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return older


def bring_up(path: Path) -> None:
    catalog = Catalog(f"sqlite:///{path}")
    catalog.migrate()
    catalog.close()


def find_version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def kill_the_upgrade(older: Path, version: str, texts: dict[str, str], given: Given) -> Row:
    chance, rounds = random.Random(given.seed), given.rounds(KILLS)
    copy = older.with_name("copy.db")
    began, ended, faulty = 0, 0, 0
    longest = _time_upgrade(older, copy)
    for _ in range(rounds):
        _copy(older, copy)
        seconds = chance.uniform(0, longest)
        run_forked(lambda: bring_up(copy), kill_after=lambda pid, seconds=seconds: _kill_later(pid, seconds))  # type: ignore[misc]
        found = find_version(copy)
        began, ended = began + (found == version), ended + (found != version)
        sound = check_integrity(copy)
        run_forked(lambda: bring_up(copy))
        faulty += not sound or find_version(copy) != list_versions()[-1] or load_texts(copy) != texts
    done = f"{rounds} × kill -9 during the upgrade from schema {version}, within its {longest * 1000:.0f} ms"
    result = f"{began} found the old schema, {ended} the new one, {faulty} damaged or without their {ROUTES} routes"
    return Row("10 A crash during an upgrade is recoverable", done, result, faulty == 0)


def _time_upgrade(older: Path, copy: Path) -> float:
    _copy(older, copy)
    started = time.perf_counter()
    run_forked(lambda: bring_up(copy))
    return time.perf_counter() - started


def _copy(older: Path, copy: Path) -> None:
    for path in copy.parent.glob(f"{copy.name}*"):
        path.unlink()
    shutil.copy(older, copy)


def _kill_later(pid: int, seconds: float) -> None:
    time.sleep(seconds)
    kill(pid)


def start_with_older(older: Path, texts: dict[str, str]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(older, Path(folder) / "c.db")
        with serving(Path(folder)) as gateway:
            right = sum(gateway.get(f"/{name}").body == text.encode() for name, text in texts.items())
    result = f"{right} of {len(texts)} routes served as before"
    return Row(
        "10 old database, new code", "`coalmine serve` on a database of the oldest schema", result, right == ROUTES
    )


def start_with_newer(newest: Path) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "c.db"
        shutil.copy(newest, database)
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [NEWER])
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = hashlib.sha256(database.read_bytes()).digest()
        code, log = end_of_start(Serving(database))
        same = hashlib.sha256(database.read_bytes()).digest() == before
    told = f"was made by a newer Coalmine (schema {NEWER})" in log
    result = (
        f"exit code {code}, the log {'says' if told else 'does not say'} that it was made by a newer Coalmine, "
        + ("not a byte changed" if same else "the file changed")
    )
    return Row("10 new database, old code", f"`coalmine serve` on schema {NEWER}", result, told and same and code == 1)


def end_of_start(gateway: Serving, seconds: float = 30) -> tuple[int | None, str]:
    """The exit code of a start that is expected to fail (None: it goes on), and what it said."""
    gateway.start()
    assert gateway.process is not None
    try:
        code: int | None = gateway.process.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
        gateway.stop()
    return code, gateway.read_log()
