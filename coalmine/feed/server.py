"""The control process's end of the feed: sends snapshots to workers and notes what they acknowledge.

Lives on one asyncio loop; everything here runs on it.
Rule 1: at most one snapshot is under way to a worker; when it has answered, it gets the newest. A worker that
        hangs therefore costs one snapshot of memory, however many are published.
Rule 2: a worker gets what has changed if that is about the snapshot that it serves, all of it otherwise or when it
        asks for that.
Rule 3: a worker that let the time pass once is not waited for again until it acknowledges something.
Rule 4: what workers counted outlives them, and where there is a file for it, this process, too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from coalmine.errors import Problem
from coalmine.feed.change import write_change
from coalmine.feed.departed import Departed
from coalmine.feed.frames import Frame, FrameError, Frames, Kind, write_frame
from coalmine.feed.stale import StaleRoutes
from coalmine.feed.stats import RouteKey, Told, fold, merge_told
from coalmine.routing.snapshot import Snapshot

ACK_SECONDS = 2.0  # a write waits no longer for a worker; applying 10,000 routes takes a fraction of it
STATS_SECONDS = 0.5  # a scrape waits no longer
# Workers are asked so often, for what one that is killed has not told is lost. Telling costs it for each series that
# has changed, a percent of a core for a thousand a second: who has told many rests.
_POLL_SECONDS = 0.5
_SERIES_PER_SECOND = 1_000
_LONGEST_REST_SECONDS = 1.5
# Looking for routes that are no more goes through all series that there are.
_TURNS_BETWEEN_LOOKS = 4
# Whoever has not answered for so long seems to hang.
_SILENCE_SECONDS = 2.0
_READ_BYTES = 65_536
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A connected worker. ``version`` is what it serves; ``problem`` why it refused the last snapshot.

    ``problems`` is what it said last of its files, some seconds ago at most.
    """

    pid: int
    index: int
    version: str | None
    hung: bool = False
    problem: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """What one worker counted. ``instance`` tells it from all others that there ever were."""

    instance: str
    alive: bool
    told: Told


@dataclass(frozen=True)  # no slots: the whole is remembered
class Publication:
    """A snapshot, and what has changed since ``base``."""

    snapshot: Snapshot
    base: str | None = None
    change: bytes = b""

    @property
    def version(self) -> str:
        return self.snapshot.version

    @cached_property
    def whole(self) -> bytes:
        """All of it; few workers ask for that, and putting it together takes as long as there are routes."""
        return write_change(None, self.snapshot)


class _Worker:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter, hello: dict[str, Any]) -> None:
        self.writer = writer
        self.pid = int(hello["pid"])
        self.index = int(hello["index"])
        self.instance = str(hello["instance"])
        self.version: str | None = hello.get("version")
        self.sent: str | None = None  # under way: sent and not answered
        self.refused: str | None = None
        self.fits = True  # as long as it has not said otherwise
        self.problem: str | None = None
        self.hung = False
        self.told = Told()
        self.asked = False  # for stats, and not answered
        self.asked_at = 0.0
        self.silent = False  # that was long ago
        self.rests_until = 0.0  # it has told much
        self.changed = asyncio.Event()  # a new one after every answer

    def offer(self, publication: Publication) -> None:
        if self.sent is None and publication.version not in (self.version, self.refused):
            self.sent = publication.version
            fits = self.fits and self.version is not None and publication.base == self.version
            self.writer.write(write_frame(Kind.SNAPSHOT, publication.change if fits else publication.whole))

    def settled(self, version: str) -> bool:
        """Nothing is to be expected any more: it serves ``version``, has refused it, or is gone."""
        return self.writer.is_closing() or (self.sent is None and version in (self.version, self.refused))

    def acknowledge(self, version: str) -> None:
        self.version, self.sent, self.refused, self.problem, self.hung = version, None, None, None, False
        self.fits = True
        self.wake()

    def refuse(self, problem: str) -> None:
        self.sent, self.refused, self.problem, self.hung = None, self.sent, problem, False
        self.wake()

    def misfit(self, reason: str) -> None:
        if self.fits:
            self.sent, self.fits = None, False
        else:
            self.refuse(reason)  # that was the whole one

    def ask(self, fold: Collection[RouteKey] = ()) -> None:
        # A worker that reads nothing gets no pile of questions.
        if not self.asked:
            self.asked, self.asked_at = True, time.monotonic()
            self.writer.write(write_frame(Kind.ASK_STATS, {"fold": [list(key) for key in fold]} if fold else {}))

    def ask_again(self, fold: Collection[RouteKey] = ()) -> None:
        now = time.monotonic()
        self.silent = self.asked and now - self.asked_at >= _SILENCE_SECONDS
        if fold or now >= self.rests_until:
            self.ask(fold)

    def tell(self, stats: dict[str, Any]) -> None:
        self.silent = False
        told = Told()
        told.series = self.told.series
        told.take(stats)
        self.told, self.asked = told, False
        rest = len(stats.get("series", ())) / _SERIES_PER_SECOND
        self.rests_until = time.monotonic() + min(rest, _LONGEST_REST_SECONDS)
        self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def state(self) -> WorkerState:
        hung = self.hung or self.silent
        return WorkerState(self.pid, self.index, self.version, hung, self.problem, self.told.problems)


