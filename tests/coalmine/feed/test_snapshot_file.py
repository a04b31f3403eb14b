"""The snapshot file: trusted whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from coalmine.feed import SnapshotFeed, read_snapshot_file, snapshot_file, write_snapshot_file
from coalmine.feed.change import write_change
from coalmine.feed.snapshot_file import SnapshotFile, _write_record
from coalmine.model import Definitions
from coalmine.routing.snapshot import EMPTY, Snapshot
from tests.coalmine.feed.support import snapshot_of

GOOD = snapshot_of("one")
THREE = tuple(map(snapshot_of, ("one", "two", "three")))


def save_all(file: SnapshotFile, snapshots: Sequence[Snapshot] = THREE) -> list[int]:
    """The size of the file after each."""
    sizes, last = [], EMPTY
    for snapshot in snapshots:
        file.save(snapshot, last.version, write_change(last, snapshot))
        sizes.append(file.path.stat().st_size)
        last = snapshot
    return sizes


def test_changes_are_put_behind_what_is_there(tmp_path: Path) -> None:
    sizes = save_all(SnapshotFile(tmp_path / "f"))
    assert read_snapshot_file(tmp_path / "f") == THREE[-1]
    first = (tmp_path / "f").read_bytes()[: sizes[0]]
    (tmp_path / "g").write_bytes(first)
    assert sizes == sorted(sizes) and read_snapshot_file(tmp_path / "g") == THREE[0]


def test_a_change_that_is_not_all_there_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    *_, before, whole = save_all(SnapshotFile(tmp_path / "f"))
    data = (tmp_path / "f").read_bytes()
    for size in range(before + 1, whole):
        (tmp_path / "f").write_bytes(data[:size])
        caplog.clear()
        assert read_snapshot_file(tmp_path / "f") == THREE[-2], f"{size} of {whole} bytes"
        assert "ends within its last change" in caplog.text


def test_every_damaged_byte_of_changes_is_noticed(tmp_path: Path) -> None:
    save_all(SnapshotFile(tmp_path / "f"))
    data = (tmp_path / "f").read_bytes()
    for place in range(len(data)):
        (tmp_path / "f").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert read_snapshot_file(tmp_path / "f") is None, f"byte {place}"


def test_after_many_changes_it_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "_MOST_CHANGES", 2)
    snapshots = [snapshot_of(str(number)) for number in range(8)]
    sizes = save_all(SnapshotFile(tmp_path / "f"), snapshots)
    assert [sizes[place] < sizes[place - 1] for place in range(1, 8)] == [False, False, True] * 2 + [False]
    assert read_snapshot_file(tmp_path / "f") == snapshots[-1]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda path: path.unlink(), id="deleted"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut"),
        pytest.param(lambda path: path.write_bytes(b"x" * path.stat().st_size), id="overwritten"),
    ],
)
def test_a_file_that_somebody_else_touched_is_written_whole(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    file = SnapshotFile(tmp_path / "f")
    save_all(file, THREE[:2])
    harm(file.path)
    file.save(THREE[2], THREE[1].version, write_change(THREE[1], THREE[2]))
    assert read_snapshot_file(file.path) == THREE[2]


def test_a_change_that_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SnapshotFile(tmp_path / "f")
    save_all(file, THREE[:2])
    before = file.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output error"):
            file.save(THREE[2], THREE[1].version, write_change(THREE[1], THREE[2]))
    assert file.path.read_bytes() == before
    file.save(THREE[2], THREE[1].version, write_change(THREE[1], THREE[2]))
    assert read_snapshot_file(file.path) == THREE[2]


def failing(_: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_of_the_format_before_is_read(tmp_path: Path) -> None:
    body = write_change(None, GOOD)
    header = f"coalmine-snapshot 2 {hashlib.sha256(body).hexdigest()} {len(body)}\n"
    (tmp_path / "f").write_bytes(header.encode() + body)
    assert read_snapshot_file(tmp_path / "f") == GOOD


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_snapshot_file(tmp_path / "f", GOOD)
    assert read_snapshot_file(tmp_path / "f") == GOOD
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_a_start_removes_what_killed_processes_left_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    names = [f"f.new-{gone.pid}", f"f.new-{os.getppid()}", "f.new-x", "other.new-1", "f"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    SnapshotFeed(Definitions, snapshot_file=tmp_path / "f").publish()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    assert read_snapshot_file(tmp_path / "f") is not None


def test_no_file_is_no_snapshot_and_nothing_to_complain_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_snapshot_file(tmp_path / "f") is None
    assert caplog.records == []


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    write_snapshot_file(tmp_path / "f", GOOD)
    data = (tmp_path / "f").read_bytes()
    for place in range(len(data)):
        (tmp_path / "f").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert read_snapshot_file(tmp_path / "f") is None, f"byte {place}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda data: b"", "not a snapshot file", id="empty"),
        pytest.param(lambda data: b"\xff" * 1000, "not a snapshot file", id="something else"),
        pytest.param(lambda data: data[:-1], "length or checksum", id="cut off"),
        pytest.param(lambda data: data + b" ", "behind a change", id="longer"),
        pytest.param(lambda data: data.replace(b"snapshot 3 ", b"snapshot 4 "), "format is 4", id="of a later format"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: object, message: str
) -> None:
    write_snapshot_file(tmp_path / "f", GOOD)
    (tmp_path / "f").write_bytes(change((tmp_path / "f").read_bytes()))  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        assert read_snapshot_file(tmp_path / "f") is None
    assert message in caplog.text and str(tmp_path / "f") in caplog.text


def test_a_file_whose_content_this_version_does_not_know_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "f").write_bytes(_write_record(b'{"version": 7}'))
    assert read_snapshot_file(tmp_path / "f") is None
    assert "holds no snapshot of this version" in caplog.text


def test_a_file_that_cannot_be_opened_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_snapshot_file(tmp_path) is None
    assert "cannot be read" in caplog.text
