"""The frames between the control process and its workers, over a unix socket.

    version (1 byte) | kind (1 byte) | length of the body (4 bytes, big endian) | body

Rule 1: this file performs no I/O; a Frames takes bytes as they come and gives whole frames.
Rule 2: a frame is bounded. An unknown version or kind ends the connection; the peer connects again.
Rule 3: bodies are JSON; that of a snapshot is lines of JSON.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PROTOCOL = 1
MAX_BODY = 256 * 1024 * 1024  # a snapshot of 100,000 routes is about 60 MB
_HEADER = struct.Struct("!BBI")


class Kind(IntEnum):
    HELLO = 1  # worker: {"pid", "index", "instance", "version": the snapshot it serves already, or null}
    SNAPSHOT = 2  # control: all of it, or what has changed; see ``coalmine.feed.change``
    ACK = 3  # worker: {"version"}
    NACK = 4  # worker: {"reason"}; it is about the snapshot that is under way
    ASK_STATS = 5  # control: {}
    STATS = 6  # worker: {"stats"}; also unasked, when it stops
    MISFIT = 7  # worker: {"reason"}; the change does not fit what it has, and it needs the whole snapshot


class FrameError(Exception):
    """The peer does not speak this protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    body: bytes

    def read(self) -> dict[str, Any]:
        """The body as a JSON object; raises FrameError."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise FrameError(f"the body of {self.kind.name} is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise FrameError(f"the body of {self.kind.name} is not an object")
        return value


def write_frame(kind: Kind, body: bytes | dict[str, Any]) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if len(data) > MAX_BODY:
        raise FrameError(f"a {kind.name} of {len(data)} bytes is larger than {MAX_BODY}")
    return _HEADER.pack(PROTOCOL, kind, len(data)) + data


class Frames:
    """Puts frames together out of the pieces that a socket gives."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now; raises FrameError."""
        self._data += data
        while len(self._data) >= _HEADER.size:
            version, kind, length = _HEADER.unpack_from(self._data)
            _check(version, kind, length)
            end = _HEADER.size + length
            if len(self._data) < end:
                return
            body = bytes(memoryview(self._data)[_HEADER.size : end])
            del self._data[:end]
            yield Frame(Kind(kind), body)


def _check(version: int, kind: int, length: int) -> None:
    if version != PROTOCOL:
        raise FrameError(f"the peer speaks version {version} of the feed, this is {PROTOCOL}")
    if kind not in Kind.__members__.values():
        raise FrameError(f"there is no frame of kind {kind}")
    if length > MAX_BODY:
        raise FrameError(f"a frame of {length} bytes is larger than {MAX_BODY}")
