"""Notice change, build, publish.

Rule 1: an equal snapshot is not published again.
Rule 2: publishing outlives what is in its way: workers that hang, a disk that is full, a subscriber that fails.
Rule 3: one publication runs at a time. Calls that come meanwhile share the next one, so that whoever returns knows
        that his write is served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coalmine.feed.change import write_change
from coalmine.feed.server import Publication
from coalmine.feed.snapshot_file import SnapshotFile, remove_leftovers
from coalmine.feed.stats import Told, merge_told
from coalmine.model import Definitions
from coalmine.routing.remembered import RememberedBuild
from coalmine.routing.snapshot import EMPTY, Snapshot

if TYPE_CHECKING:
    from coalmine.feed.server import FeedServer, WorkerState, WorkerStats

_SLACK_SECONDS = 5.0  # beyond the server's own limits: its loop is stuck, and nobody shall wait for it
_log = logging.getLogger(__name__)

Build = Callable[[Definitions], Snapshot]
Subscriber = Callable[[Snapshot], None]


class SnapshotFeed:
    """``load`` gives the definitions of this moment; ``server`` None: nobody is told but subscribers."""

    def __init__(
        self,
        load: Callable[[], Definitions],
        *,
        snapshot_file: Path | None = None,
        server: FeedServer | None = None,
        build: Build | None = None,
    ) -> None:
        self.current: Snapshot = EMPTY
        self.published = False
        self.file_error: str | None = None  # why the last snapshot is not on disk
        self.instance = os.urandom(8).hex()  # tells this control process from the one before a restart
        self.since = self.current_since = datetime.now(UTC)  # of this process; of the snapshot
        self._load = load
        self.build: Build = build or RememberedBuild()  # what the catalog holds, as it would be published
        self._file = None if snapshot_file is None else SnapshotFile(snapshot_file)
        self._server = server
        self._subscribers: list[Subscriber] = []
        self._turn = threading.Condition()  # guards the next two
        self._running = False
        self._next: Future[Snapshot] = Future()  # the round that has not begun

    def resume(self, stored: Snapshot) -> None:
        """``stored`` is what workers serve until there is something to publish. On the loop of the server."""
        self.current = stored
        if self._server is not None:
            self._server.resume(Publication(stored))

    # Publishing --------------------------------------------------------------------------------------

    def publish(self) -> Snapshot:
        """Blocks until the workers serve what is in the catalog now; raises what ``load`` raises."""
        self._check_thread()
        with self._turn:
            mine = self._next
            while self._running and not mine.done():
                self._turn.wait()
            if mine.done():
                return mine.result()
            self._running, self._next = True, Future()
        self._round(mine)
        return mine.result()

    def _round(self, mine: Future[Snapshot]) -> None:
        try:
            mine.set_result(self._publish_once())
        except BaseException as error:
            mine.set_exception(error)
        finally:
            with self._turn:
                self._running = False
                self._turn.notify_all()

    def _publish_once(self) -> Snapshot:
        snapshot = self.build(self._load())
        equal = self.published and snapshot.version == self.current.version
        if equal and self.file_error is None:
            return self.current
        change = write_change(self.current, snapshot)
        sent = None if equal else self._send(Publication(snapshot, self.current.version, change))
        self._save(snapshot, change)  # while the workers apply it
        if sent is not None:
            _wait(sent)
        if not equal:
            self.current, self.published, self.current_since = snapshot, True, datetime.now(UTC)
            self._tell(snapshot)
        return snapshot

    def _send(self, publication: Publication) -> Future[Any] | None:
        if self._server is None:
            return None
        loop = self._server.loop
        if loop is None or loop.is_closed():
            self._server.keep(publication)
            return None
        return asyncio.run_coroutine_threadsafe(self._server.publish(publication), loop)

    def _save(self, snapshot: Snapshot, change: bytes) -> None:
        if self._file is None:
            return
        try:
            if not self.published:
                remove_leftovers(self._file.path)
            self._file.save(snapshot, self.current.version, change)
            self.file_error = None
        except OSError as error:
            self.file_error = f"the snapshot file {self._file.path} cannot be written: {error.strerror}"
            _log.error("%s; workers that start without the control process serve an older one", self.file_error)

    def _tell(self, snapshot: Snapshot) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber(snapshot)
            except Exception:
                _log.exception("a subscriber of the feed failed")

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """``callback`` is called after every publication, in some thread; returns what ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    # Workers -----------------------------------------------------------------------------------------

    def workers(self) -> list[WorkerState]:
        return [] if self._server is None else self._server.workers()

    def stats(self) -> Told:
        """What the workers counted; see ``coalmine.feed.stats``."""
        return merge_told(one.told for one in self.stats_by_worker())

    def stats_by_worker(self) -> list[WorkerStats]:
        """The same, worker by worker. ``instance`` and ``since`` tell who added it up."""
        self._check_thread()
        if self._server is None or self._server.loop is None or self._server.loop.is_closed():
            return []
        asked = asyncio.run_coroutine_threadsafe(self._server.stats_by_worker(), self._server.loop)
        return asked.result(_SLACK_SECONDS)

    def lost_workers(self) -> dict[str, datetime]:
        """Those that ended while there was no control process, and since when nobody has heard of them."""
        return {} if self._server is None else self._server.lost_workers()

    def _check_thread(self) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._server is not None and running is self._server.loop:
            raise RuntimeError("the feed blocks: call it in a thread, not on the loop of its server")


def _wait(sent: Future[Any]) -> None:
    try:
        sent.result(_SLACK_SECONDS)
    except Exception:
        _log.exception("the workers cannot be told of a snapshot")
