from __future__ import annotations

import gzip

import pytest

from discovery.inflate import BadEncodingError, Body, TooLargeError


def read(encoding: str, *pieces: bytes, limit: int = 100) -> bytes:
    body = Body(encoding, limit)
    for piece in pieces:
        body.add(piece)
    return body.finish()


def test_identity() -> None:
    assert read("", b"a", b"b") == b"ab"
    assert read("identity", b"") == b""


def test_exactly_the_limit_passes() -> None:
    assert read("", b"x" * 100) == b"x" * 100
    assert read("gzip", gzip.compress(b"x" * 100)) == b"x" * 100


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_more_does_not(encoding: str) -> None:
    data = b"x" * 101
    with pytest.raises(TooLargeError):
        read(encoding, gzip.compress(data) if encoding else data)


def test_gzip_byte_by_byte() -> None:
    packed = gzip.compress(b"hello")
    assert read("x-gzip", *(packed[i : i + 1] for i in range(len(packed)))) == b"hello"


def test_something_after_the_end_in_a_piece_of_its_own() -> None:
    with pytest.raises(BadEncodingError, match="follows"):
        read("gzip", gzip.compress(b"hello"), b"more")


def test_a_gzip_file_is_inflated_once() -> None:
    assert read("", gzip.compress(b"hello")) == b"hello"
