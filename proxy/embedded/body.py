"""Where a message body ends: one small reader per framing of RFC 9112 section 6.3.

Rule 1: a reader takes bytes as they come and answers ``(content, done, rest)``; ``rest`` is only ever non-empty
        when ``done``, and belongs to the next message.
Rule 2: chunked coding is read strictly (RFC 9112 section 7.1): CR LF only, hexadecimal digits only, no
        bare CR or LF in an extension. Extensions are dropped; trailers that may be trailers are kept.
This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from proxy.embedded.headers import NOT_IN_TRAILERS, remove_fields

Fed = tuple[bytes, bool, bytes]


class FramingError(Exception):
    """The bytes are not a body in this framing."""


class BodyReader(Protocol):
    def feed(self, data: bytes) -> Fed: ...


class LengthReader:
    """Exactly ``left`` more bytes."""

    __slots__ = ("left",)

    def __init__(self, length: int) -> None:
        self.left = length

    def feed(self, data: bytes) -> Fed:
        over = len(data) - self.left
        if over < 0:
            self.left = -over
            return data, False, b""
        self.left = 0
        if over == 0:
            return data, True, b""
        return data[:-over], True, data[-over:]


class CloseReader:
    """Everything until the connection ends (responses only)."""

    __slots__ = ()

    def feed(self, data: bytes) -> Fed:
        return data, False, b""


# chunk-size and chunk-ext. Sixteen digits would pass 2^63; nobody sends a petabyte in one chunk, so twelve do, and four
# zeros before them: some pad all sizes to the width of their registers. Extensions: any field content without CR and
# LF, quoted or not, since all of it is dropped.
_SIZE = rb"0{0,4}[0-9A-Fa-f]{1,12}"
_SIZE_LINE = re.compile(rb"(" + _SIZE + rb")(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_TRAILER = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n")
# A size line is a few bytes; extensions and trailers have uses, but not beyond these. The same bytes have the same
# fate however they arrive, so limits count bytes of the message and not of a read.
_MAX_SIZE_LINE = 4_096
_MAX_TRAILER = 16_384


class ChunkedReader:
    """Chunks, joined; ``trailer`` holds the trailer fields as a block once done."""

    __slots__ = ("_between", "_buffer", "_left", "_tail", "trailer")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0  # bytes still missing in the current chunk
        self._between = False  # the CR LF behind the chunk's data is still to come
        self._tail = False  # the last chunk was seen, the trailer section is being read
        self.trailer = b""

    def feed(self, data: bytes) -> Fed:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        content: list[bytes] = []
        position = 0
        while not self._tail:
            position, more = self._step(data, position, content)
            if not more:
                self._buffer = data[position:]
                return b"".join(content), False, b""
        return self._read_trailer(data[position:], content)

    def _step(self, data: bytes, position: int, content: list[bytes]) -> tuple[int, bool]:
        """One element read at ``position``: where the next one begins, and whether there was a whole one."""
        if self._left:
            return self._read_data(data, position, content)
        if self._between:
            return self._read_end(data, position)
        return self._read_size(data, position)

    def _read_data(self, data: bytes, position: int, content: list[bytes]) -> tuple[int, bool]:
        piece = data[position : position + self._left]
        if piece:
            content.append(piece)
        self._left -= len(piece)
        return position + len(piece), self._left == 0

    def _read_end(self, data: bytes, position: int) -> tuple[int, bool]:
        end = data[position : position + 2]
        if end != b"\r\n":
            if end in (b"", b"\r"):
                return position, False
            raise FramingError("a chunk does not end where its size says")
        self._between = False
        return position + 2, True

    def _read_size(self, data: bytes, position: int) -> tuple[int, bool]:
        match = _SIZE_LINE.match(data, position)
        if match is None:
            _check_partial_size(data[position:])
            return position, False
        if match.end() - position > _MAX_SIZE_LINE:
            raise FramingError("a chunk extension is too long")
        self._left = int(match[1], 16)
        self._tail = self._left == 0
        self._between = not self._tail
        return match.end(), True

    def _read_trailer(self, data: bytes, content: list[bytes]) -> Fed:
        if data[:2] == b"\r\n":
            return b"".join(content), True, data[2:]
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _MAX_TRAILER + 3 or _BARE_LF.search(data):
                raise FramingError("the trailer section is too large or malformed")
            self._buffer = data
            return b"".join(content), False, b""
        if end > _MAX_TRAILER or not _TRAILER.fullmatch(data, 0, end + 4):
            raise FramingError("the trailer section is too large or malformed")
        self.trailer = remove_fields(b"\r\n" + data[:end], NOT_IN_TRAILERS)
        return b"".join(content), True, data[end + 4 :]


_PARTIAL_SIZE = re.compile(rb"(?:" + _SIZE + rb"(?:[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?)?\r?)?")


def _check_partial_size(data: bytes) -> None:
    """Refuse what can never become a size line, without waiting for its end."""
    if len(data) >= _MAX_SIZE_LINE or not _PARTIAL_SIZE.fullmatch(data):
        raise FramingError("a chunk size is not valid")


def trailer_of(reader: BodyReader) -> bytes:
    return reader.trailer if isinstance(reader, ChunkedReader) else b""


# How content goes out again: whole, the last piece with ``done`` and the trailer block.
Encode = Callable[[bytes, bool, bytes], bytes]


def encode_plain(content: bytes, done: bool, trailer: bytes) -> bytes:
    """As it is: its length was said before, or the connection ends after it."""
    return content


def encode_chunked(content: bytes, done: bool, trailer: bytes) -> bytes:
    """One chunk per piece, none for an empty one, because that would end the body."""
    chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    if not done:
        return chunk
    return chunk + (b"0\r\n%b\r\n\r\n" % trailer[2:] if trailer else b"0\r\n\r\n")


def encode_nothing(content: bytes, done: bool, trailer: bytes) -> bytes:
    """The content is not for this receiver."""
    return b""
