"""Mirroring: the same request once more to another upstream, fire and forget.

Rule 1: a copy never delays, changes or fails what it copies; whatever happens to it is only counted.
Rule 2: a body is copied while it is small (``max_replay_body_bytes``); a larger one is not mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coalmine.routing.decision import Forward
from proxy.embedded.body import encode_chunked
from proxy.embedded.forwarding import write_request_head
from proxy.embedded.request import Request
from proxy.embedded.response import Response
from proxy.embedded.upstream import Failure, UpstreamConnection

if TYPE_CHECKING:
    from proxy.embedded.engine import Engine
    from proxy.embedded.sending import PassOn


class Mirror:
    """An owner of an upstream connection that throws the answer away."""

    __slots__ = (
        "_body",
        "_engine",
        "_forward",
        "_lane",
        "_request",
        "_request_id",
        "_size",
        "_upstream",
        "deadline",
        "request_done",
    )

    def __init__(self, engine: Engine, forward: Forward, request: Request, request_id: bytes) -> None:
        self._engine = engine
        self._forward = forward
        self._request = request
        self._request_id = request_id
        self._lane = engine.served.lanes.find(forward)
        self._body: list[bytes] = []
        self._size = 0
        self._upstream: UpstreamConnection | None = None
        self.deadline = 0.0
        self.request_done = True

    def collect(self, body: bytes, done: bool) -> bool:
        """A piece of the body; whether the mirror wants more."""
        self._body.append(body)
        self._size += len(body)
        if self._size > self._engine.options.max_replay_body_bytes:
            self._engine.counters.mirrors_dropped += 1
            return False
        if done:
            self.start()
        return not done

    def start(self) -> None:
        engine = self._engine
        cluster = self._lane.cluster
        if cluster is None:
            engine.counters.mirrors_dropped += 1
            return
        engine.counters.mirrors += 1
        self.deadline = engine.clock.last + engine.options.upstream_timeout_seconds
        engine.sweep.watched.add(self)
        endpoint = cluster.pick(engine.clock.last)
        engine.connector.connect(endpoint, self)

    def _body_bytes(self) -> bytes:
        if isinstance(self._forward.body, bytes):
            return self._forward.body
        if self._forward.body == "none":
            return b""
        body = b"".join(self._body)
        return encode_chunked(body, True, b"") if self._request.fields.chunked else body

    def expire(self, now: float) -> None:
        self._end()
        if self._upstream is not None:
            self._upstream.abort()

    def _end(self) -> None:
        self._engine.sweep.watched.discard(self)

    # Owner

    def connected(self, connection: UpstreamConnection) -> None:
        if self not in self._engine.sweep.watched:
            connection.put_back()
            return
        self._upstream = connection
        authority = connection.endpoint.authority
        head = write_request_head(self._forward, self._request, self._lane, authority, self._request_id)
        connection.send(self, self._forward.method, head + self._body_bytes())

    def interim_received(self, response: Response) -> None: ...
    def response_started(self, response: Response, body: bytes, done: bool, trailer: bytes) -> None: ...
    def response_continued(self, body: bytes, done: bool, trailer: bytes) -> None: ...
    def tunnel_received(self, data: bytes) -> None: ...
    def upstream_full(self) -> None: ...
    def upstream_drained(self) -> None: ...

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
    mirror = Mirror(engine, forward, request, engine.identify(request))
    if body is not None:
        body.mirror = mirror
    else:
        mirror.start()
