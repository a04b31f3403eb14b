"""What becomes of a request's body: passed on as it comes, or collected because the call plan needs it.

Rule 1: pieces pass in the order in which they come.
Rule 2: what has been passed on is kept while it is small (MAX_REPLAY_BYTES) and no answer has begun, so that it can be
        sent again; until there is an upstream connection it is kept in any case, and the client is made to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from proxy.embedded.body import encode_chunk, encode_end
from proxy.embedded.mirror import Mirror
from proxy.embedded.options import MAX_REPLAY_BYTES

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.upstream import UpstreamConnection


class BodySink(Protocol):
    def receive(self, body: bytes, done: bool, trailer: bytes) -> None: ...


class PassOn:
    """The body on its way to the upstream."""

    __slots__ = ("_chunked", "_client", "_held", "_size", "_upstream", "mirror")

    def __init__(self, client: ClientConnection, chunked: bool) -> None:
        self._client = client
        self._chunked = chunked
        self._held: list[bytes] | None = []
        self._size = 0
        self._upstream: UpstreamConnection | None = None
        self.mirror: Mirror | None = None

    @property
    def replayable(self) -> bool:
        return self._held is not None

    def receive(self, body: bytes, done: bool, trailer: bytes) -> None:
        if self.mirror is not None and not self.mirror.collect(body, done):
            self.mirror = None
        wire = self._encode(body, done, trailer)
        if self._held is not None:
            self._hold(wire)
        if self._upstream is not None:
            self._upstream.write(wire)

    def attach(self, upstream: UpstreamConnection) -> bytes:
        """Pieces go to ``upstream`` from now on; what came before is returned, to be sent with the head."""
        self._upstream = upstream
        wire = b"".join(self._held or ())
        if self._size > MAX_REPLAY_BYTES:
            self._held = None
        self._client.release_connecting()
        return wire

    def detach(self) -> None:
        """The try has failed; pieces are kept for the next."""
        self._upstream = None
        self._client.release_upstream()

    def _encode(self, body: bytes, done: bool, trailer: bytes) -> bytes:
        if not self._chunked:
            return body
        return encode_chunk(body) + encode_end(trailer) if done else encode_chunk(body)

    def _hold(self, wire: bytes) -> None:
        assert self._held is not None
        self._held.append(wire)
        self._size += len(wire)
        if self._size > MAX_REPLAY_BYTES:
            if self._upstream is None:
                self._client.hold_connecting()
            else:
                self._held = None


class Collect:
    """The body read as a whole: ``complete`` is called with it, or ``too_large``."""

    __slots__ = ("_complete", "_limit", "_pieces", "_size", "_too_large")

    def __init__(self, limit: int, complete: Callable[[bytes], None], too_large: Callable[[], None]) -> None:
        self._limit = limit
        self._complete = complete
        self._too_large = too_large
        self._pieces: list[bytes] = []
        self._size = 0

    def receive(self, body: bytes, done: bool, trailer: bytes) -> None:
        self._pieces.append(body)
        self._size += len(body)
        if self._size > self._limit:
            self._too_large()
        elif done:
            self._complete(b"".join(self._pieces))
