"""Promises 8 and 9: a write that was answered is on the disk, whenever the process is killed."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, ask, kill, run_forked, run_threads, serving
from coalmine.catalog import Catalog
from coalmine.catalog.engine import connect
from coalmine.model import Route

STORE_ROUNDS = 200
SERVE_ROUNDS = 20
KEYS = 8
THREADS = 4


class Book:
    """What clients know: of each key, the value that was answered last, and the one under way since."""

    def __init__(self) -> None:
        self.answered = 0
        self.known: dict[str, str | None] = {}
        self.under_way: dict[str, str | None] = {}

    def begin(self, key: str, value: str | None) -> None:
        self.under_way[key] = value

    def end(self, key: str) -> None:
        self.answered += 1
        self.known[key] = self.under_way.pop(key)

    def settle(self, found: dict[str, str]) -> list[str]:
        """Keys that are neither as answered nor as under way; what was found is known from now on."""
        lost = []
        for key in {*self.known, *self.under_way}:
            value = found.get(key)
            allowed = [self.known.get(key), *([self.under_way[key]] if key in self.under_way else [])]
            if value not in allowed:
                lost.append(key)
            self.known[key] = value
        self.under_way.clear()
        return lost


def check_integrity(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# The catalog alone ------------------------------------------------------------------------------------


def hammer(path: Path, out: int, seed: int) -> None:
    """Write for ever, telling before and after each write on ``out``."""
    catalog = Catalog(f"sqlite:///{path}")
    catalog.migrate()
    threads = [threading.Thread(target=_hammer, args=(catalog, out, seed, number)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _hammer(catalog: Catalog, out: int, seed: int, thread: int) -> None:
    chance = random.Random(f"{seed} {thread}")
    while True:
        key = f"r{thread}-{chance.randrange(KEYS)}"
        value = str(chance.getrandbits(32)) if chance.random() < 0.8 else ""
        os.write(out, f"< {key} {value}\n".encode())
        with catalog.write() as writer:
            if value:
                writer.put_route(make_route(key, value))
            else:
                writer.delete_route(key)
        os.write(out, f"> {key}\n".encode())


def make_route(name: str, text: str) -> Route:
    match = {"path": {"exact": f"/{name}"}}
    return Route.model_validate({"name": name, "match": match, "direct_response": {"status": 200, "body": text}})


def read_book(book: Book, told: bytes) -> None:
    for line in told.decode().split("\n")[:-1]:
        if line.startswith("< "):
            _, key, value = line.split(" ")
            book.begin(key, value or None)
        else:
            book.end(line[2:])


def load_texts(path: Path) -> dict[str, str]:
    catalog = Catalog(f"sqlite:///{path}")
    try:
        with catalog.read() as reader:
            routes = reader.load_definitions().routes
    finally:
        catalog.close()
    return {route.name: route.direct_response.body for route in routes if route.direct_response}


def kill_the_catalog(given: Given) -> Row:
    rounds, chance, book = given.rounds(STORE_ROUNDS), random.Random(given.seed), Book()
    lost: list[str] = []
    corrupt = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.db"
        for number in range(rounds):
            read_book(book, _one_round(path, chance.uniform(0.01, 0.15), number))
            corrupt += not check_integrity(path)
            lost += book.settle(load_texts(path))
    done = f"{rounds} × kill -9 of a process that writes with {THREADS} threads, after 10 to 150 ms"
    result = f"{book.answered} writes answered, {len(lost)} lost, {corrupt} files corrupt"
    return Row("8 No acknowledged write is lost", done, result, not lost and corrupt == 0 and book.answered > rounds)


def _one_round(path: Path, seconds: float, seed: int) -> bytes:
    ours, theirs = os.pipe()
    told: list[bytes] = []

    def watch(pid: int) -> None:
        os.close(theirs)
        told.append(os.read(ours, 65_536))  # it has begun
        time.sleep(seconds)
        kill(pid)
        while data := os.read(ours, 65_536):
            told.append(data)

    run_forked(lambda: hammer(path, theirs, seed), kill_after=watch)
    os.close(ours)
    return b"".join(told)


# All of it --------------------------------------------------------------------------------------------


def kill_the_gateway(given: Given) -> Row:
    rounds, chance, book = given.rounds(SERVE_ROUNDS), random.Random(given.seed), Book()
    lost: list[str] = []
    corrupt = stale = 0
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        for number in range(rounds):
            _write_until_killed(gateway, book, chance.uniform(0.2, 1.0), everything=number % 2 == 1)
            gateway.wait_ready()
            corrupt += not check_integrity(gateway.database)
            lost += book.settle(load_texts(gateway.database))
            stale += sum(not _is_served(gateway, key, value) for key, value in book.known.items())
    done = f"{rounds} × kill -9, by turns of the control process and of everything, under {THREADS} clients"
    result = f"{book.answered} writes answered, {len(lost)} lost, {corrupt} files corrupt, {stale} not served so after"
    kept = not lost and not corrupt and not stale and book.answered > rounds
    return Row("8 the same, all of `coalmine serve`", done, result, kept)


def _write_until_killed(gateway: Serving, book: Book, seconds: float, *, everything: bool) -> None:
    stop = threading.Event()

    def strike() -> None:
        time.sleep(seconds)
        if everything:
            gateway.kill_all()
            gateway.start()
        else:
            gateway.kill_control()
        stop.set()

    run_threads([strike, *(lambda number=number: _write(gateway, book, number, stop) for number in range(THREADS))])


def _write(gateway: Serving, book: Book, thread: int, stop: threading.Event) -> None:
    chance = random.Random()
    while not stop.is_set():
        key = f"r{thread}-{chance.randrange(KEYS)}"
        value = str(chance.getrandbits(32)) if chance.random() < 0.8 else None
        book.begin(key, value)
        try:
            answer = gateway.put(key, value) if value else ask(gateway.admin, "DELETE", f"/api/v1/routes/{key}")
        except OSError:
            return  # it may have happened
        if answer.status in (200, 201, 204, 404):
            book.end(key)


def _is_served(gateway: Serving, key: str, value: str | None) -> bool:
    answer = gateway.get(f"/{key}")
    return answer.status == 404 if value is None else answer.body == value.encode()


# Loss of power ----------------------------------------------------------------------------------------

WRITES = 100
_SYNC = re.compile(r"f(?:data)?sync\(\d+<(?P<path>[^>]*)>\)\s+= 0")


def count_syncs(given: Given) -> Row:
    """``synchronous`` belongs to a connection, so of the running process the system calls tell it."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), workers=1) as gateway:
        with closing(connect(gateway.database)) as connection:
            synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
        trace = Path(folder) / "trace"
        with Traced(gateway, trace):
            writes = sum(gateway.put("r", str(number)).status in (200, 201) for number in range(WRITES))
        paths = [match["path"] for match in _SYNC.finditer(trace.read_text())]
        log = sum(path.endswith("c.db-wal") for path in paths)
    done = f"{WRITES} writes, one after the other, under `strace -f -y -e trace=fsync,fdatasync`"
    result = (
        f"synchronous={synchronous}; {writes} writes answered, {log} syncs of the write-ahead log, {len(paths)} in all"
    )
    return Row("9 … nor on loss of power", done, result, synchronous == 2 and log >= writes == WRITES)


class Traced:
    """The system calls that sync, of the control process and for a time; ``options`` are strace's."""

    def __init__(self, gateway: Serving, trace: Path, *options: str) -> None:
        command = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync", *options]
        self._command = [*command, "-p", str(gateway.control())]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._process.stderr.readline()  # it is attached

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        self._process.communicate()


def run(given: Given) -> Iterator[Row]:
    yield kill_the_catalog(given)
    yield kill_the_gateway(given)
    yield count_syncs(given)
