"""The framing, byte by byte."""

from __future__ import annotations

import struct

import pytest

from coalmine.feed import frames
from coalmine.feed.frames import Frame, FrameError, Frames, Kind, write_frame

TWO = write_frame(Kind.ACK, {"version": "v"}) + write_frame(Kind.SNAPSHOT, b"{}")
EXPECTED = [Frame(Kind.ACK, b'{"version": "v"}'), Frame(Kind.SNAPSHOT, b"{}")]


@pytest.mark.parametrize("size", [1, 2, 5, 7, len(TWO)])
def test_frames_are_put_together_whatever_the_pieces(size: int) -> None:
    reader = Frames()
    found = [frame for at in range(0, len(TWO), size) for frame in reader.feed(TWO[at : at + size])]
    assert found == EXPECTED
    assert found[0].read() == {"version": "v"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(struct.pack("!BBI", 2, 1, 0), "speaks version 2", id="another version"),
        pytest.param(struct.pack("!BBI", 1, 9, 0), "no frame of kind 9", id="an unknown kind"),
        pytest.param(struct.pack("!BBI", 1, 1, 2**32 - 1), "larger than", id="a length beyond the bound"),
    ],
)
def test_a_header_that_cannot_be_ends_the_connection_before_its_body_is_read(header: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        list(Frames().feed(header))


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000], ids=["cut", "array", "binary", "deep"])
def test_a_body_that_is_no_json_object_is_an_error(body: bytes) -> None:
    with pytest.raises(FrameError, match="the body of HELLO"):
        Frame(Kind.HELLO, body).read()


def test_a_body_beyond_the_bound_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_BODY", 3)
    with pytest.raises(FrameError, match="larger than 3"):
        write_frame(Kind.SNAPSHOT, b"1234")
