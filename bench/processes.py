"""Processes that a benchmark starts: pinned, measured by the kernel's accounting, and gone at the end."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 15.0  # more than the gateway gives requests that are under way
LAST_WORDS = 300  # characters
# The proxy has one core to itself; what sends and what answers share the other.
PROXY_CORE, LOAD_CORE = 0, 1
PINS = shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1


def pin(cores: int | str, command: Sequence[str]) -> list[str]:
    """The command, on these cores alone; everywhere where none are named."""
    return ["taskset", "-c", str(cores), *command] if PINS and cores != "" else list(command)


def move(pids: Iterable[int], core: int) -> None:
    """Processes that run already, to this core alone; what they start stays there as well."""
    if PINS:
        for pid in pids:
            os.sched_setaffinity(pid, {core})


class Process(subprocess.Popen[bytes]):
    said: IO[bytes]

    def last_words(self) -> str:
        """The end of what it said, on one line."""
        self.said.seek(0)
        return " ".join(self.said.read().decode(errors="replace").split())[-LAST_WORDS:]


@contextmanager
def running(
    command: Sequence[str], *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[Process]:
    """A process with a group of its own; what it says goes to a file."""
    with tempfile.TemporaryFile() as said:
        process = Process(
            command,
            env=dict(environ) if environ is not None else None,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        process.said = said
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):  # and those of its family that it left behind
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(ready: Callable[[], bool], process: Process, seconds: float) -> None:
    """RuntimeError where the process ends or is not ready in time."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"ended with status {process.returncode}: {process.last_words()}")
        if time.monotonic() > end:
            raise RuntimeError(f"was not ready after {seconds:.0f} s: {process.last_words()}")
        time.sleep(0.05)


def list_family(pid: int) -> list[int]:
    """A process and those it started, as far as they still run."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += list_family(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    return sum(cpu_times(pids))


def cpu_times(pids: Iterable[int]) -> tuple[float, float]:
    """Seconds in their own code, and in the kernel for them."""
    ticks = list(map(_ticks, pids))
    return sum(user for user, _ in ticks) / TICKS, sum(system for _, system in ticks) / TICKS


def _ticks(pid: int) -> tuple[int, int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[11]), int(fields[12])


@dataclass(frozen=True)
class Memory:
    """Bytes. Shared pages count wholly in ``rss``, and in ``pss`` only by each one's share."""

    rss: int
    pss: int


def memory(pids: Iterable[int]) -> Memory:
    found = [_rollup(pid) for pid in pids]
    return Memory(sum(one.rss for one in found), sum(one.pss for one in found))


def _rollup(pid: int) -> Memory:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return Memory(0, 0)
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return Memory(kilobytes["Rss"] * 1024, kilobytes["Pss"] * 1024)


def busy_seconds(core: int) -> float:
    """How long the core has not been idle, steal included: a virtual machine's neighbours take time as well."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            ticks = [int(field) for field in fields[:8]]
            return (sum(ticks) - ticks[3] - ticks[4]) / TICKS
    return 0.0


def raise_file_limit() -> int:
    """As many descriptors as the machine allows, for this process and all that it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_on_sigterm() -> None:
    """A stop signal ends the program as Ctrl-C does, so that everything is cleaned up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
