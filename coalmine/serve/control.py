"""The control process: admin API, discovery and publishing on one event loop.

Start-up order, and why:
    1. the feed's socket listens, so that workers are connected before anything is published
    2. the heavy half is imported and the database migrated, in a thread
    3. what the catalog holds is published: from here on workers serve the present
    4. the admin API answers; its socket has been listening all along

A catalog that cannot be opened does not end it, unless nothing has ever been published: workers serve the last
snapshot, the admin API says what is wrong, and opening is tried again and again.

On standby, beside the process that it is to replace, it comes as far as step 2 without changing anything, and waits.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from coalmine.errors import CatalogError, CoalmineError
from coalmine.feed import FeedServer, SnapshotFeed, read_snapshot_file
from coalmine.feed.slices import collector_paused
from coalmine.serve.child import Leash, announce_prepared, announce_ready, remove_scratch
from coalmine.serve.children import GIVE_UP
from coalmine.serve.orders import Orders, read_orders

if TYPE_CHECKING:
    from coalmine.catalog import Catalog
    from coalmine.model import ProbeReport
    from discovery import DiscoveryWorker

# Workers connect within milliseconds of the socket's listening, after a restart of this process within two seconds
# (the longest wait of FeedClient). A write that is answered earlier would not be served by all of them.
WORKERS_SECONDS = 2.5
# Admin requests are short; what is longer (an event stream) is not worth waiting for.
ADMIN_GRACE_SECONDS = 2
# What cannot be opened is tried again so often: somebody waits for it, and it costs next to nothing.
OPEN_AGAIN_SECONDS = 1.0
# The longest probe tries every well-known path in turn.
PROBE_SECONDS = 120.0


log = logging.getLogger(__name__)


class LoopProber:
    """What the admin API may ask of discovery: blocking calls, from any thread."""

    def __init__(self, worker: DiscoveryWorker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = worker
        self._loop = loop

    def probe(self, upstream: str) -> ProbeReport:
        return asyncio.run_coroutine_threadsafe(self._worker.probe_now(upstream), self._loop).result(PROBE_SECONDS)

    def wake(self) -> None:
        self._worker.wake()

    def outcomes(self) -> Mapping[str, int]:
        return dict(self._worker.outcomes)


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
        self.feed_server = FeedServer(orders.feed_socket, departed_file=Path(orders.scratch) / "departed.json")
        self.admin: AdminServer | None = None

    async def run(self) -> None:
        """Until the leash is pulled. A part that ends by itself ends the process, which is then started again."""
        self.leash.tie(self.orders)
        serving = asyncio.create_task(self.serve())
        pulled = asyncio.create_task(self.leash.pulled())
        try:
            await asyncio.wait([serving, pulled], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
                raise RuntimeError("the control process ended unasked")
            self.stop_serving(serving)
            await asyncio.wait([serving])
        finally:
            await self.feed_server.close()
            if self.leash.orphaned:
                remove_scratch(self.orders)

    def stop_serving(self, serving: asyncio.Task[None]) -> None:
        """The admin API finishes what it has begun; a start that has not come so far is given up."""
        if self.admin is not None:
            self.admin.should_exit = True
        else:
            serving.cancel()

    async def serve(self) -> None:
        if not self.orders.standby:
            await self.feed_server.start()
        catalog = await asyncio.to_thread(make_catalog, self.orders)
        try:
            if self.orders.standby:
                await self.stand_by(catalog)
            await self.serve_catalog(catalog)
        finally:
            catalog.close()

    async def stand_by(self, catalog: Catalog) -> None:
        """Until the process that is to be replaced has gone. Its feed's socket stays its own until then."""
        await asyncio.to_thread(catalog.check)
        announce_prepared(self.orders)
        await self.leash.told_to_go()
        await self.feed_server.start()

    async def serve_catalog(self, catalog: Catalog) -> None:
        from discovery import DiscoveryWorker, ProbeOptions

        feed = SnapshotFeed(
            catalog.load_definitions, snapshot_file=Path(self.orders.snapshot_file), server=self.feed_server
        )
        worker = DiscoveryWorker(catalog, changed=feed.publish, options=ProbeOptions.of(self.orders.settings))
        usable = await self.open(catalog, feed)
        gc.freeze()  # what is here stays here: no write waits while the collector looks through it
        self.admin = make_admin_server(self.orders, catalog, feed, LoopProber(worker, asyncio.get_running_loop()))
        work = worker.run() if usable else self.open_later(catalog, feed, worker)
        await run_while(work, self.admin.serve(sockets=[socket.socket(fileno=self.orders.fd)]))

    async def open(self, catalog: Catalog, feed: SnapshotFeed) -> bool:
        """Open and publish; whether that could be done. Raises CatalogError where there is nothing to serve instead."""
        try:
            await asyncio.to_thread(open_catalog, catalog, Path(self.orders.snapshot_file))
            await self.wait_for_workers()
            with collector_paused():
                await asyncio.to_thread(feed.publish)
        except CatalogError as error:
            stored = read_snapshot_file(Path(self.orders.snapshot_file))
            if stored is None:
                raise
            log.error("%s; the last snapshot is served meanwhile", describe(error))
            feed.resume(stored)
            return False
        return True

    async def open_later(self, catalog: Catalog, feed: SnapshotFeed, worker: DiscoveryWorker) -> None:
        while not await asyncio.to_thread(try_open, catalog, feed, Path(self.orders.snapshot_file)):  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(OPEN_AGAIN_SECONDS)
        log.warning("the catalog can be used again")
        await worker.run()

    async def wait_for_workers(self) -> None:
        deadline = asyncio.get_running_loop().time() + WORKERS_SECONDS
        while len(self.feed_server.workers()) < self.orders.settings.worker_count:
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)


