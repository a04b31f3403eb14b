"""The TLS listener: what a connection is until it speaks TLS.

Rule 1: a handshake is a connection like any other: it counts towards ``max_connections``, and it has the time that a
        request head has. Whoever sends no hello costs a socket for that long, and nothing of OpenSSL's.
Rule 2: a connection keeps the certificates that it began with.
Rule 3: no request is answered in the clear here; who sends one is told to come by https.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, cast

from proxy.embedded.certificates import Certificates
from proxy.embedded.client import ClientConnection
from proxy.embedded.fields import refuse
from proxy.embedded.hello import judge_hello
from proxy.embedded.options import LINGER_SECONDS

if TYPE_CHECKING:
    from proxy.embedded.engine import Engine

# Connections beyond the limit whose handshake is done so that they can be told that there are too many.
MAX_BEYOND = 256
# What is buffered for a client that reads slowly before the upstream is made to wait; as without TLS.
HIGH_WATER_BYTES = 65_536


class TlsListener:
    def __init__(self, engine: Engine, certificates: Certificates) -> None:
        self.engine = engine
        self.certificates = certificates
        self.handshakes: set[Handshake] = set()

    def accept(self) -> Handshake:
        return Handshake(self)

    def admit(self, handshake: Handshake) -> bool:
        engine = self.engine
        if engine.count_clients() + len(self.handshakes) >= engine.options.max_connections + MAX_BEYOND:
            engine.counters.connections_refused += 1
            return False
        self.handshakes.add(handshake)
        engine.sweep.watched.add(handshake)
        return True

    def leave(self, handshake: Handshake) -> None:
        self.handshakes.discard(handshake)
        self.engine.sweep.watched.discard(handshake)

    def refuse_plain(self, source: str) -> bytes:
        """What is said to somebody who does not speak TLS here."""
        return self.engine.refuse(refuse("bad_request", "this port speaks TLS: ask it by https://"), source)

    def abort(self) -> None:
        """End all handshakes under way."""
        for handshake in list(self.handshakes):
            handshake.transport.abort()


def find_source(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


class Handshake(asyncio.Protocol):
    """The protocol of the bare connection: reads the hello, has TLS begin, hands over to a client's connection."""

    transport: asyncio.Transport

    def __init__(self, listener: TlsListener) -> None:
        self._listener = listener
        self._hello = b""
        self._task: asyncio.Task[None] | None = None  # kept, because the loop does not keep it
        self.deadline = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        engine = self._listener.engine
        self.deadline = engine.clock.read() + engine.options.header_timeout_seconds
        if self._listener.certificates.served is None or not self._listener.admit(self):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._hello += data
        verdict = judge_hello(self._hello)
        if verdict == "tls" and self._task is None:
            self.transport.pause_reading()
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._shake_hands())
            loop.call_soon(self._pass_on)  # when the task has begun, and before the first step of TLS
        elif verdict == "http":
            self._say(self._listener.refuse_plain(find_source(self.transport)))
        elif isinstance(verdict, bytes):
            self._say(verdict)
        elif verdict == "noise":
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._listener.handshakes:
            self._fail()

    def expire(self, now: float) -> None:
        self.transport.abort()

    def _say(self, last: bytes) -> None:
        self.transport.write(last)
        self.transport.close()

    def _fail(self) -> None:
        self._listener.leave(self)
        self._listener.engine.counters.tls_handshakes_failed += 1

    async def _shake_hands(self) -> None:
        try:
            secure = await self._start_tls()
        except (OSError, ValueError):  # ssl.SSLError is an OSError; a ValueError says that the connection has gone
            secure = None
        # An aborted connection passes for a handshake that is done (uvloop wakes up without an error).
        if secure is None or secure.is_closing():
            self._fail()
        else:
            self._hand_over(secure)  # in the same turn: what the client sent behind its handshake is not read yet

    async def _start_tls(self) -> asyncio.Transport | None:
        served = self._listener.certificates.served
        assert served is not None
        return await asyncio.get_running_loop().start_tls(
            self.transport,
            self,
            served.context,
            server_side=True,
            # The sweep ends it; this has to be later.
            ssl_handshake_timeout=self._listener.engine.options.header_timeout_seconds + LINGER_SECONDS,
            ssl_shutdown_timeout=LINGER_SECONDS,
        )

    def _pass_on(self) -> None:
        """TLS's protocol has taken the place of this one: what was read of its bytes goes there, as from the socket."""
        protocol: Any = self.transport.get_protocol()
        if protocol is not self:
            size = len(self._hello)
            protocol.get_buffer(size)[:size] = self._hello
            protocol.buffer_updated(size)

    def _hand_over(self, secure: asyncio.Transport) -> None:
        self._listener.leave(self)
        client = ClientConnection(self._listener.engine, "https")
        secure.set_write_buffer_limits(HIGH_WATER_BYTES)
        secure.set_protocol(client)
        client.connection_made(secure)
