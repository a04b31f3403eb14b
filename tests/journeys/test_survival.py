"""What dies comes back, and what is served goes on meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import Petstores
from tests.journeys.story import THREE_PETS, TWO_PETS, V1, V2, manifest
from tests.support.processes import (
    Coalmine,
    ask,
    child_processes,
    is_running,
    kill,
    run_coalmine,
    serve_command,
    spawn,
    wait_until,
)


@pytest.fixture
def served(coalmine: Coalmine) -> Coalmine:
    """The gateway of this file: every test that uses it leaves it well."""
    coalmine.apply(manifest("plain"))
    assert coalmine.get("/findPets").body == TWO_PETS
    return coalmine


class Traffic:
    """Requests without a pause, on a thread; what was answered otherwise than it should be is kept."""

    def __init__(self, ask: Callable[[], object], expected: object) -> None:
        self.answered = 0
        self.wrong: list[object] = []
        self._ask, self._expected = ask, expected
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._ask()
            except OSError as error:
                answer = error
            if answer == self._expected:
                self.answered += 1
            else:
                self.wrong.append(answer)


def test_traffic_goes_on_while_the_control_process_is_killed_and_comes_back(served: Coalmine) -> None:
    with Traffic(lambda: served.get("/findPets").body, TWO_PETS) as traffic:
        (before,) = served.children()["control"]
        kill(before)
        wait_until(lambda: served.api("upstreams").status == 200, "the admin API")
        assert served.children()["control"] != [before]
    assert traffic.wrong == []
    assert traffic.answered > 20
    # The new control process feeds the old workers.
    served.apply(manifest("promoted"))
    assert [served.get("/findPets").body for _ in range(10)] == [THREE_PETS] * 10


def test_a_hanging_control_process_does_not_matter_to_traffic(served: Coalmine) -> None:
    (control,) = served.children()["control"]
    with stopped(control):
        assert [served.get("/findPets").body for _ in range(50)] == [TWO_PETS] * 50


def test_a_killed_worker_is_replaced_and_its_backlog_is_served(served: Coalmine) -> None:
    before = served.children()["worker"]
    for pid in before:
        kill(pid)
    # The supervisor holds the listening sockets, so these wait for the replacements instead of being refused.
    assert [served.get("/findPets").body for _ in range(10)] == [TWO_PETS] * 10
    wait_until(lambda: len(served.children()["worker"]) == len(before), "the replacements")
    assert not set(before) & set(served.children()["worker"])


def test_a_worker_and_a_control_process_that_hang_are_replaced(tmp_path: Path) -> None:
    with run_coalmine(tmp_path, arguments=["--hang-seconds", "2"]) as coalmine:
        before = coalmine.children()
        for pid in (*before["control"], *before["worker"]):
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: ask(f"{coalmine.admin}/readyz").status == 200, "the replacements", seconds=60)
        after = coalmine.children()
        assert after["control"] != before["control"] and after["worker"] != before["worker"]
        assert coalmine.get("/nothing").json["code"] == "no_virtual_service"


def test_workers_start_from_the_snapshot_on_disk_while_the_control_process_is_away(served: Coalmine) -> None:
    (control,) = served.children()["control"]
    with stopped(control):
        started = time.monotonic()
        for pid in served.children()["worker"]:
            kill(pid)
        assert served.get("/findPets").body == TWO_PETS
        assert time.monotonic() - started < 10  # and not for as long as nobody feeds them


def test_traffic_goes_on_while_the_database_is_locked_or_gone(served: Coalmine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(served.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert [served.get("/findPets").body for _ in range(20)] == [TWO_PETS] * 20
        other.execute("ROLLBACK")
    away = [(path, tmp_path / path.name) for path in served.database.parent.glob("coalmine.db*")]
    for path, elsewhere in away:
        path.rename(elsewhere)
    assert [served.get("/findPets").body for _ in range(20)] == [TWO_PETS] * 20
    for path, elsewhere in away:
        elsewhere.rename(path)


def test_when_the_supervisor_is_killed_all_go_and_the_next_start_serves_what_was(
    petstores: Petstores, tmp_path: Path
) -> None:
    with run_coalmine(tmp_path, workers=2) as coalmine:
        coalmine.register(V1, petstores.v1.url)
        coalmine.register(V2, petstores.v2.url)
        coalmine.apply(manifest("plain"))
        children = child_processes(coalmine.process.pid)
        assert len(children) >= 3
        kill(coalmine.process.pid)
        wait_until(lambda: not any(map(is_running, children)), "the end of the children")
    with run_coalmine(tmp_path) as coalmine:
        assert coalmine.get("/findPets").body == TWO_PETS
        assert coalmine.api(f"upstreams/{V1}/functions").json["total"] == 4
        proxy = coalmine.proxy
    serve_with_the_database_locked(coalmine.database, proxy)


def serve_with_the_database_locked(database: Path, proxy: str) -> None:
    """The last snapshot is served at once; the rest follows when the lock is gone."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("SELECT count(*) FROM sqlite_master")
        with spawn(serve_command(database, proxy=proxy.removeprefix("http://")), mixed=True) as (_, output):
            wait_until(lambda: ask(f"{proxy}/findPets").body == TWO_PETS, "the last snapshot", seconds=5)
            output.wait_for("is locked by another process")
            admin = output.wait_for("admin ").split()[1]
            assert_not_ready(admin, "coalmine.db is locked by another process")
            other.close()
            wait_until(lambda: ask(f"{admin}/readyz").status == 200, "the catalog")
            assert ask(f"{admin}/api/v1/upstreams").json["total"] == 2
            assert ask(f"{proxy}/findPets").body == TWO_PETS


def assert_not_ready(admin: str, reason: str) -> None:
    wait_until(lambda: ask(f"{admin}/readyz").json["checks"][1]["ok"], "the word of the workers")
    answer = ask(f"{admin}/readyz")
    checks = {check["name"]: check for check in answer.json["checks"]}
    assert (answer.status, checks["catalog"]["ok"], checks["workers"]["ok"]) == (503, False, True)
    assert reason in checks["catalog"]["detail"]
    assert ask(f"{admin}/api/v1/upstreams").json["code"] == "catalog_unavailable"


def damage(database: Path) -> None:
    for path in database.parent.glob("coalmine.db-*"):
        path.unlink()
    database.write_bytes(b"no database" * 1000)


def empty(database: Path) -> None:
    database.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [(damage, "is not a SQLite database"), (empty, "is an empty file"), (Path.unlink, "coalmine.db is gone")],
)
def test_a_start_with_a_database_that_cannot_be_used_serves_what_was(
    harm: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    with run_coalmine(tmp_path) as coalmine:
        route = {"match": {"path": {"prefix": "/a"}}, "direct_response": {"body": "as it was"}}
        assert coalmine.api("routes", method="POST", body=route).status == 201
    harm(coalmine.database)
    proxy = coalmine.proxy.removeprefix("http://")
    with spawn(serve_command(coalmine.database, proxy=proxy), mixed=True) as (_, output):
        wait_until(lambda: ask(f"{coalmine.proxy}/a").body == b"as it was", "the last snapshot")
        assert_not_ready(output.wait_for("admin ").split()[1], reason)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """As if it hung."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
