"""What becomes of a request's body: passed on as it comes, or collected because the call plan needs it.

Rule 1: pieces pass in the order in which they come.
Rule 2: what has been passed on is kept while it is small (``max_replay_body_bytes``), so that it can be sent again;
        until there is an upstream connection it is kept in any case, and the client is made to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from coalmine.routing.decision import Forward, ReadBody, Reply
from proxy.embedded.body import Encode, encode_chunked, encode_plain
from proxy.embedded.fields import refuse
from proxy.embedded.mirror import Mirror
from proxy.embedded.places import take_place
from proxy.embedded.replies import CONTINUE

if TYPE_CHECKING:
    from proxy.embedded.client import ClientConnection
    from proxy.embedded.exchange import Exchange
    from proxy.embedded.upstream import UpstreamConnection


class BodySink(Protocol):
    @property
    def replayable(self) -> bool: ...
    def receive(self, body: bytes, done: bool, trailer: bytes) -> None: ...


class PassOn:
    """The body on its way to the upstream."""

    __slots__ = ("_client", "_encode", "_held", "_limit", "_size", "_upstream", "mirror")

    def __init__(self, client: ClientConnection, chunked: bool, limit: int) -> None:
        """``limit``: bytes that are kept, as they are framed."""
        self._client = client
        self._limit = limit
        self._encode: Encode = encode_chunked if chunked else encode_plain
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
        if self._size > self._limit:
            self._held = None
        self._client.release_connecting()
        return wire

    def detach(self) -> None:
        """The try has failed; pieces are kept for the next."""
        self._upstream = None
        self._client.release_upstream()

    def give_up(self) -> None:
        """The client is gone, so the rest of the body never comes."""
        if self.mirror is not None:
            self.mirror.expire(0.0)

    def _hold(self, wire: bytes) -> None:
        assert self._held is not None
        self._held.append(wire)
        self._size += len(wire)
        if self._size > self._limit:
            if self._upstream is None:
                self._client.hold_connecting()
            else:
                self._held = None


class Collect:
    """The body read as a whole, for a call plan that looks into it."""

    __slots__ = ("_decision", "_exchange", "_pieces", "_size")

    def __init__(self, exchange: Exchange, decision: ReadBody) -> None:
        self._exchange = exchange
        self._decision = decision
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def replayable(self) -> bool:
        return True  # nothing of it has been sent

    def begin(self) -> None:
        exchange, request = self._exchange, self._exchange.request
        if not take_place(exchange, None):
            return
        exchange.client.deadline = exchange.started + exchange.engine.options.upstream_timeout_seconds
        if (request.fields.length or 0) > self._decision.limit:
            self._refuse()
        elif not request.has_body:
            self._resume(b"")
        elif request.expects_continue:
            self._exchange.client.write(CONTINUE)

    def receive(self, body: bytes, done: bool, trailer: bytes) -> None:
        self._pieces.append(body)
        self._size += len(body)
        if self._size > self._decision.limit:
            self._refuse()
        elif done:
            self._resume(b"".join(self._pieces))

    def _resume(self, body: bytes) -> None:
        self._exchange.sink = None
        resumed = self._decision.resume(body)
        if isinstance(resumed, Forward) and resumed.body == "stream":
            resumed.body = body  # it has come already
        self._exchange.carry_out(resumed)

    def claim(self, reply: Reply) -> None:
        """A refusal while the body is being read is the route's answer, too."""
        reply.route = self._decision.route
        reply.headers += self._decision.headers

    def _refuse(self) -> None:
        self._exchange.refuse(refuse("body_too_large", f"the body is read only up to {self._decision.limit} bytes"))