async def run_while(background: Coroutine[Any, Any, None], leading: Coroutine[Any, Any, None]) -> None:
    """Both until ``leading`` has ended; when ``background`` ends first, it has failed, and so has this."""
    parts = [asyncio.create_task(background), asyncio.create_task(leading)]
    try:
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in parts:
            part.cancel()
        ended = await asyncio.gather(*parts, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


def make_catalog(orders: Orders) -> Catalog:
    """The catalog, not yet opened. The imports take most of a second: this runs in a thread."""
    import admin_api  # noqa: F401
    import discovery.worker  # noqa: F401
    from coalmine.catalog import Catalog

    settings = orders.settings
    return Catalog(settings.database, revisions=settings.revisions, document_revisions=settings.document_revisions)


def open_catalog(catalog: Catalog, snapshot_file: Path) -> None:
    """Open it, or make it. One that is gone is not made anew: everything that is served would go with it."""
    if not catalog.is_there() and holds_something(snapshot_file):
        catalog.fail(
            CatalogError(
                f"the database {catalog.path} is gone, and what was published out of it is still there",
                hint=f"restore it; or stop, delete {snapshot_file.name} beside it, and start with nothing",
            )
        )
    catalog.migrate()


def holds_something(snapshot_file: Path) -> bool:
    stored = read_snapshot_file(snapshot_file)
    return stored is not None and bool(stored.upstreams or stored.virtual_services)


def try_open(catalog: Catalog, feed: SnapshotFeed, snapshot_file: Path) -> bool:
    try:
        open_catalog(catalog, snapshot_file)
        feed.publish()
    except CatalogError:
        return False
    return True


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


def describe(error: CoalmineError) -> str:
    return f"{error.detail}{f' ({error.hint})' if error.hint else ''}"


def main() -> int:
    logging.basicConfig(format="coalmine: %(message)s", level=logging.WARNING)
    orders = read_orders(os.environ)
    try:
        uvloop.run(Control(orders).run())
    except CoalmineError as error:
        sys.stderr.write(f"coalmine: {describe(error)}\n")
        return GIVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main())
