"""Body framings: the same content however the bytes are cut, and the same boundaries that other parsers see."""

from __future__ import annotations

import itertools

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.embedded.body import (
    ChunkedReader,
    CloseReader,
    FramingError,
    LengthReader,
    encode_chunked,
    encode_nothing,
    encode_plain,
    trailer_of,
)

WIRE = b'5;a="b"\r\nhello\r\n10 \t;x\r\n0123456789abcdef\r\n0;last\r\nX-T: 1\r\nHost: evil\r\nX-U: 2\r\n\r\n'


def feed(wire: bytes, cuts: list[int]) -> tuple[bytes, bool, bytes, bytes]:
    """What a chunked reader makes of ``wire`` cut at ``cuts``: content, done, rest, trailer."""
    reader = ChunkedReader()
    content, done, rest = b"", False, b""
    edges = [0, *sorted(cuts), len(wire)]
    for start, end in itertools.pairwise(edges):
        if done:
            rest += wire[start:end]
            continue
        piece, done, rest = reader.feed(wire[start:end])
        content += piece
    return content, done, rest, reader.trailer


@given(st.lists(st.integers(0, len(WIRE) + 4), max_size=12))
def test_chunks_mean_the_same_however_they_are_cut(cuts: list[int]) -> None:
    expected = (b"hello0123456789abcdef", True, b"NEXT", b"\r\nX-T: 1\r\nX-U: 2")
    assert feed(WIRE + b"NEXT", cuts) == expected


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6))
def test_what_is_encoded_is_read_back(pieces: list[bytes]) -> None:
    wire = b"".join(encode_chunked(piece, False, b"") for piece in pieces) + encode_chunked(b"", True, b"\r\nX: 1")
    assert feed(wire, []) == (b"".join(pieces), True, b"", b"\r\nX: 1")


class Sink:
    """What llhttp finds."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = 0

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


ALPHABET = st.sampled_from(
    [b"0", b"1", b"5", b"a", b"\r\n", b"\r", b"\n", b";", b"x", b" ", b"hello", b"\0", b"-", b"0\r\n\r\n"]
)


@given(st.lists(ALPHABET, max_size=14).map(b"".join))
def test_a_body_that_is_accepted_is_the_same_to_other_parsers(wire: bytes) -> None:
    try:
        content, done, rest, _ = feed(wire, [])
    except FramingError:
        return
    if not done:
        return
    whole = wire[: len(wire) - len(rest)]
    if b"; " not in whole:  # whitespace that RFC 9112 section 7.1.1 has recipients accept, and this parser does not
        sink = Sink()
        parser = httptools.HttpRequestParser(sink)
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + whole)
        assert (sink.body, sink.complete) == (content, 1)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + whole)
    connection.next_event()
    found = b""
    while isinstance(event := connection.next_event(), h11.Data):
        found += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert found == content


BROKEN = [b"x", b"\r\n", b"-1", b"5\n", b"5 \r\n", b"0x1", b"1234567890123", b"5\r\nhelloX", b"5\r\nhello\n",
          b"0\r\nbad\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 4_000, b"0\r\nX: a\nY: b",
          b"5;" + b"a" * 5_000, b"5;\x01"]  # fmt: skip


@pytest.mark.parametrize("wire", BROKEN)
def test_what_can_never_become_a_body_is_refused_at_once(wire: bytes) -> None:
    with pytest.raises(FramingError):
        feed(wire, [])
    with pytest.raises(FramingError):
        feed(wire, list(range(len(wire))))


def test_a_length_ends_where_it_says() -> None:
    reader = LengthReader(5)
    assert reader.feed(b"he") == (b"he", False, b"")
    assert reader.feed(b"lloNEXT") == (b"llo", True, b"NEXT")
    assert LengthReader(5).feed(b"hello") == (b"hello", True, b"")
    assert trailer_of(reader) == b""


def test_only_the_end_of_the_connection_ends_the_rest() -> None:
    assert CloseReader().feed(b"x") == (b"x", False, b"")


def test_plain_and_silent_encodings() -> None:
    assert encode_plain(b"x", True, b"\r\nT: 1") == b"x"
    assert encode_nothing(b"x", True, b"") == b""
