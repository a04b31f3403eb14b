"""A real ``coalmine serve`` on a folder, with its children known, so that they can be killed one by one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.write_to_served import free_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0  # on a machine that has other things to do


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    etag: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request over a connection of its own; ``if_match`` is the header If-Match. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent.setdefault("content-type", "application/json")
    try:
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.headers["etag"])
    except http.client.HTTPException as error:
        raise ConnectionResetError(str(error)) from error
    finally:
        connection.close()


def route(name: str, text: str) -> dict[str, Any]:
    """One that answers ``text`` at ``/name``."""
    return {"name": name, "match": {"path": {"exact": f"/{name}"}}, "direct_response": {"status": 200, "body": text}}


class Serving:
    """One gateway; ``database`` outlives its processes."""

    def __init__(self, database: Path, *arguments: str, workers: int = 2) -> None:
        self.database = database
        self.proxy, self.admin = free_port(), free_port()
        self.log = database.with_name("serve.log")
        self._command = [sys.executable, "-m", "coalmine", "serve", "--workers", str(workers)]
        self._command += ["--proxy", f"127.0.0.1:{self.proxy}", "--admin", f"127.0.0.1:{self.admin}"]
        self._command += ["--database", f"sqlite:///{database}", *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.database.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def start_and_wait(self) -> float:
        """Seconds until ready."""
        started = time.monotonic()
        self.start()
        self.wait_ready()
        return time.monotonic() - started

    def wait_ready(self) -> None:
        wait_until(self.is_ready, f"the gateway is not ready; its log: {self.read_log()[-2000:]}")

    def is_ready(self) -> bool:
        return ask(self.admin, "GET", "/readyz").status == 200

    def read_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def control(self) -> int | None:
        """The control process, while there is one."""
        assert self.process is not None
        return next((pid for pid, line in list_children(self.process.pid) if "serve.control" in line), None)

    def kill_control(self) -> None:
        pid = self.control()
        if pid is not None:
            kill(pid)

    def kill_all(self) -> None:
        """As when the machine loses power, but that what was written stays in the page cache."""
        assert self.process is not None
        pids = [pid for pid, _ in list_children(self.process.pid)]
        for pid in (self.process.pid, *pids):
            kill(pid)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def put(self, name: str, text: str, **headers: str) -> Answer:
        return ask(self.admin, "PUT", f"/api/v1/routes/{name}", route(name, text), **headers)

    def get(self, path: str) -> Answer:
        return ask(self.proxy, "GET", path)


@contextmanager
def serving(folder: Path, *arguments: str, workers: int = 2) -> Iterator[Serving]:
    """A gateway that is ready, gone afterwards."""
    gateway = Serving(folder / "c.db", *arguments, workers=workers)
    try:
        gateway.start_and_wait()
        yield gateway
    finally:
        gateway.stop()


def list_children(parent: int) -> list[tuple[int, str]]:
    """Living children with their command lines."""
    found = []
    for text in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(OSError):
            found.append((int(text), Path(f"/proc/{text}/cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], object], complaint: str, seconds: float = PATIENCE_SECONDS) -> None:
    """A refused connection counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise SystemExit(complaint)
        time.sleep(0.01)


def run_forked(work: Callable[[], object], *, kill_after: Callable[[int], None] | None = None) -> int:
    """``work`` in a child of its own, without the second that importing everything takes; its wait status.

    The child has ended when this returns; ``kill_after`` gets its pid and may end it. Nothing of SQLite may be open.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        kill_after(pid)
    return os.waitpid(pid, 0)[1]


def run_threads(works: Sequence[Callable[[], None]]) -> None:
    """All at once, to their ends; what one raises is raised."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()