class FeedServer:
    """Listens on the unix socket ``path``. ``start`` belongs to the loop that the rest is called on."""

    def __init__(
        self,
        path: Path,
        *,
        ack_seconds: float = ACK_SECONDS,
        stats_seconds: float = STATS_SECONDS,
        departed_file: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._ack_seconds = ack_seconds
        self._stats_seconds = stats_seconds
        self._server: asyncio.Server | None = None
        self._publication: Publication | None = None
        self._workers: dict[str, _Worker] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._departed = Departed(departed_file)
        self._stale = StaleRoutes()
        self._poll: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._departed.load()
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        self.path.chmod(0o600)
        self._poll = asyncio.create_task(self._ask_regularly())

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [*self._tasks, *([self._poll] if self._poll else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._departed.save()
        self.loop = None

    def workers(self) -> list[WorkerState]:
        return sorted((worker.state() for worker in self._workers.values()), key=lambda state: (state.index, state.pid))

    def lost_workers(self) -> dict[str, datetime]:
        """See ``Departed``; right after a start, also those that are about to connect again."""
        return dict(self._departed.lost)

    def keep(self, publication: Publication) -> None:
        """Have a snapshot ready for workers that connect later."""
        self._publication = publication

    def resume(self, publication: Publication) -> None:
        """Offer what was published before this process began: who serves it already only says so."""
        self.keep(publication)
        self._offer(*self._workers.values())

    async def publish(self, publication: Publication) -> list[WorkerState]:
        """Send to all and wait until they have answered, at most ``ack_seconds``; returns those that did not."""
        self.keep(publication)
        version = publication.version
        self._offer(*self._workers.values())
        waited = [worker for worker in self._workers.values() if not worker.hung]
        await _all_within(self._ack_seconds, [self._settle(worker, version) for worker in waited])
        late = [worker for worker in waited if not worker.settled(version)]
        for worker in late:
            worker.hung = True
            _log.warning("worker %d does not acknowledge snapshot %s", worker.pid, version)
        return [worker.state() for worker in late]

    async def _settle(self, worker: _Worker, version: str) -> None:
        while not worker.settled(version):
            await worker.changed.wait()

    def _offer(self, *workers: _Worker) -> None:
        for worker in workers:
            if self._publication is not None:
                worker.offer(self._publication)

    async def stats(self) -> Told:
        """What all workers counted, those that died included; of one that is late, what it said last."""
        return merge_told(one.told for one in await self.stats_by_worker())

    async def stats_by_worker(self) -> list[WorkerStats]:
        """The same, one by one; workers that died long ago are one without a name."""
        await _all_within(
            self._stats_seconds, [self._ask(worker) for worker in self._workers.values() if not worker.hung]
        )
        gone = [WorkerStats(name, False, told) for name, told in self._departed.by_instance().items()]
        return gone + [WorkerStats(name, True, worker.told) for name, worker in self._workers.items()]

    async def _ask(self, worker: _Worker) -> None:
        await _heard(worker)  # an answer that is under way may be older than this question
        worker.ask()
        await _heard(worker)

    async def _ask_regularly(self) -> None:
        """So that of a worker that is killed little is lost."""
        for turn in count():
            await asyncio.sleep(_POLL_SECONDS)
            stale = self._find_stale() if turn % _TURNS_BETWEEN_LOOKS == 0 else frozenset[RouteKey]()
            for worker in self._workers.values():
                worker.ask_again(stale)
            self._departed.save()

    def _find_stale(self) -> frozenset[RouteKey]:
        """Routes to be counted together from now on; here that is done already."""
        workers = list(self._workers.values())
        # What was published before this process began says nothing of routes that may be back any moment.
        published = self._publication
        snapshot = published.snapshot if published is not None and published.base is not None else None
        if snapshot is None or any(worker.asked for worker in workers):
            return frozenset()  # an answer that is under way would bring them back
        told = [worker.told.series for worker in workers] + self._departed.list_series()
        stale = self._stale.find(snapshot, told)
        if stale:
            for worker in workers:
                worker.told.series = fold(worker.told.series, stale)
            self._departed.fold(stale)
        return stale

    # One connection ----------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        except (FrameError, KeyError, TypeError, ValueError) as error:
            _log.warning("a worker is disconnected: %s", error)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        worker: _Worker | None = None
        try:
            while data := await reader.read(_READ_BYTES):
                for frame in frames.feed(data):
                    if worker is None:
                        worker = self._welcome(writer, frame)
                    else:
                        self._take(worker, frame)
        finally:
            if worker is not None:
                writer.close()
                self._part(worker)

    def _welcome(self, writer: asyncio.StreamWriter, frame: Frame) -> _Worker:
        if frame.kind is not Kind.HELLO:
            raise FrameError(f"{frame.kind.name} came before HELLO")
        worker = _Worker(writer, frame.read())
        # The same worker over a new connection goes on counting where it was.
        worker.told = self._departed.take_back(worker.instance)
        if (former := self._workers.get(worker.instance)) is not None:
            worker.told = former.told
            former.writer.close()
        self._workers[worker.instance] = worker
        self._offer(worker)
        return worker

    def _take(self, worker: _Worker, frame: Frame) -> None:
        body = frame.read()
        if frame.kind is Kind.STATS:
            worker.tell(dict(body["stats"]))
        elif frame.kind is Kind.ACK:
            worker.acknowledge(str(body["version"]))
        elif frame.kind is Kind.NACK:
            _log.error("worker %d refuses snapshot %s: %s", worker.pid, worker.sent, body["reason"])
            worker.refuse(str(body["reason"]))
        elif frame.kind is Kind.MISFIT:
            _log.warning("worker %d needs the whole snapshot %s: %s", worker.pid, worker.sent, body["reason"])
            worker.misfit(str(body["reason"]))
        else:
            raise FrameError(f"a worker sends no {frame.kind.name}")
        self._offer(worker)

    def _part(self, worker: _Worker) -> None:
        worker.wake()
        if self._workers.get(worker.instance) is not worker:
            return
        del self._workers[worker.instance]
        self._departed.keep(worker.instance, worker.told.without_gauges())


async def _heard(worker: _Worker) -> None:
    while worker.asked and not worker.writer.is_closing():
        await worker.changed.wait()


async def _all_within(seconds: float, parts: list[Awaitable[None]]) -> None:
    """Wait for all, at most so long; what is not done then is given up."""
    if parts:
        _, late = await asyncio.wait([asyncio.ensure_future(part) for part in parts], timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
