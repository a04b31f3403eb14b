"""A gateway with a service behind it, for bench programs that disturb both."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.write_to_served import ask, free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0  # on a machine that is busy with others; else it takes two


@dataclass
class Running:
    """A gateway that runs; its catalog lies in ``folder``."""

    process: subprocess.Popen[bytes]
    folder: Path
    proxy: int
    admin: int

    @property
    def database(self) -> Path:
        return self.folder / "coalmine.db"

    def call(self, method: str, path: str, body: Any = None, *, seconds: float = 30.0) -> tuple[int, bytes]:
        """One request to the admin API, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=seconds)
        try:
            return ask(connection, method, path, body)
        finally:
            connection.close()

    def write(self, method: str, path: str, body: Any) -> None:
        status, answer = self.call(method, f"/api/v1{path}", body)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {answer.decode()}")

    def ready(self, *, seconds: float = 2.0) -> str:
        """What readyz says, in a line."""
        try:
            status, body = self.call("GET", "/readyz", seconds=seconds)
        except OSError as error:
            return "does not answer" if isinstance(error, TimeoutError) else f"{error!r}"
        return f"{status} {body.decode()}"

    def children(self) -> dict[str, list[int]]:
        """Process ids by kind, oldest first."""
        found: dict[str, list[int]] = {"control": [], "worker": []}
        for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError, ValueError):
                continue
            for kind in found:
                if parent == self.process.pid and f"coalmine.serve.{kind}".encode() in words:
                    found[kind].append(int(folder.name))
        return found

    def reload(self) -> None:
        """As ``coalmine reload``; ends the program where it fails."""
        command = [sys.executable, "-m", "coalmine", "reload", "--database", f"sqlite:///{self.database}"]
        ended = subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"coalmine reload: {ended.stdout}{ended.stderr}")


def environment() -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("COALMINE_")}
    return {**found, "PYTHONPATH": str(ROOT)}


@contextmanager
def service() -> Iterator[int]:
    """The port of ``bench.service``."""
    command = [sys.executable, "-m", "bench.service"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def run(
    folder: Path,
    *arguments: str,
    workers: int = 2,
    ports: Sequence[int] = (),
    log: Path | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Running]:
    """``coalmine serve`` in ``folder``; it is not waited for until it is ready. ``log``: where what it says goes.

    ``prefix``: a command that runs it, and is no process of its own.
    """
    proxy, admin = ports or (free_port(), free_port())
    addresses = ["--proxy", f"127.0.0.1:{proxy}", "--admin", f"127.0.0.1:{admin}"]
    serve = [sys.executable, "-m", "coalmine", "serve", *addresses, "--workers", str(workers), *arguments]
    command = [*prefix, *serve]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=(log or folder / "stderr").open("ab")
    )
    try:
        yield Running(process, folder, proxy, admin)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until(condition: Callable[[], object], what: str, seconds: float = START_SECONDS) -> float:
    """Wait for ``condition``; the seconds it took. An error of the network counts as not yet."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            if condition():
                return time.monotonic() - started
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    raise SystemExit(f"{what}: not within {seconds:g} s")


@contextmanager
def furnished(folder: Path, *arguments: str, workers: int = 2) -> Iterator[Running]:
    """A gateway that is ready, with a service at ``/`` and direct answers at ``/direct``."""
    with service() as port, run(folder, *arguments, workers=workers) as running:
        wait_until(lambda: running.ready().startswith("200"), "ready")
        furnish(running, port)
        yield running


def furnish(running: Running, port: int) -> None:
    off = {"enabled": False}
    running.write("PUT", "/upstreams/svc", {"name": "svc", "endpoints": [f"http://127.0.0.1:{port}"], "discovery": off})
    running.write("PUT", "/routes/all", {"match": {"path": {"prefix": "/"}}, "destinations": [{"upstream": "svc"}]})
    running.write(
        "PUT", "/routes/direct", {"match": {"path": {"prefix": "/direct"}}, "direct_response": {"body": "ok"}}
    )
