"""What last worked of the listener's files is kept in memory, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coalmine.tls import Pair, ServerFiles, Spare, make_spare
from tests.support.certificates import Authority, replace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> ServerFiles:
    return ServerFiles((authority.issue("a.test"), authority.issue("b.test")), authority.ca_file)


@pytest.fixture
def spare() -> Iterator[Spare]:
    made = make_spare()
    assert made is not None
    yield made
    made.close()


def test_all_that_was_put_in_is_found_when_the_files_are_gone(spare: Spare, files: ServerFiles) -> None:
    spare.put(files)
    for path in files.paths:
        Path(path).unlink()
    found = spare.find(files)
    assert found is not None
    assert [one.certificate.names for one in found.identities] == [("a.test",), ("b.test",)]
    assert [one.pair for one in found.identities] == list(files.pairs)
    assert len(found.context.get_ca_certs()) == 1


def test_nothing_is_found_where_nothing_was_put_in_or_other_files_are_meant(
    spare: Spare, files: ServerFiles, authority: Authority
) -> None:
    assert spare.find(files) is None
    spare.put(files)
    assert spare.find(ServerFiles((authority.issue("c.test"),))) is None


def test_files_that_cannot_be_used_leave_what_is_there(spare: Spare, files: ServerFiles) -> None:
    spare.put(files)
    replace(files.pairs[0].key, Path(files.pairs[1].key).read_bytes())
    spare.put(files)
    Path(files.pairs[1].key).unlink()
    spare.put(files)
    assert spare.find(files) is not None


@pytest.mark.parametrize("left", [0, 1, 1000], ids=["nothing", "a byte", "a part"])
def test_what_somebody_died_over_is_nothing(spare: Spare, files: ServerFiles, left: int) -> None:
    spare.put(files)
    os.ftruncate(spare.fd, left)
    assert spare.find(files) is None


def test_keys_are_in_no_file_that_has_a_name(spare: Spare, files: ServerFiles, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    spare.put(files)
    assert spare.find(files) is not None
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert os.fstat(spare.fd).st_nlink == 0
    assert Pair(*files.paths[:2]) == files.pairs[0]
