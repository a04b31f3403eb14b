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


@contextmanager
def furnished(petstores: Petstores, folder: Path, *, workers: int = 1) -> Iterator[Coalmine]:
    with run_coalmine(folder, workers=workers) as coalmine:
        coalmine.register(V1, petstores.v1.url)
        coalmine.register(V2, petstores.v2.url)
        coalmine.cli("apply", "-f", manifest("plain"))
        assert coalmine.get("/findPets").body == TWO_PETS
        yield coalmine


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


def test_traffic_goes_on_while_the_control_process_is_killed_and_comes_back(
    petstores: Petstores, tmp_path: Path
) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        with Traffic(lambda: coalmine.get("/findPets").body, TWO_PETS) as traffic:
            (before,) = coalmine.children()["control"]
            kill(before)
            wait_until(lambda: coalmine.api("upstreams").status == 200, "the admin API")
            assert coalmine.children()["control"] != [before]
            coalmine.cli("get", "routes")
        assert traffic.wrong == []
        assert traffic.answered > 20
        # The new control process feeds the old worker.
        coalmine.cli("apply", "-f", manifest("promoted"))
        assert coalmine.get("/findPets").body == THREE_PETS


def test_a_hanging_control_process_does_not_matter_to_traffic(petstores: Petstores, tmp_path: Path) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        (control,) = coalmine.children()["control"]
        os.kill(control, signal.SIGSTOP)
        try:
            assert [coalmine.get("/findPets").body for _ in range(50)] == [TWO_PETS] * 50
        finally:
            os.kill(control, signal.SIGCONT)


def test_a_killed_worker_is_replaced_and_its_backlog_is_served(petstores: Petstores, tmp_path: Path) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        (before,) = coalmine.children()["worker"]
        kill(before)
        # The supervisor holds the listening socket, so this waits for the replacement instead of being refused.
        assert coalmine.get("/findPets").body == TWO_PETS
        assert coalmine.children()["worker"] != [before]


def test_a_worker_starts_from_the_snapshot_on_disk_while_there_is_no_control_process(
    petstores: Petstores, tmp_path: Path
) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        (control,) = coalmine.children()["control"]
        (worker,) = coalmine.children()["worker"]
        os.kill(control, signal.SIGSTOP)
        try:
            started = time.monotonic()
            kill(worker)
            assert coalmine.get("/findPets").body == TWO_PETS
            assert time.monotonic() - started < 3
        finally:
            os.kill(control, signal.SIGCONT)


def test_all_children_go_when_the_supervisor_is_killed(petstores: Petstores, tmp_path: Path) -> None:
    with furnished(petstores, tmp_path, workers=2) as coalmine:
        children = child_processes(coalmine.process.pid)
        assert len(children) >= 3
        kill(coalmine.process.pid)
        wait_until(lambda: not any(map(is_running, children)), "the end of the children")


def test_the_database_of_an_earlier_run_is_served(petstores: Petstores, tmp_path: Path) -> None:
    with furnished(petstores, tmp_path):
        pass
    with run_coalmine(tmp_path) as coalmine:
        assert coalmine.get("/findPets").body == TWO_PETS
        assert coalmine.api(f"upstreams/{V1}/functions").json["total"] == 4


@pytest.mark.parametrize("harm", ["locked", "damaged"])
def test_the_last_snapshot_is_served_by_a_start_without_a_usable_database(
    harm: str, petstores: Petstores, tmp_path: Path
) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        database, proxy = coalmine.database, coalmine.proxy
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        before = database.read_bytes()
        if harm == "locked":
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            other.execute("SELECT count(*) FROM sqlite_master")
        else:
            database.write_bytes(b"x" * 8192)
        command = serve_command(database, proxy=proxy.removeprefix("http://"))
        with spawn(command, mixed=True) as (_, output):
            wait_until(lambda: ask(f"{proxy}/findPets").body == TWO_PETS, "the last snapshot", seconds=5)
            output.wait_for("control ended")
            other.close()
            database.write_bytes(before)
            assert output.wait_for("admin ")
            assert ask(f"{proxy}/findPets").body == TWO_PETS


def test_traffic_goes_on_while_the_database_is_locked_and_gone(petstores: Petstores, tmp_path: Path) -> None:
    with furnished(petstores, tmp_path) as coalmine:
        with closing(sqlite3.connect(coalmine.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert [coalmine.get("/findPets").body for _ in range(20)] == [TWO_PETS] * 20
            other.execute("ROLLBACK")
        for path in tmp_path.glob("coalmine.db*"):
            path.unlink()
        assert [coalmine.get("/findPets").body for _ in range(20)] == [TWO_PETS] * 20
