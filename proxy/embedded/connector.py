"""Opening upstream connections: the one place where the engine needs names resolved (``names``) and where tasks exist.

Rule 1: link-local addresses (cloud metadata) are refused after resolving; the checked address is the one
        connected to.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl

from coalmine.tls import TlsError
from coalmine.tls.client import ClientTls, explain
from proxy.embedded.endpoints import Endpoint
from proxy.embedded.names import Names
from proxy.embedded.options import EngineOptions
from proxy.embedded.outbox import Outbox
from proxy.embedded.stats import Counters
from proxy.embedded.timeouts import Clock
from proxy.embedded.upstream import Failure, Owner, UpstreamConnection, take_idle

# What this machine lacks for another connection: descriptors, ports, memory.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})


class AddressRefusedError(OSError):
    """The endpoint's address may not be reached."""


class Connector:
    """Hands connections to owners: an idle one at once, a new one when it is there."""

    def __init__(self, options: EngineOptions, counters: Counters, clock: Clock, outbox: Outbox) -> None:
        self.options = options
        self.clock = clock
        self.outbox = outbox
        self.live: set[UpstreamConnection] = set()
        self.names = Names(clock)
        self._counters = counters
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self, endpoint: Endpoint, owner: Owner, *, fresh: bool = False) -> asyncio.Task[None] | None:
        """Call ``owner.connected`` or ``owner.upstream_failed``: now (None), or later, unless the task is cancelled."""
        if endpoint.idle and not fresh and (connection := take_idle(endpoint)) is not None:
            self._counters.upstream_connections_reused += 1
            owner.connected(connection)
            return None
        task = asyncio.get_running_loop().create_task(self._open(endpoint, owner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End every connection and every attempt at one."""
        for task in list(self._tasks):
            task.cancel()
        self.names.close()
        for connection in list(self.live):
            connection.abort()
        while self.live or self._tasks:  # noqa: ASYNC110  this happens once, at the end
            await asyncio.sleep(0.001)

    async def _open(self, endpoint: Endpoint, owner: Owner) -> None:
        try:
            async with asyncio.timeout(self.options.connect_timeout_seconds):
                connection = await self._open_first(endpoint)
        except TimeoutError:
            seconds = self.options.connect_timeout_seconds
            self._fail(endpoint, owner, "timeout", "connect-failure", f"no connection within {seconds:g} seconds")
        except (ssl.SSLError, TlsError) as error:
            detail = explain(error) if isinstance(error, ssl.SSLError) else str(error)
            self._fail(endpoint, owner, "tls", "tls", detail)
        except (OSError, ValueError) as error:  # a name that is no IDNA is a ValueError
            failure: Failure = "exhausted" if _is_exhausted(error) else "connect-failure"
            self._fail(endpoint, owner, find_reason(error), failure, _describe(error))
        else:
            self._counters.upstream_connections_opened += 1
            self.clock.read()
            owner.connected(connection)

    def _fail(self, endpoint: Endpoint, owner: Owner, reason: str, failure: Failure, detail: str) -> None:
        self._counters.connect_failures[reason] += 1
        self.clock.read()  # for the time it took: as yet the clock stands where the attempt began
        owner.upstream_failed(failure, f"{endpoint.origin}: {detail}")

    async def _open_first(self, endpoint: Endpoint) -> UpstreamConnection:
        """The first of the endpoint's addresses that can be connected to."""
        failure: OSError = OSError("the name has no address")
        context = await _find_context(endpoint) if endpoint.tls is not None else None
        for address in await self._resolve(endpoint):
            try:
                return await self._open_address(endpoint, address, context)
            except OSError as error:
                failure = error
                if _is_exhausted(error) and await self._give_back_idle():
                    return await self._open_address(endpoint, address, context)
        raise failure

    async def _give_back_idle(self) -> int:
        """Close the connections that idle: somebody needs what they hold. How many there were."""
        idle = [connection for connection in self.live if connection.idling]
        for connection in idle:
            connection.abort()
        await asyncio.sleep(0)  # closed sockets go in the loop's next turn
        return len(idle)

    async def _open_address(
        self, endpoint: Endpoint, address: str, context: ssl.SSLContext | None
    ) -> UpstreamConnection:
        if not self.options.allow_link_local and _is_link_local(address):
            raise AddressRefusedError(f"{address} is a link-local address, which settings do not allow")
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: UpstreamConnection(self, endpoint),
            address,
            endpoint.port,
            ssl=context,
            server_hostname=endpoint.tls.server_name(endpoint.host) if endpoint.tls else None,
        )
        return connection

    async def _resolve(self, endpoint: Endpoint) -> list[str]:
        try:
            ipaddress.ip_address(endpoint.host)
        except ValueError:
            return await self.names.find(endpoint.host, endpoint.port)
        return [endpoint.host]


# The first that fits; what nothing fits is ``other``.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefusedError, "address_refused"),
    (socket.gaierror, "name"),
    (UnicodeError, "name"),
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (TimeoutError, "timeout"),
)
_REASONS_BY_NUMBER = {
    **dict.fromkeys((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN), "unreachable"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM), "resources"),
}


def find_reason(error: Exception) -> str:
    """The ``reason`` under which a failure to connect is counted: one of few."""
    known = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return next(known, None) or _REASONS_BY_NUMBER.get(getattr(error, "errno", None) or 0, "other")


async def _find_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Read in a thread where it has to be read. What idles by older files is given up then; raises TlsError."""
    tls: ClientTls | None = endpoint.tls
    assert tls is not None
    found = tls.find_context()
    if found is None:
        found = await asyncio.to_thread(tls.read)
        close_distrusted(endpoint)
    return found


def close_distrusted(endpoint: Endpoint) -> None:
    """Close what idles by other files than those that count now: nobody vouches for it any more."""
    if endpoint.tls is None or not endpoint.idle:
        return
    context = endpoint.tls.find_context()
    for connection in list(endpoint.idle):
        if connection.transport.get_extra_info("sslcontext") is not context:
            connection.close()


def _is_link_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_link_local)


def _is_exhausted(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in EXHAUSTED


def _describe(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
