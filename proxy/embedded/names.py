"""The addresses of upstreams' hosts, which the system looks up each time that a connection is made.

Rule 1: there is one lookup at a time for a name, for all who want it: one whose servers are silent must not take the
        few threads that look up (libuv has four) from all others.
Rule 2: while nobody answers for a name, what was found last counts. That a name does not exist is an answer: its
        addresses may be somebody else's by now.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from proxy.embedded.timeouts import Clock

# Where something was found before, so long is waited for news of it. Servers answer in milliseconds, and a system that
# asks a second one because the first is dead does so after five seconds.
PATIENCE_SECONDS = 1.0
# Addresses live for minutes to hours; older ones are no better than none.
KEPT_SECONDS = 3600.0
_log = logging.getLogger(__name__)

Lookup = Callable[[str, int], Awaitable[list[str]]]


async def look_up(host: str, port: int) -> list[str]:
    """Raises OSError, and ValueError for what is no name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Names:
    def __init__(self, clock: Clock, lookup: Lookup = look_up) -> None:
        self._clock = clock
        self._lookup = lookup
        self._found: dict[str, tuple[float, list[str]]] = {}
        self._running: dict[str, asyncio.Task[list[str]]] = {}
        self._silent: set[str] = set()  # names that the log has a line about

    async def find(self, host: str, port: int) -> list[str]:
        """Its addresses; raises as ``look_up``."""
        task = self._running.get(host) or self._begin(host, port)
        known = self._find_known(host)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if known else None):
                return await asyncio.shield(task)  # who gives up waiting does not end it for the others
        except OSError as error:  # which a TimeoutError is
            if not known or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME):
                raise
            self._tell(host, error)
            return known

    def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()

    def _find_known(self, host: str) -> list[str]:
        since, found = self._found.get(host, (0.0, []))
        return found if self._clock.read() - since < KEPT_SECONDS else []

    def _begin(self, host: str, port: int) -> asyncio.Task[list[str]]:
        task = self._running[host] = asyncio.ensure_future(self._lookup(host, port))
        task.add_done_callback(lambda done: self._end(host, done))
        return task

    def _end(self, host: str, task: asyncio.Task[list[str]]) -> None:
        del self._running[host]
        if task.cancelled() or task.exception() is not None:
            return
        now = self._clock.read()
        for name in [name for name, (since, _) in self._found.items() if now - since >= KEPT_SECONDS]:
            del self._found[name]
        self._found[host] = now, task.result()
        if host in self._silent:
            self._silent.discard(host)
            _log.warning("the name %s is looked up again", host)

    def _tell(self, host: str, error: OSError) -> None:
        if host not in self._silent:
            self._silent.add(host)
            reason = getattr(error, "strerror", None) or "no answer yet"
            _log.warning("the name %s cannot be looked up (%s); the addresses found before still count", host, reason)
