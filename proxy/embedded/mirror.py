"""Mirroring: the same request once more to another upstream, fire and forget.

Rule 1: a copy never delays, changes or fails what it copies; whatever happens to it is only counted.
Rule 2: a small body (``max_replay_body_bytes``) is copied when it is complete. A larger one passes to both as it comes;
    a copy that falls behind by more than MAX_BEHIND is given up.
Rule 3: so many copies are under way at a time (MAX_MIRRORS), however slow their upstream is; more are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coalmine.routing.decision import Forward
from proxy.embedded.body import Encode, encode_chunked, encode_plain
from proxy.embedded.forwarding import write_request_head
from proxy.embedded.outbox import Piece
from proxy.embedded.request import Request
from proxy.embedded.response import Response
from proxy.embedded.upstream import Failure, Owner, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.engine import Engine
    from proxy.embedded.sending import PassOn

# What a copy may hold while its upstream connects or reads slowly. Connecting takes a millisecond or two, in which a
# client nearby sends some hundred kB; a service that cannot keep up after that will not, and memory is for others.
MAX_BEHIND = 1_048_576
# In one worker. A mirror is a sample: losing some of it under load is what it is for.
MAX_MIRRORS = 256


class Mirror(Owner):
    """An owner of an upstream connection that throws the answer away."""

    __slots__ = (
        "_encode",
        "_engine",
        "_forward",
        "_full",
        "_lane",
        "_over",
        "_request",
        "_request_id",
        "_size",
        "_started",
        "_upstream",
        "_waiting",
        "deadline",
        "request_done",
    )

    def __init__(self, engine: Engine, forward: Forward, request: Request, request_id: bytes) -> None:
        self._engine = engine
        self._forward = forward
        self._request = request
        self._request_id = request_id
        self._lane = engine.served.lanes.find(forward)
        self._encode: Encode = encode_chunked if request.fields.chunked else encode_plain
        self._waiting: list[bytes] = [forward.body] if isinstance(forward.body, bytes) else []
        self._size = 0  # of what is waiting
        self._upstream: UpstreamConnection | None = None
        self._full = False  # the upstream reads more slowly than the client sends
        self._started = self._over = False
        self.deadline = 0.0
        self.request_done = True

    def collect(self, body: bytes, done: bool) -> bool:
        """A piece of the body; whether the mirror wants more."""
        if self._over:
            return False
        wire = self._encode(body, done, b"")
        self.request_done = done
        self.deadline = self._engine.clock.last + self._engine.options.upstream_timeout_seconds
        if self._upstream is not None and not self._full:
            self._upstream.write(wire)
        else:
            self._hold(wire, done)
        return not done and not self._over

    def _hold(self, wire: bytes, done: bool) -> None:
        self._waiting.append(wire)
        self._size += len(wire)
        if self._size > MAX_BEHIND:
            self._drop()
        elif not self._started and (done or self._size > self._engine.options.max_replay_body_bytes):
            self.start()

    def start(self) -> None:
        engine = self._engine
        cluster = self._lane.cluster
        if cluster is None or engine.mirrors >= MAX_MIRRORS:
            self._drop()
            return
        engine.counters.mirrors += 1
        engine.mirrors += 1
        self._started = True
        self.deadline = engine.clock.last + engine.options.upstream_timeout_seconds
        engine.sweep.watched.add(self)
        endpoint = cluster.pick(engine.clock.last)
        engine.connector.connect(endpoint, self)

    def _drop(self) -> None:
        self._engine.counters.mirrors_dropped += 1
        self.expire(0.0)

    def _take_waiting(self) -> bytes:
        wire = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return wire

    def expire(self, now: float) -> None:
        """Give up; a request that is under way must not be taken for a whole one."""
        self._end()
        if self._upstream is not None:
            self._upstream.abort()

    def _end(self) -> None:
        if self._started and not self._over:
            self._engine.mirrors -= 1
        self._over = True
        self._waiting.clear()
        self._engine.sweep.watched.discard(self)

    # Owner

    def connected(self, connection: UpstreamConnection) -> None:
        if self._over:
            connection.put_back()
            return
        self._upstream = connection
        authority = connection.endpoint.authority
        head = write_request_head(self._forward, self._request, self._lane, authority, self._request_id)
        connection.send(self, self._forward.method, head + self._take_waiting())

    def interim_received(self, response: Response) -> None: ...
    def response_whole(self, response: Response, body: Piece) -> None:
        self._end()

    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None: ...
    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None: ...
    def tunnel_received(self, data: bytes) -> None: ...

    def upstream_full(self) -> None:
        self._full = True

    def upstream_drained(self) -> None:
        self._full = False
        if self._waiting and self._upstream is not None:
            self._upstream.write(self._take_waiting())

    def upstream_ended(self) -> bool:
        return False

    def response_done(self) -> None:
        self._end()

    def tunnel_opened(self, response: Response, data: bytes) -> None:
        self.expire(0.0)

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        self._end()


def start_mirror(engine: Engine, forward: Forward, request: Request, body: PassOn | None) -> None:
    """Send the copy now, or, where the body is on its way through ``body``, once that is complete."""
    mirror = Mirror(engine, forward, request, engine.identify(request) + request.trace_block)
    if body is not None and forward.body == "stream":
        body.mirror = mirror
    else:
        mirror.start()
