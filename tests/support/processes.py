"""Real processes for tests: pet stores and Coalmine itself, on free ports, gone when the test is over."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0  # for a process to start on a busy machine


class Output:
    """The lines a process prints, as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._process = process
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, seconds: float = PATIENCE_SECONDS) -> str:
        """The next line; raises AssertionError where there is none in time."""
        try:
            line = self._queue.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no line within {seconds} s after {self.lines[-20:]}") from None
        assert line is not None, f"the process ended after {self.lines[-20:]}"
        return line

    def wait_for(self, text: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The next line that contains ``text``."""
        deadline = time.monotonic() + seconds
        while text not in (line := self.next(max(0.1, deadline - time.monotonic()))):
            pass
        return line

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)
        self._process.stdout.close()


@dataclass
class Petstore:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def run_petstore(version: str, port: int = 0) -> Iterator[Petstore]:
    """One pet store, as the demo runs it."""
    command = [sys.executable, str(ROOT / "examples" / "petstore"), "--version", version, "--port", str(port)]
    with spawn([*command, "--until-eof"]) as (process, output):
        yield Petstore(process, int(output.next().rpartition(":")[2]))


@contextmanager
def spawn(
    command: Sequence[str], *, environ: Mapping[str, str] | None = None, cwd: Path = ROOT, mixed: bool = False
) -> Iterator[tuple[subprocess.Popen[bytes], Output]]:
    """A process of its own session; whatever happens, it is gone afterwards."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if mixed else None,
        cwd=cwd,
        env={**clean_environment(), **(environ or {})},
        start_new_session=True,
    )
    output = Output(process)
    try:
        yield process, output
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        output._thread.join(5)


def clean_environment() -> dict[str, str]:
    """This environment without settings of Coalmine, which would change what tests see."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("COALMINE_")}
    return {**found, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None, seconds: float = 10
) -> Answer:
    """One request over a connection of its own; an error status is an answer like any other."""
    data = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, {**given, **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return Answer(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))


@dataclass
class Coalmine:
    """A running ``coalmine serve``."""

    process: subprocess.Popen[bytes]
    output: Output
    proxy: str
    admin: str
    database: Path

    def cli(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        """The output of one ``coalmine`` command against this instance."""
        ended = subprocess.run(
            [sys.executable, "-m", "coalmine", *words],
            cwd=ROOT,
            env={**clean_environment(), "COALMINE_ADMIN_URL": self.admin},
            capture_output=True,
            text=True,
            input=stdin,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert not check or ended.returncode == 0, f"coalmine {' '.join(words)}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def get(self, path: str, **headers: str) -> Answer:
        """GET through the proxy; ``x_canary`` is the header ``x-canary``."""
        return ask(self.proxy + path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def api(self, path: str, *, method: str = "GET", body: object = None) -> Answer:
        return ask(f"{self.admin}/api/v1/{path}", method=method, body=body)

    def apply(self, manifest: Path) -> None:
        """What ``coalmine apply -f`` does, without the cost of another process."""
        headers = {"Content-Type": "application/yaml"}
        request = urllib.request.Request(f"{self.admin}/api/v1/config/apply", manifest.read_bytes(), headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200

    def register(self, name: str, url: str) -> None:
        """An upstream, with its functions discovered."""
        made = self.api("upstreams", method="POST", body={"name": name, "endpoints": [url]})
        assert made.status == 201, made.body
        wait_until(lambda: self.api(f"upstreams/{name}/functions").json["total"] > 0, f"functions of {name}")

    def children(self) -> dict[str, list[int]]:
        """Process ids by kind: control, worker."""
        found: dict[str, list[int]] = {"control": [], "worker": []}
        for pid, command in child_processes(self.process.pid).items():
            for kind in found:
                if f"coalmine.serve.{kind}" in command:
                    found[kind].append(pid)
        return found


def serve_command(database: Path, workers: int = 1, *, proxy: str = "127.0.0.1:0") -> list[str]:
    """``coalmine serve`` on free ports."""
    command = [sys.executable, "-m", "coalmine", "serve", "--proxy", proxy, "--admin", "127.0.0.1:0"]
    return [*command, "--database", f"sqlite:///{database}", "--workers", str(workers)]


@contextmanager
def run_coalmine(
    folder: Path, *, workers: int = 1, arguments: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Iterator[Coalmine]:
    """``coalmine serve`` with its database in ``folder``, ready to serve."""
    database = folder / "coalmine.db"
    with spawn([*serve_command(database, workers), *arguments], environ=environ) as (process, output):
        addresses = dict(output.next().split() for _ in range(2))
        yield Coalmine(process, output, addresses["proxy"], addresses["admin"], database)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 15.0) -> float:
    """Wait for ``condition``; returns the seconds it took. A refused connection counts as not yet."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with suppress(OSError):
            if condition():
                return time.monotonic() - started
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


@dataclass(frozen=True)
class Row:
    """One line of the process table."""

    parent: int
    zombie: bool
    command: str


def process_table() -> dict[int, Row]:
    """From /proc where there is one: a bare machine may lack ps."""
    if Path("/proc/self/stat").exists():
        return dict(filter(None, map(_read_proc, Path("/proc").glob("[0-9]*"))))
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 3) for line in listing.splitlines()]
    return {int(row[0]): Row(int(row[1]), row[2].startswith("Z"), "".join(row[3:])) for row in rows}


def _read_proc(folder: Path) -> tuple[int, Row] | None:
    try:
        # The command name, in parentheses, may contain anything.
        state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ValueError):
        return None
    return int(folder.name), Row(int(parent), state in "ZX", command)


def child_processes(pid: int) -> dict[int, str]:
    """The living children of ``pid`` and theirs, with their command lines."""
    table = process_table()

    def descends(child: int) -> bool:
        while child in table and child != table[child].parent:
            child = table[child].parent
            if child == pid:
                return True
        return False

    return {child: row.command for child, row in table.items() if not row.zombie and descends(child)}


def is_running(pid: int) -> bool:
    row = process_table().get(pid)
    return row is not None and not row.zombie


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
