"""Promise 11: a damaged database is noticed, told in words, and never served."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bench.durability.kills import load_texts, make_route
from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, run_forked, serving
from bench.durability.upgrades import bring_up, end_of_start, fill
from coalmine.catalog import Catalog
from coalmine.errors import CatalogError

FLIPS = 200
COMMITS = 5
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(5000)
_SEEN = {0: "served", 1: "refused", 2: "wrong"}


def run(given: Given) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder) / "good.db"
        fill(good)
        with closing(sqlite3.connect(good)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield flip_bytes(good, given)
        yield flip_bytes_of_the_log(good, given)
        for name, spoil in SPOILED.items():
            yield start_with(good, name, spoil)
        yield damage_under_a_running_gateway()


def flip_bytes(good: Path, given: Given) -> Row:
    rounds, chance, text = given.rounds(FLIPS), random.Random(given.seed), good.read_bytes()
    copy, texts = good.with_name("copy.db"), load_texts(good)
    seen = [_open(copy, flip(text, chance), b"", texts) for _ in range(rounds)]
    done = f"one bit flipped at {rounds} random places, opened and read whole"
    return Row("11 Damage is noticed", done, _count(seen), "wrong" not in seen and "crashed" not in seen)


def flip_bytes_of_the_log(good: Path, given: Given) -> Row:
    """SQLite's own answer to a damaged write-ahead log is to end before it, at a commit; so are all its parts whole."""
    rounds, chance, copy = given.rounds(FLIPS), random.Random(given.seed), good.with_name("copy.db")
    commits = [load_texts(good)]
    commits += [dict.fromkeys(commits[0], str(number)) for number in range(COMMITS)]
    run_forked(lambda: _commit_and_vanish(good, list(commits[0])))
    text, log = good.read_bytes(), Path(f"{good}-wal").read_bytes()
    seen = [_open(copy, text, flip(log, chance), *commits) for _ in range(rounds)]
    done = f"one bit flipped at {rounds} random places of a write-ahead log of {COMMITS} commits"
    result = _count(seen).replace("right data", "right data as of one of the commits")
    return Row("11 the same, of the log", done, result, "wrong" not in seen and "crashed" not in seen)


def _commit_and_vanish(path: Path, names: list[str]) -> None:
    """Without closing, which would move the log into the database."""
    catalog = Catalog(f"sqlite:///{path}")
    for number in range(COMMITS):
        with catalog.write() as writer:
            for name in names:
                writer.put_route(make_route(name, str(number)))
    os._exit(0)


def flip(text: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(text)
    damaged[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _open(copy: Path, text: bytes, log: bytes, *right: dict[str, str]) -> str:
    for path in copy.parent.glob(f"{copy.name}*"):
        path.unlink()
    copy.write_bytes(text)
    if log:
        Path(f"{copy}-wal").write_bytes(log)
    status = run_forked(lambda: _judge(copy, right))
    return _SEEN.get(os.waitstatus_to_exitcode(status), "crashed")


def _judge(copy: Path, right: Sequence[dict[str, str]]) -> None:
    """In a child: whatever SQLite does with a damaged file shall not end the whole."""
    try:
        bring_up(copy)
        code = 0 if load_texts(copy) in right else 2
    except CatalogError:
        code = 1
    except BaseException:
        code = 3
    os._exit(code)


def _count(seen: list[str]) -> str:
    told = {"served": "right data", "refused": "refused with a message", "wrong": "wrong data", "crashed": "crashed"}
    return ", ".join(f"{seen.count(name)} {words}" for name, words in told.items())


# Whole files -------------------------------------------------------------------------------------------


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5000)


def _other_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE songs (name)")


SPOILED: dict[str, Callable[[Path], object]] = {
    "cut off in the middle": _cut,
    "of length zero": lambda path: path.write_bytes(b""),
    "a picture (PNG)": lambda path: path.write_bytes(_PNG),
    "a text": lambda path: path.write_text("routes: []\n" * 1000),
    "the database of another program": _other_program,
}


def start_with(good: Path, name: str, spoil: Callable[[Path], object]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "c.db"
        shutil.copy(good, database)
        spoil(database)
        before = database.read_bytes()
        code, log = end_of_start(Serving(database))
        same = database.read_bytes() == before
    told = next((line for line in log.splitlines() if str(database) in line), "nothing")
    result = f"exit code {code}, {'unchanged' if same else 'changed'}; “{told.replace(str(database), 'c.db')}”"
    return Row("11 a file that is none", f"`coalmine serve` with a file that is {name}", result, code == 1 and same)


def damage_under_a_running_gateway() -> Row:
    """Control dies and finds a damaged file: it says so again and again, and what was served goes on."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        gateway.put("kept", "kept")
        for path in Path(folder).glob("c.db-*"):
            path.unlink()
        gateway.database.write_bytes(gateway.database.read_bytes()[:5000])
        gateway.kill_control()
        started, right, asked = time.monotonic(), 0, 0
        while time.monotonic() < started + 10 or (not _told(gateway) and time.monotonic() < started + 60):
            asked += 1
            right += gateway.get("/kept").body == b"kept"
            time.sleep(0.01)
        told = _told(gateway)
    done = "the file cut off under a running gateway, control killed: requests for 10 s and more"
    result = f"{right} of {asked} answered as before, {told} messages in the log"
    return Row("11 the proxy keeps serving", done, result, right == asked and 0 < told < 50)


def _told(gateway: Serving) -> int:
    log = gateway.read_log()
    return log.count("is damaged") + log.count("is not a SQLite database")
