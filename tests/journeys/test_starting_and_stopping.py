"""``coalmine serve``: what it says when it starts, what it refuses, and how it stops."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from coalmine.catalog import Catalog
from tests.support.processes import (
    ROOT,
    Coalmine,
    ask,
    child_processes,
    clean_environment,
    is_running,
    run_coalmine,
    spawn,
)

SLOW_SECONDS = 1.0
IN_FLIGHT = 50
GRACE_SECONDS = 4.0


class SlowHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            self.wfile.write(self.rfile.read(5))
            self.rfile.read()
            return
        time.sleep(SLOW_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


class SlowServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def slow_service() -> Iterator[str]:
    with SlowServer(("127.0.0.1", 0), SlowHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def serve(*arguments: str, cwd: Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``coalmine serve`` where it is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "coalmine", "serve", *arguments],
        cwd=cwd,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@contextmanager
def open_tunnel(coalmine: Coalmine) -> Iterator[socket.socket]:
    """A WebSocket that would never end by itself."""
    with socket.create_connection(("127.0.0.1", int(coalmine.proxy.rpartition(":")[2])), timeout=10) as tunnel:
        tunnel.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        said = b""
        while not said.endswith(b"hello"):
            said += tunnel.recv(1000)
        assert said.startswith(b"HTTP/1.1 101 ")
        yield tunnel


def test_requests_in_flight_are_answered_and_new_connects_refused(tmp_path: Path) -> None:
    arguments = ["--grace-seconds", str(GRACE_SECONDS)]
    with slow_service() as url, run_coalmine(tmp_path, workers=2, arguments=arguments) as coalmine:
        discovery = {"enabled": False}
        coalmine.api("upstreams", method="POST", body={"name": "slow", "endpoints": [url], "discovery": discovery})
        route = {"match": {"path": {"prefix": "/slow"}}, "destinations": [{"upstream": "slow"}]}
        assert coalmine.api("routes", method="POST", body=route).status == 201
        children = child_processes(coalmine.process.pid)
        with open_tunnel(coalmine) as tunnel, ThreadPoolExecutor(IN_FLIGHT) as pool:
            answers = [pool.submit(coalmine.get, "/slow") for _ in range(IN_FLIGHT)]
            time.sleep(SLOW_SECONDS / 2)
            stopped = time.monotonic()
            coalmine.process.send_signal(signal.SIGTERM)
            time.sleep(SLOW_SECONDS / 4)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(coalmine.proxy.rpartition(":")[2])), timeout=2)
            assert [answer.result().body for answer in answers] == [b"ok"] * IN_FLIGHT
            assert coalmine.process.wait(GRACE_SECONDS + 1) == 0
            assert GRACE_SECONDS - 0.5 < time.monotonic() - stopped < GRACE_SECONDS + 1
            assert tunnel.recv(10) == b""
        assert not any(map(is_running, children))


@pytest.fixture
def temporary() -> Iterator[Path]:
    """With a short name, because the path of a Unix socket in it has 107 bytes at most (unix(7))."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_an_interrupt_stops_with_exit_code_0_and_leaves_no_files_but_the_catalog(
    tmp_path: Path, temporary: Path
) -> None:
    with run_coalmine(tmp_path, environ={"TMPDIR": str(temporary)}) as coalmine:
        assert [line.split() for line in coalmine.output.lines] == [
            ["proxy", coalmine.proxy],
            ["admin", coalmine.admin],
        ]
        assert ask(f"{coalmine.admin}/healthz").status == 200
        assert len(list(temporary.iterdir())) == 1
        coalmine.process.send_signal(signal.SIGINT)
        assert coalmine.process.wait(10) == 0
    assert list(temporary.iterdir()) == []
    assert {path.name for path in tmp_path.glob("coalmine.db*")} <= {
        "coalmine.db",
        "coalmine.db-shm",
        "coalmine.db-wal",
        "coalmine.db.snapshot.json",
    }


def test_killing_everything_at_once_leaves_no_temporary_files(tmp_path: Path, temporary: Path) -> None:
    with run_coalmine(tmp_path, environ={"TMPDIR": str(temporary)}) as coalmine:
        children = child_processes(coalmine.process.pid)
        os.kill(coalmine.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(map(is_running, children)) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert list(temporary.iterdir()) == []


def test_a_second_instance_on_the_same_port_is_refused(coalmine: Coalmine, tmp_path: Path) -> None:
    port = coalmine.proxy.rpartition(":")[2]
    ended = serve("--proxy", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0", cwd=tmp_path)
    assert ended.returncode == 1
    assert f"--proxy is 127.0.0.1:{port}, and that port is taken" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--admin", "0.0.0.0:0"), "COALMINE_ADMIN_TOKEN"),
        (("--database", "sqlite:///missing/coalmine.db"), "mkdir -p missing"),
        (("--database", "postgresql://localhost/coalmine"), "names no SQLite file"),
        (("--proxy", "8080"), "--proxy is '8080'; it should be host:port"),
    ],
    ids=["admin for everybody without a token", "no directory", "not SQLite", "no port"],
)
def test_what_cannot_work_is_refused_with_a_way_out(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    defaults = ("--proxy", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    ended = serve(*defaults, *arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert words in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def age(path: Path) -> None:
    """Make a database that a newer version has left."""
    catalog = Catalog(f"sqlite:///{path}")
    catalog.migrate()
    catalog.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
        database.commit()


@pytest.mark.parametrize(
    ("harm", "words"),
    [(age, "newer Coalmine"), (lambda path: path.write_bytes(b"x" * 8192), "is not a SQLite database")],
    ids=["of a newer version", "that is none"],
)
def test_a_database_that_is_not_ours_is_refused(harm: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    harm(tmp_path / "coalmine.db")
    before = (tmp_path / "coalmine.db").read_bytes()
    ended = serve("--proxy", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1", cwd=tmp_path)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "coalmine.db").read_bytes() == before


def test_a_token_is_asked_for_where_one_is_set(tmp_path: Path) -> None:
    with run_coalmine(tmp_path, environ={"COALMINE_ADMIN_TOKEN": "a long secret"}) as coalmine:
        assert coalmine.api("upstreams").status == 401
        answer = ask(f"{coalmine.admin}/api/v1/upstreams", headers={"Authorization": "Bearer a long secret"})
        assert answer.status == 200


def test_foreign_packages_in_the_folder_do_not_replace_ours(tmp_path: Path) -> None:
    """Whoever starts Coalmine in a folder with a ``proxy`` of its own still gets Coalmine's."""
    for name in ("proxy", "discovery", "admin_api"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('foreign code ran')")
    command = "import sys; sys.path.remove(''); from coalmine.cli import main; sys.exit(main())"
    arguments = ["serve", "--proxy", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]
    environ = {"PYTHONPATH": str(ROOT)}
    with spawn([sys.executable, "-c", command, *arguments], environ=environ, cwd=tmp_path) as (process, output):
        assert output.next().startswith("proxy ")
        process.terminate()
        assert process.wait(10) == 0
