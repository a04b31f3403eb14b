"""Reading from a client is on hold while somebody cannot keep up; the base of ClientConnection.

Rule 1: the reasons are counted as bits, so that none lifts another's.
"""

from __future__ import annotations

import asyncio

from proxy.embedded.outbox import Outlet

AHEAD = 1  # it sends faster than it is answered
UPSTREAM_FULL = 2  # the upstream does not read the body
CONNECTING = 4  # there is no upstream connection to pass the body to


class Holds(asyncio.Protocol):
    __slots__ = ("_holds", "transport")

    transport: Outlet
    _holds: int

    def _hold(self, reason: int) -> None:
        if not self._holds and not self.transport.is_closing():
            self.transport.pause_reading()
        self._holds |= reason

    def _release(self, reason: int) -> None:
        if self._holds & reason:
            self._holds &= ~reason
            if not self._holds and not self.transport.is_closing():
                self.transport.resume_reading()

    def hold_connecting(self) -> None:
        self._hold(CONNECTING)

    def release_connecting(self) -> None:
        self._release(CONNECTING)

    def hold_upstream(self) -> None:
        self._hold(UPSTREAM_FULL)

    def release_upstream(self) -> None:
        self._release(UPSTREAM_FULL)

    def held_by_upstream(self) -> bool:
        return bool(self._holds & (UPSTREAM_FULL | CONNECTING))
