"""Starts with a database that cannot be used, after one that could: part of ``bench.faults``."""

from __future__ import annotations

import http.client
import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from bench.running import furnish, run, service, wait_until
from bench.write_to_served import ask


def short(ready: str) -> str:
    """What readyz says is not well; else its status."""
    status, _, body = ready.partition(" ")
    try:
        checks = json.loads(body)["checks"]
    except (ValueError, KeyError):
        return ready
    wrong = [f"{check['name']}: {check['detail']}" for check in checks if not check["ok"]]
    return f"{status} " + ("; ".join(wrong) or next(c["detail"] for c in checks if c["name"] == "workers"))


def seconds(taken: float) -> str:
    return f"{taken:.1f} s"


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("SELECT count(*) FROM sqlite_master")
        yield


def harmed(harm: Callable[[Path], None]) -> Callable[[Path], AbstractContextManager[None]]:
    @contextmanager
    def block(database: Path) -> Iterator[None]:
        for path in database.parent.glob("coalmine.db-*"):
            path.unlink()
        harm(database)
        yield

    return block


@contextmanager
def read_only(database: Path) -> Iterator[None]:
    """Mode bits mean nothing to root, so the folder is mounted read-only where that can be done."""
    command = ["mount", "--bind", str(database.parent), str(database.parent)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    remount = ["mount", "-o", "remount,ro,bind", str(database.parent)]
    mounted = mounted and subprocess.run(remount, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", str(database.parent)], check=False)


# Starts with a database that cannot be used, after one that could.
STARTS: tuple[tuple[str, Callable[[Path], AbstractContextManager[None]]], ...] = (
    ("as it was", harmed(lambda path: None)),
    ("locked by another process", locked),
    ("on a file system that is read-only", read_only),
    ("replaced by garbage", harmed(overwrite)),
    ("an empty file", harmed(lambda path: path.write_bytes(b"") and None)),
    ("deleted", harmed(Path.unlink)),
)


def observe_start(block: Callable[[Path], AbstractContextManager[None]]) -> tuple[float, str]:
    """Seconds until the proxy answers by the last snapshot, and what readyz says once it does."""
    with tempfile.TemporaryDirectory() as directory, service() as port:
        folder = Path(directory) / "data"
        folder.mkdir()
        with run(folder) as running:
            wait_until(lambda: running.ready().startswith("200"), "ready")
            furnish(running, port)
        with block(folder / "coalmine.db"):
            started = time.monotonic()
            with run(folder, ports=(running.proxy, running.admin), log=Path(directory) / "stderr") as again:
                wait_until(lambda: _answers(again.proxy), "an answer")
                taken = time.monotonic() - started
                wait_until(lambda: again.ready()[:3] in ("200", "503"), "readyz")
                return taken, short(again.ready())


def _answers(proxy: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=5)
    try:
        return ask(connection, "GET", "/ok") == (200, b"ok")
    finally:
        connection.close()
