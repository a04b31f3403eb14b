"""Promise 29: a disk that is full or fails costs the writes of that time, and nothing else."""

from __future__ import annotations

import resource
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.durability.kills import Traced, check_integrity
from bench.durability.rows import Given, Row
from bench.durability.serving import Answer, Serving, ask, serving

TMPFS = "1m"
LARGE = "x" * 20_000  # a body of this size in every route: a megabyte is soon full
ASKED = 20


def run(given: Given) -> Iterator[Row]:
    yield from fill_a_small_disk()
    yield limit_the_files()
    yield fail_the_syncs()


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of ``TMPFS``; None where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS}", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill_a_small_disk() -> Iterator[Row]:
    with small_disk() as folder:
        done = f"the database on a tmpfs of {TMPFS}, routes of 20 kB until it is full, then a file removed"
        if folder is None:
            yield Row("29 Full disk", done, "not tried: this user may not mount", True)
            return
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(300_000))
        with serving(folder, workers=1) as gateway:
            yield _row("29 Full disk", done, gateway, lambda: None, ballast.unlink)


def limit_the_files() -> Row:
    """RLIMIT_FSIZE of the control process: write(2) fails as on a full disk, for its files alone."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), workers=1) as gateway:

        def limit(size: int) -> None:
            resource.prlimit(gateway.control() or 0, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        done = "RLIMIT_FSIZE of 1 MB for the control process, lifted again"
        return _row("29 Files that may not grow", done, gateway, lambda: limit(1_000_000), lambda: limit(2**40))


def _row(promise: str, done: str, gateway: Serving, spoil, mend) -> Row:  # type: ignore[no-untyped-def]
    gateway.put("kept", "kept")
    spoil()
    written, refused = _write_until_refused(gateway)
    revision = _revision(gateway)
    statuses = Counter(gateway.put(f"n{number}", LARGE).status for number in range(ASKED))
    served = sum(gateway.get("/kept").body == b"kept" for _ in range(ASKED))
    same = _revision(gateway) == revision
    mend()
    after = gateway.put("after", "after").status
    whole = check_integrity(gateway.database) and gateway.get("/after").body == b"after" and gateway.is_ready()
    told = refused.json
    result = (
        f"{written} written, then {refused.status} {told['code']} “{_shorten(told['detail'], gateway)}”;"
        f" of {ASKED} more {_tell(statuses)}, {'nothing' if same else 'something'} half done;"
        f" {served} of {ASKED} proxied; afterwards {after}, integrity and readiness {'ok' if whole else 'not ok'}"
    )
    kept = refused.status == 503 and set(statuses) <= {503, 201} and served == ASKED and after == 201 and whole
    return Row(promise, done, result, kept and (same or 201 in statuses))


def _write_until_refused(gateway: Serving) -> tuple[int, Answer]:
    for number in range(1000):
        answer = gateway.put(f"r{number}", LARGE)
        if answer.status not in (200, 201):
            return number, answer
    raise SystemExit("the disk does not fill")


def _revision(gateway: Serving) -> int:
    return int(ask(gateway.admin, "GET", "/api/v1/revisions?limit=1").json["items"][0]["number"])


def _shorten(detail: str, gateway: Serving) -> str:
    return detail.replace(str(gateway.database), "c.db")


def _tell(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))


def fail_the_syncs() -> Row:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), workers=1) as gateway:
        gateway.put("kept", "kept")
        inject = "inject=fsync,fdatasync:error=EIO"
        with Traced(gateway, Path(folder) / "trace", "-e", inject):
            answers = [gateway.put("kept", f"{number}") for number in range(ASKED)]
            read = ask(gateway.admin, "GET", "/api/v1/routes/kept").json["direct_response"]["body"]
            served = sum(gateway.get("/kept").body == b"kept" for _ in range(ASKED))
        after = gateway.put("kept", "after").status
        whole = check_integrity(gateway.database) and gateway.get("/kept").body == b"after"
    statuses, told = Counter(answer.status for answer in answers), answers[0].json
    done = f"fsync and fdatasync of the control process answer EIO (`strace -e {inject}`), {ASKED} writes"
    result = (
        f"{_tell(statuses)} {told['code']} “{_shorten(told['detail'], gateway)}”; read back: {read!r};"
        f" {served} of {ASKED} proxied as before; afterwards {after}, integrity {'ok' if whole else 'not ok'}"
    )
    kept = set(statuses) == {503} and read == "kept" and served == ASKED and after == 200 and whole
    return Row("29 Disk that reports errors", done, result, kept)
