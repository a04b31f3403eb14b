"""The control process: admin API, discovery and publishing on one event loop.

Start-up order, and why:
    1. the feed's socket listens, so that workers are connected before anything is published
    2. the heavy half is imported and the database migrated, in a thread
    3. what the catalog holds is published: from here on workers serve the present
    4. the admin API answers; its socket has been listening all along
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from coalmine.errors import CatalogError, CoalmineError
from coalmine.feed import FeedServer, SnapshotFeed
from coalmine.serve.child import Leash, announce_ready, remove_scratch
from coalmine.serve.children import GIVE_UP, TRY_AGAIN
from coalmine.serve.orders import Orders, read_orders

if TYPE_CHECKING:
    from coalmine.catalog import Catalog
    from coalmine.model import ProbeReport
    from discovery.worker import DiscoveryWorker

# Workers connect within milliseconds of the socket's listening, after a restart of this process within two seconds
# (the longest wait of FeedClient). A write that is answered earlier would not be served by all of them.
WORKERS_SECONDS = 2.5
# Admin requests are short; what is longer (an event stream) is not worth waiting for.
ADMIN_GRACE_SECONDS = 2
# The longest probe tries every well-known path in turn.
PROBE_SECONDS = 120.0


class LoopProber:
    """What the admin API may ask of discovery: blocking calls, from any thread."""

    def __init__(self, worker: DiscoveryWorker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = worker
        self._loop = loop

    def probe(self, upstream: str) -> ProbeReport:
        return asyncio.run_coroutine_threadsafe(self._worker.probe_now(upstream), self._loop).result(PROBE_SECONDS)

    def wake(self) -> None:
        self._worker.wake()


class AdminServer(uvicorn.Server):
    """uvicorn without its signal handling: signals belong to the supervisor and the leash."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


class Control:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.leash = Leash()
        self.feed_server = FeedServer(orders.feed_socket)

    async def run(self) -> None:
        self.leash.tie(self.orders)
        await self.feed_server.start()
        catalog = await asyncio.to_thread(open_catalog, self.orders)
        try:
            await self.serve(catalog)
        finally:
            await self.feed_server.close()
            catalog.close()
            if self.leash.orphaned:
                remove_scratch(self.orders)

    async def serve(self, catalog: Catalog) -> None:
        from discovery.options import ProbeOptions
        from discovery.worker import DiscoveryWorker

        settings = self.orders.settings
        feed = SnapshotFeed(
            lambda: load(catalog), snapshot_file=Path(self.orders.snapshot_file), server=self.feed_server
        )
        await self.wait_for_workers()
        await asyncio.to_thread(feed.publish)
        worker = DiscoveryWorker(catalog, changed=feed.publish, options=ProbeOptions.of(settings))
        admin = make_admin_server(self.orders, catalog, feed, LoopProber(worker, asyncio.get_running_loop()))
        await self.serve_until_pulled(admin, worker)

    async def wait_for_workers(self) -> None:
        deadline = asyncio.get_running_loop().time() + WORKERS_SECONDS
        while len(self.feed_server.workers()) < self.orders.settings.worker_count:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)

    async def serve_until_pulled(self, admin: AdminServer, worker: DiscoveryWorker) -> None:
        """Until the leash is pulled; a part that ends by itself ends the process, which is then started again."""
        sock = socket.socket(fileno=os.dup(self.orders.fd))
        serving = asyncio.create_task(admin.serve(sockets=[sock]))
        parts = [serving, asyncio.create_task(worker.run())]
        pulled = asyncio.create_task(self.leash.pulled())
        done, _ = await asyncio.wait([*parts, pulled], return_when=asyncio.FIRST_COMPLETED)
        admin.should_exit = True
        parts[1].cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        for part in done - {pulled}:
            part.result()
            raise RuntimeError("a part of the control process ended unasked")


def load(catalog: Catalog) -> Any:
    with catalog.read() as reader:
        return reader.load_definitions()


def open_catalog(orders: Orders) -> Catalog:
    """The catalog, migrated; raises CatalogError. The imports take most of a second: this runs in a thread."""
    import admin_api  # noqa: F401
    import discovery.worker  # noqa: F401
    from coalmine.catalog import Catalog

    catalog = Catalog(orders.settings.database)
    catalog.migrate()
    return catalog


def make_admin_server(orders: Orders, catalog: Catalog, feed: SnapshotFeed, prober: LoopProber) -> AdminServer:
    from admin_api import create_app

    app = create_app(catalog=catalog, feed=feed, prober=prober, settings=orders.settings)
    return AdminServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody in front of the admin API is trusted to say who asks
            timeout_graceful_shutdown=ADMIN_GRACE_SECONDS,
        ),
        started=lambda: announce_ready(orders),
    )


def exit_code(error: CoalmineError, orders: Orders) -> int:
    """Whether starting again makes sense.

    What SQLite says (locked, read-only, disk full) may pass, and workers serve the last snapshot meanwhile, if
    there is one. What we say ourselves (made by a newer version, somebody else's database) does not.
    """
    passing = isinstance(error, CatalogError) and error.__cause__ is not None
    return TRY_AGAIN if passing and Path(orders.snapshot_file).exists() else GIVE_UP


def main() -> int:
    logging.basicConfig(format="coalmine: %(message)s", level=logging.WARNING)
    orders = read_orders(os.environ)
    try:
        uvloop.run(Control(orders).run())
    except CoalmineError as error:
        sys.stderr.write(f"coalmine: {error.detail}{f' ({error.hint})' if error.hint else ''}\n")
        return exit_code(error, orders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
