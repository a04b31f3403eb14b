"""One HTTP/1.1 GET over one connection: asyncio's transport, h11's state machine, nothing kept.

A probe through httpx costs 1.5 ms of processor time and through this 0.5 ms, which is the difference between 8 % and
3 % of a core for 1,000 upstreams (``bench/discovery_idle.py``). What comes back is judged while it arrives, so that
nothing unwanted is ever collected.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Protocol, cast

import h11

# A response head beyond this is not one: servers send at most 8 to 16 kB.
_MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]  # names in lower case

    def get(self, name: str) -> str:
        """The first value of ``name`` (lower case), or ""."""
        return next(iter(self.get_list(name)), "")

    def get_list(self, name: str) -> tuple[str, ...]:
        wanted = name.encode()
        return tuple(value.decode("latin-1") for key, value in self.headers if key == wanted)


class Sink(Protocol):
    """What takes the response; whatever its methods raise ends the exchange and comes out of ``get``."""

    def take_head(self, head: Head) -> bool:
        """Whether the body is wanted."""
        ...

    def take_data(self, data: bytes) -> None: ...


class NotHttpError(Exception):
    """The answer is not HTTP, or it ends early."""


class _Exchange(asyncio.Protocol):
    def __init__(self, request: h11.Request, sink: Sink) -> None:
        self._request = request
        self._sink = sink
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no check: the transports of uvloop, on which the gateway runs, are not subclasses of asyncio's.
        send = self._connection.send
        cast("asyncio.Transport", transport).write((send(self._request) or b"") + (send(h11.EndOfMessage()) or b""))

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        try:
            self._connection.receive_data(data)
            if self._take_events():
                self.done.set_result(None)
        except h11.RemoteProtocolError as error:
            self.done.set_exception(NotHttpError(str(error)))
        except Exception as error:
            self.done.set_exception(error)

    def _take_events(self) -> bool:
        """True when the exchange is over."""
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Data):
                self._sink.take_data(bytes(event.data))
            elif isinstance(event, h11.Response):
                if not self._sink.take_head(Head(event.status_code, tuple(event.headers))):
                    return True
            elif isinstance(event, h11.EndOfMessage):
                return True
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return False
            elif isinstance(event, h11.ConnectionClosed):
                raise NotHttpError("the connection was closed before an answer")

    def eof_received(self) -> bool:
        self.data_received(b"")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or NotHttpError("the connection was closed before the answer ended"))


async def get(
    address: str,
    port: int,
    target: str,
    headers: list[tuple[str, str]],
    sink: Sink,
    tls: tuple[ssl.SSLContext, str] | None,
) -> None:
    """GET ``target`` at an IP address; ``tls`` is the context and the name the certificate must have.

    Raises ``OSError`` (no connection, TLS), ``NotHttpError``, ``ValueError`` (it cannot be asked), and what ``sink``
    raises.
    """
    try:
        request = h11.Request(method="GET", target=target, headers=headers)
    except h11.LocalProtocolError as error:  # such as a Host that no header can carry
        raise ValueError(str(error)) from None
    context, name = tls or (None, None)
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_connection(
        lambda: _Exchange(request, sink), address, port, ssl=context, server_hostname=name
    )
    try:
        await exchange.done
    finally:
        # Not close(): the peer has nothing more to say that we want to wait for.
        transport.abort()
