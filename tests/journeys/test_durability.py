"""What was answered stays, whatever is killed, full or damaged; and the admin API is nobody else's.

Short versions of ``bench/durability``, which does the same hundreds of times.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import (
    ROOT,
    Answer,
    Coalmine,
    ask,
    kill,
    run_coalmine,
    wait_until,
)

TOKEN, READ_TOKEN = "a-long-admin-token-of-ours", "a-long-read-token-of-ours"
WRITERS = 4


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coalmine]:
    """The gateway of this file: every test leaves it well."""
    with run_coalmine(tmp_path_factory.mktemp("durable"), workers=2) as coalmine:
        yield coalmine


def route(path: str, text: str) -> dict[str, Any]:
    return {"match": {"path": {"exact": path}}, "direct_response": {"status": 200, "body": text}}


def put(gateway: Coalmine, name: str, text: str) -> Answer:
    return gateway.api(f"routes/{name}", method="PUT", body=route(f"/{name}", text))


def is_sound(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_no_answered_write_is_lost_when_the_control_process_is_killed(gateway: Coalmine) -> None:
    answered: dict[str, int] = {}
    under_way: dict[str, int] = {}
    stop = threading.Event()

    def write(name: str) -> None:
        number = 0
        with suppress(OSError):  # killed: what is under way may have happened
            while not stop.is_set():
                number += 1
                under_way[name] = number
                assert put(gateway, name, str(number)).status in (200, 201)
                answered[name] = number

    for lap in range(2):
        threads = [threading.Thread(target=write, args=(f"w{lap}-{one}",)) for one in range(WRITERS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) == (lap + 1) * WRITERS, "the first answers")  # noqa: B023  ends in this lap
        (control,) = gateway.children()["control"]
        kill(control)
        stop.set()  # for those that wait for the next one, not having asked this one
        for thread in threads:
            thread.join()
        stop.clear()
        wait_until(lambda: gateway.api("routes").status == 200, "the admin API")
    assert is_sound(gateway.database)
    for name, number in answered.items():
        stored = int(gateway.api(f"routes/{name}").json["direct_response"]["body"])
        assert number <= stored <= under_way[name]
        assert gateway.get(f"/{name}").body == str(stored).encode()


def test_a_full_disk_costs_the_writes_of_that_time_and_nothing_else(gateway: Coalmine) -> None:
    """A file size limit of the running control process stands for the disk: write(2) fails in the same place."""
    put(gateway, "kept", "kept")
    (control,) = gateway.children()["control"]
    unlimited = resource.prlimit(control, resource.RLIMIT_FSIZE)
    resource.prlimit(control, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    before = gateway.api("revisions?limit=1").json["total"]
    refused = put(gateway, "kept", "x" * 50_000)
    assert (refused.status, refused.json["code"]) == (503, "catalog_unavailable")
    assert "disk" in refused.json["detail"] and refused.json["hint"]
    assert gateway.api("revisions?limit=1").json["total"] == before
    assert gateway.get("/kept").body == b"kept"
    resource.prlimit(control, resource.RLIMIT_FSIZE, unlimited)
    assert put(gateway, "kept", "again").status == 200
    assert gateway.get("/kept").body == b"again"
    assert is_sound(gateway.database)


def test_ten_writers_of_one_route_lose_no_update(gateway: Coalmine) -> None:
    put(gateway, "counter", "0")
    statuses: list[int] = []

    def count_up() -> None:
        while True:
            found = gateway.api("routes/counter")
            number = int(found.json["direct_response"]["body"])
            headers = {"If-Match": found.headers["etag"]}
            body = route("/counter", str(number + 1))
            status = ask(f"{gateway.admin}/api/v1/routes/counter", method="PUT", headers=headers, body=body).status
            statuses.append(status)
            if status == 200:
                return

    threads = [threading.Thread(target=count_up) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gateway.get("/counter").body == b"10"
    assert set(statuses) <= {200, 412}


def test_a_set_with_a_faulty_route_at_its_end_changes_nothing(gateway: Coalmine) -> None:
    names = [f"batch-{number}" for number in range(5)]
    routes = [{"name": name, **route(f"/{name}", "A")} for name in names]
    assert gateway.api("config/apply", method="POST", body={"routes": routes}).status == 200
    before = gateway.api("config").body
    changed = [{"name": name, **route(f"/{name}", "B")} for name in names]
    bad = {"name": "bad", "match": {"path": {"regex": "("}}, "direct_response": {}}
    refused = gateway.api("config/apply", method="POST", body={"routes": [*changed, bad]})
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/routes/5/match/path/regex")
    assert gateway.api("config").body == before
    assert [gateway.get(f"/{name}").body for name in names] == [b"A"] * len(names)


def test_the_admin_api_cannot_be_reached_through_the_proxy(gateway: Coalmine) -> None:
    port = gateway.admin.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]"):
        upstream = {"name": "own", "endpoints": [f"http://{host}:{port}"]}
        assert gateway.api("upstreams", method="POST", body=upstream).status == 422
    assert gateway.get("/docs").status == gateway.get("/openapi.json").status == 404


def test_catalog_and_snapshot_are_their_owners_alone(gateway: Coalmine) -> None:
    put(gateway, "kept", "kept")
    pid_file = "coalmine.db.pid"  # nobody's secret
    files = sorted(file for file in gateway.database.parent.glob("coalmine.db*") if file.name != pid_file)
    assert [file.name for file in files][-1] == "coalmine.db.snapshot.json"
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_tokens_stand_in_no_file_answer_or_log_and_no_worker_has_them(tmp_path: Path) -> None:
    environ = {"COALMINE_ADMIN_TOKEN": TOKEN, "COALMINE_ADMIN_READ_TOKEN": READ_TOKEN}
    with run_coalmine(tmp_path, environ=environ) as coalmine:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{coalmine.admin}/api/v1"
        assert ask(f"{url}/routes/r", method="PUT", headers=headers, body=route("/r", "r")).status == 201
        told = [ask(f"{url}/{path}", headers=headers).body for path in ("config", "snapshot", "revisions/1")]
        told.append(ask(f"{coalmine.admin}/metrics", headers=headers).body)
        told += [Path(f"/proc/{pid}/environ").read_bytes() for pid in coalmine.children()["worker"]]
        read = ask(f"{url}/routes", headers={"Authorization": f"Bearer {READ_TOKEN}"})
        refused = ask(f"{url}/routes/r", method="DELETE", headers={"Authorization": f"Bearer {READ_TOKEN}"})
        assert (read.status, refused.status) == (200, 403)
    told += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    told.append("\n".join(coalmine.output.lines).encode())
    assert len(told) > 7
    assert not [text for text in told if TOKEN.encode() in text or READ_TOKEN.encode() in text]


KILLED = """
import sys, tempfile
from pathlib import Path
from bench.durability import upgrades
from bench.durability.kills import load_texts
from bench.durability.rows import Given
newest = Path(sys.argv[1]) / "newest.db"
upgrades.fill(newest)
for version in upgrades.list_versions()[:-1]:
    older = upgrades.make_older(newest, version)
    print(upgrades.kill_the_upgrade(older, version, load_texts(newest), Given(scale=0.04)))
"""


def test_an_upgrade_that_is_killed_has_happened_or_has_not(tmp_path: Path) -> None:
    """From every older schema: opened again it is up to date, and has its routes."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) >= 4
    assert [row for row in rows if "0 damaged or without" not in row or "kept=True" not in row] == []
