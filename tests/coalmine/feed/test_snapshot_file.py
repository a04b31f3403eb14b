"""The snapshot file: trusted whole or not at all."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coalmine.feed import SnapshotFeed, read_snapshot_file, write_snapshot_file
from coalmine.model import Definitions
from tests.coalmine.feed.support import snapshot_of

GOOD = snapshot_of("one")


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
        pytest.param(lambda data: data + b" ", "length or checksum", id="longer"),
        pytest.param(lambda data: data.replace(b"snapshot 2 ", b"snapshot 3 "), "format is 3", id="of a later format"),
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
    write_snapshot_file(tmp_path / "f", GOOD, body=b'{"version": 7}')
    assert read_snapshot_file(tmp_path / "f") is None
    assert "holds no snapshot of this version" in caplog.text


def test_a_file_that_cannot_be_opened_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_snapshot_file(tmp_path) is None
    assert "cannot be read" in caplog.text
