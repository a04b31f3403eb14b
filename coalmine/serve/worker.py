"""One proxy worker: the embedded engine on a listening socket, fed with snapshots.

It serves the last published snapshot from disk until the control process sends a newer one, so it needs no control
process to start. Nothing of the control half is imported here: no FastAPI, SQLAlchemy, YAML or httpx.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from pathlib import Path

import uvloop

from coalmine.feed import FeedClient, read_snapshot_file
from coalmine.feed.slices import collector_paused
from coalmine.feed.stats import RouteKey
from coalmine.routing.snapshot import Snapshot
from coalmine.serve.certificates import find_server_files
from coalmine.serve.child import Leash, announce_ready
from coalmine.serve.heap import keep_freed_memory
from coalmine.serve.orders import Orders, read_orders
from coalmine.tls import Spare
from proxy.embedded import Certificates, Engine, EngineOptions

# How long connections wait in the backlog for a first snapshot, where there is none on disk: on a busy machine the
# control process takes ten seconds to start, and answers of 404 meanwhile would be wrong. After this the honest answer
# is that there are no routes.
FIRST_SNAPSHOT_SECONDS = 30.0
# How long one with a snapshot on disk waits for the control process to send the present one. Where there is a
# control process, that takes milliseconds, and no request is served by an older table.
STORED_SECONDS = 0.3
# How long a worker that serves from disk may be told nothing before it counts as ready.
NEWS_SECONDS = 2.0
# How long the last word to the control process may take.
LAST_WORD_SECONDS = 0.5


class Worker:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.engine = Engine(EngineOptions.from_settings(orders.settings))
        self.leash = Leash()
        self.feed = FeedClient(orders.feed_socket, apply=self.apply, stats=self.stats, index=orders.index)
        self._fed = asyncio.Event()

    async def run(self) -> None:
        self.leash.tie(self.orders)
        feeding = asyncio.create_task(self.feed.run())
        starting = asyncio.create_task(self.start())
        await self.finish()
        starting.cancel()
        await self.engine.drain(self.orders.settings.grace_seconds)
        feeding.cancel()  # only now, so that what was answered while draining is in its last word
        await asyncio.wait([feeding], timeout=LAST_WORD_SECONDS)

    async def finish(self) -> None:
        """Until it is time to stop. Once retired, that is when all is done, or after ``drain_seconds``."""
        pulled = asyncio.create_task(self.leash.pulled())
        retired = asyncio.create_task(self.leash.retired.wait())
        await asyncio.wait([pulled, retired], return_when=asyncio.FIRST_COMPLETED)
        if not pulled.done():
            leaving = asyncio.create_task(self.engine.retire(self.orders.settings.drain_seconds))
            await asyncio.wait([pulled, leaving], return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
        pulled.cancel()
        retired.cancel()

    async def start(self) -> None:
        with collector_paused():
            stored = read_snapshot_file(Path(self.orders.snapshot_file))
        await self.wait_for_news(FIRST_SNAPSHOT_SECONDS if stored is None else STORED_SECONDS)
        if stored is not None and not self._fed.is_set():
            self.engine.apply(stored)
            self.feed.start_from(stored)
        gc.freeze()  # what is here stays here: no request waits while the collector looks through it
        await self.listen()
        await self.wait_for_news(NEWS_SECONDS)
        announce_ready(self.orders)

    async def listen(self) -> None:
        await self.engine.serve(socket.socket(fileno=self.orders.fd))
        files = find_server_files(self.orders.settings)
        if files is not None and self.orders.tls_fd >= 0:
            spare = Spare(self.orders.spare_fd) if self.orders.spare_fd >= 0 else None
            await self.engine.serve_tls(socket.socket(fileno=self.orders.tls_fd), Certificates(files, spare))

    def reload_certificates(self) -> str | None:
        """Read the certificates of the listener now; why they could not be used, if so."""
        return self.engine.reload_certificates()

    async def wait_for_news(self, seconds: float) -> None:
        await asyncio.wait([asyncio.ensure_future(self._fed.wait())], timeout=seconds)

    async def apply(self, snapshot: Snapshot) -> None:
        await self.engine.apply_gently(snapshot)
        self._fed.set()

    async def stats(self, whole: bool, fold: frozenset[RouteKey]) -> str:
        worked = {"worker_cpu_seconds": {str(self.orders.index + 1): time.process_time()}}
        return await self.engine.tell(worked, whole=whole, fold=fold)


def main() -> int:
    logging.basicConfig(format="coalmine: %(message)s", level=logging.WARNING)
    keep_freed_memory()
    worker = Worker(read_orders(os.environ))
    uvloop.run(worker.run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
