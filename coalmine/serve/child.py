"""What control and workers have in common: the word that they serve, signs of life, and when to stop.

Both stop at SIGTERM, and when their standard input ends, which says that the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress

from coalmine.serve.children import BEAT, BEAT_SECONDS, GO, PREPARED, READY, RETIRE
from coalmine.serve.orders import Orders


def announce_ready(orders: Orders) -> None:
    """Tell the supervisor, once, that requests are served."""
    _say(orders, READY)


def announce_prepared(orders: Orders) -> None:
    """Tell the supervisor, once, that nothing is in the way of taking over."""
    _say(orders, PREPARED)


def _say(orders: Orders, word: bytes) -> None:
    # A supervisor that is stopped reads nothing: its pipe may be full of beats, and nobody shall wait for that.
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(orders.status_fd, word)


class Leash:
    """Waits for the end: ``await leash.pulled()``. ``orphaned`` says that the supervisor went first."""

    def __init__(self) -> None:
        self.orphaned = False
        self.retired = asyncio.Event()
        self._stop = asyncio.Event()
        self._go = asyncio.Event()

    def tie(self, orders: Orders) -> None:
        """On the running loop. What this process starts must inherit neither socket nor status pipe."""
        for fd in (orders.fd, orders.tls_fd, orders.spare_fd, orders.status_fd):
            if fd >= 0:
                os.set_inheritable(fd, False)
        os.set_blocking(orders.status_fd, False)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(RETIRE, self.retired.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor's business
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # as well
        loop.add_reader(0, self._listen)
        self._beat(loop, orders)

    def pull(self) -> None:
        self._stop.set()

    async def pulled(self) -> None:
        await self._stop.wait()

    async def told_to_go(self) -> None:
        """Until the supervisor says that this process takes over."""
        await self._go.wait()

    def _listen(self) -> None:
        said = os.read(0, 1024)
        if GO.strip() in said:
            self._go.set()
        if not said:
            asyncio.get_running_loop().remove_reader(0)
            self.orphaned = True
            self._stop.set()

    def _beat(self, loop: asyncio.AbstractEventLoop, orders: Orders) -> None:
        """A sign of life: as long as the loop turns, and no longer."""
        _say(orders, BEAT)
        loop.call_later(BEAT_SECONDS, self._beat, loop, orders)


def remove_scratch(orders: Orders) -> None:
    """The supervisor removes the folder; where it was killed, the control process does."""
    shutil.rmtree(orders.scratch, ignore_errors=True)
