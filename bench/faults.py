"""The fault table: what goes wrong, and what clients see of it.

    python -m bench.faults [--only WORD] [--reloads N] [--check]

For every fault a gateway of its own with two workers, a service behind it, and clients that ask for it without a pause:
16 over connections that they keep, 4 over a connection for each request. Nothing is sent twice. The fault comes after a
second of load. "noticed" is what readyz says meanwhile; "mended" is when it says 200 again (or, where something else is
meant, the row says what). Hung processes are given HANG_SECONDS instead of the 30 that a gateway has by default.

``--check`` ends with status 1 where a row loses more than it may.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.clients import Load, Tally, clients
from bench.fault import ANY, CLIENTS, Fault, Outcome
from bench.other_faults import OTHERS
from bench.processes import end_on_sigterm
from bench.running import Running, furnish, run, service, wait_until
from bench.start_faults import STARTS, observe_start, overwrite, seconds, short

HANG_SECONDS = 5
QUIET = 1.0  # seconds of load before a fault, and after it is mended
# Root without what lets it read and write every file, whatever its mode.
_OVERRIDE = "-dac_override,-dac_read_search"
WITHOUT_OVERRIDE = ("setpriv", f"--inh-caps={_OVERRIDE}", f"--bounding-set={_OVERRIDE}")


def whole(running: Running, before: dict[str, list[int]]) -> bool:
    """Ready, with as many processes as before."""
    now = running.children()
    return (
        running.ready().startswith("200 ")
        and {k: len(v) for k, v in now.items()} == {k: len(v) for k, v in before.items()}
        and short(running.ready()).startswith("200 2 of 2")
    )


def signalled(kind: str, number: int) -> Callable[[Running], Outcome]:
    """One process of this kind gets a signal, and somebody takes its place."""

    def disturb(running: Running) -> Outcome:
        before = running.children()
        victim = before[kind][-1]
        os.kill(victim, number)
        pause = 0.3 if number == signal.SIGKILL else 4.5
        time.sleep(pause)
        noticed = short(running.ready(seconds=1))
        taken = wait_until(lambda: victim not in running.children()[kind] and whole(running, before), "a replacement")
        return Outcome(noticed, seconds(taken + pause))

    return disturb


def try_write(running: Running) -> str:
    """The status of a write to the admin API, and its code where it is refused."""
    route = {"match": {"path": {"prefix": "/new"}}, "direct_response": {"body": "x" * 10_000}}
    try:
        status, body = running.call("PUT", "/api/v1/routes/new", route, seconds=20)
    except OSError as error:
        return repr(error)
    return f"{status} {json.loads(body).get('code', '')}".strip()


def lock_database(running: Running) -> Outcome:
    with closing(sqlite3.connect(running.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        written = try_write(running)
        noticed = short(running.ready())
        other.execute("ROLLBACK")
    taken = wait_until(lambda: try_write(running).startswith("20"), "a write")
    return Outcome(f"{noticed}; a write: {written}", f"a write after {seconds(taken)}")


def with_files_away(harm: Callable[[Path], None]) -> Callable[[Running], Outcome]:
    """The database's files are moved away and back; ``harm`` puts something in their place."""

    def disturb(running: Running) -> Outcome:
        elsewhere = running.folder / "elsewhere"
        elsewhere.mkdir()
        for path in running.folder.glob("coalmine.db*"):
            if path.suffix != ".pid" and "snapshot" not in path.name:
                path.rename(elsewhere / path.name)
        harm(running.database)
        written = try_write(running)
        noticed = short(running.ready())
        # A worker that starts meanwhile serves from disk.
        os.kill(running.children()["worker"][-1], signal.SIGKILL)
        time.sleep(QUIET)
        running.database.unlink(missing_ok=True)
        for path in elsewhere.iterdir():
            path.rename(running.folder / path.name)
        taken = wait_until(lambda: try_write(running).startswith("20"), "a write")
        return Outcome(f"{noticed}; a write: {written}", f"a write after {seconds(taken)}")

    return disturb


def forbid(*names: str, kill: bool = False) -> Callable[[Running], Outcome]:
    """Mode 000, which means something to the gateway alone: see ``WITHOUT_OVERRIDE``."""

    def disturb(running: Running) -> Outcome:
        before = running.children()
        modes = {path: path.stat().st_mode for name in names for path in running.folder.glob(name)}
        for path in modes:
            path.chmod(0)
        victims = [*before["control"], *before["worker"]] if kill else before["worker"][-1:]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        written = try_write(running)
        time.sleep(QUIET)
        wait_until(lambda: not running.ready().startswith("does not"), "an answer of readyz")
        noticed = short(running.ready())
        for path, mode in modes.items():
            if path.exists():
                path.chmod(mode)
        taken = wait_until(lambda: try_write(running).startswith("20") and whole(running, before), "a write")
        return Outcome(f"{noticed}; a write: {written}", f"a write after {seconds(taken)}")

    return disturb


def fill_disk(running: Running) -> Outcome:
    ballast = running.folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    written = ""
    for _ in range(20):  # what is free in the files that are there may take a few
        written = try_write(running)
        if not written.startswith("20"):
            break
    noticed = short(running.ready())
    ballast.unlink()
    taken = wait_until(lambda: try_write(running).startswith("20"), "a write")
    return Outcome(f"{noticed}; a write: {written}", f"a write after {seconds(taken)}")


