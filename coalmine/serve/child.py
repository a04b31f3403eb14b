"""What control and workers have in common: the word that they serve, and when to stop.

Both stop at SIGTERM, and when their standard input ends, which says that the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal

from coalmine.serve.children import READY
from coalmine.serve.orders import Orders


def announce_ready(orders: Orders) -> None:
    """Tell the supervisor, once, that requests are served."""
    os.write(orders.status_fd, READY)
    os.close(orders.status_fd)


class Leash:
    """Waits for the end: ``await leash.pulled()``. ``orphaned`` says that the supervisor went first."""

    def __init__(self) -> None:
        self.orphaned = False
        self._stop = asyncio.Event()

    def tie(self, orders: Orders) -> None:
        """On the running loop. What this process starts must inherit neither socket nor status pipe."""
        for fd in (orders.fd, orders.status_fd):
            os.set_inheritable(fd, False)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor's business
        loop.add_reader(0, self._listen)

    def pull(self) -> None:
        self._stop.set()

    async def pulled(self) -> None:
        await self._stop.wait()

    def _listen(self) -> None:
        if not os.read(0, 1024):
            asyncio.get_running_loop().remove_reader(0)
            self.orphaned = True
            self._stop.set()


def remove_scratch(orders: Orders) -> None:
    """The supervisor removes the folder; where it was killed, the control process does."""
    shutil.rmtree(orders.scratch, ignore_errors=True)