def damage_snapshot_file(running: Running) -> Outcome:
    """Nothing on disk, and everybody starts anew: workers wait for the control process."""
    before = running.children()
    path = running.folder / "coalmine.db.snapshot.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for pid in (*before["control"], *before["worker"]):
        os.kill(pid, signal.SIGKILL)
    noticed = short(running.ready(seconds=0.5))
    taken = wait_until(lambda: whole(running, before), "everybody")
    return Outcome(noticed, seconds(taken))


def reload_often(times: int) -> Callable[[Running], Outcome]:
    def disturb(running: Running) -> Outcome:
        started = time.monotonic()
        for _ in range(times):
            running.reload()
        taken = (time.monotonic() - started) / times
        return Outcome(short(running.ready()), f"{seconds(taken)} each")

    return disturb


def restart(running: Running) -> Outcome:
    """What a stop and a start cost, for comparison with a reload."""
    started = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(30)
    with run(running.folder, ports=(running.proxy, running.admin)) as again:
        wait_until(lambda: again.ready().startswith("200"), "ready")
        taken = time.monotonic() - started
        time.sleep(QUIET)
        running.process = again.process
        # The clients have to be served until they stop; the caller ends this process.
        raise Restarted(Outcome("does not answer", seconds(taken)))


class Restarted(Exception):
    """Carries the outcome out of the block that ends the second gateway."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


FAULTS: tuple[Fault, ...] = (
    Fault("a worker: kill -9", signalled("worker", signal.SIGKILL), CLIENTS),
    Fault("the control process: kill -9", signalled("control", signal.SIGKILL)),
    Fault(f"a worker: kill -STOP (hang limit {HANG_SECONDS} s)", signalled("worker", signal.SIGSTOP), CLIENTS),
    Fault(f"the control process: kill -STOP (hang limit {HANG_SECONDS} s)", signalled("control", signal.SIGSTOP)),
    Fault("the database is locked", lock_database),
    Fault("the database is deleted, and a worker is killed", with_files_away(lambda path: None), CLIENTS),
    Fault("the database is replaced by garbage, and a worker is killed", with_files_away(overwrite), CLIENTS),
    Fault("the database has mode 000, and a worker is killed", forbid("coalmine.db"), CLIENTS, modes_count=True),
    Fault(
        "the database has mode 000, and everything is killed but the supervisor",
        forbid("coalmine.db", kill=True),
        2 * CLIENTS,
        modes_count=True,
    ),
    Fault(
        "the snapshot file has mode 000, and everything is killed but the supervisor",
        forbid("coalmine.db.snapshot.json", kill=True),
        2 * CLIENTS,
        modes_count=True,
    ),
    Fault("the disk is full", fill_disk, small_disk=True),
    Fault("the snapshot file is damaged, and all are killed but the supervisor", damage_snapshot_file, 2 * CLIENTS),
    *OTHERS,
    Fault("stop and start again", restart, ANY),
)


@contextmanager
def folder_for(fault: Fault) -> Iterator[Path | None]:
    """A folder; on a disk of 16 MB where one is wanted, None where that cannot be had."""
    folder = Path(tempfile.mkdtemp())
    mounted = False
    try:
        if fault.small_disk:
            command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        yield folder if mounted or not fault.small_disk else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def observe(fault: Fault, folder: Path) -> tuple[Tally, Outcome]:
    arguments = ("--hang-seconds", str(HANG_SECONDS), *fault.arguments(folder))
    prefix = WITHOUT_OVERRIDE if fault.modes_count and os.geteuid() == 0 else ()
    with service() as port, run(folder, *arguments, prefix=prefix) as running:
        wait_until(lambda: running.ready().startswith("200"), "ready")
        furnish(running, port)
        with clients(Load(running.proxy, fault.path, pause=0.002)) as tally:
            time.sleep(QUIET)
            try:
                outcome = fault.disturb(running)
                time.sleep(QUIET)
            except Restarted as restarted:
                outcome = restarted.outcome
        return tally, outcome


def row(fault: Fault, tally: Tally, outcome: Outcome) -> str:
    lost = f"{tally.lost}"
    if tally.lost:
        lost += f" ({tally.failed} broken or refused, {tally.stale} closed under the next, {tally.stuck} unanswered)"
    return f"| {fault.name} | {tally.sent:,} | {lost} | {outcome.noticed} | {outcome.mended} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults whose name has this word")
    parser.add_argument("--reloads", type=int, default=10)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()
    faults = (*FAULTS, Fault(f"{given.reloads} reloads", reload_often(given.reloads)))
    print("| fault | requests sent | lost | readyz meanwhile | mended |\n| --- | --- | --- | --- | --- |", flush=True)
    bad = 0
    for fault in faults:
        if given.only not in fault.name:
            continue
        with folder_for(fault) as folder:
            if folder is None:
                print(f"| {fault.name} | | | no file system can be mounted here | |", flush=True)
                continue
            try:
                tally, outcome = observe(fault, folder)
            except (SystemExit, OSError) as ended:  # something did not come about: the others are worth seeing
                print(f"| {fault.name} | | not mended | {ended} | |", flush=True)
                bad += 1
                continue
        print(row(fault, tally, outcome), flush=True)
        if tally.lost > fault.may_lose:
            bad += 1
            print("\n".join(tally.words), file=sys.stderr)
    print("\n| start with a database that is | proxied after | readyz then |\n| --- | --- | --- |", flush=True)
    for name, block in STARTS:
        if given.only in f"start with a database that is {name}":
            taken, noticed = observe_start(block)
            print(f"| {name} | {seconds(taken)} | {noticed} |", flush=True)
    return int(given.check and bad > 0)


if __name__ == "__main__":
    sys.exit(main())
