"""The discovery worker: keeps the functions of every upstream in the catalog as the services have them now.

Rule 1: one upstream's failure is its own; it never stops the loop or another upstream.
Rule 2: an upstream that is new, or was changed, is probed at once; a removed one is forgotten.
Rule 3: unchanged bytes cost one conditional request: no parse, no write, no publication.
Rule 4: the last good functions stay when the service is down (state ``stale``).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from coalmine.catalog import Catalog
from coalmine.model import DiscoveryState, ProbeReport, Upstream
from coalmine.model.upstream import why_not_discovered
from discovery.advice import Advisor, ContentFindings
from discovery.candidates import CANDIDATES
from discovery.options import ProbeOptions
from discovery.parsing import Parser
from discovery.probe import Fetcher
from discovery.save import load_sources, read_report, save, save_disabled, save_findings
from discovery.schedule import next_delay
from discovery.search import Outcome, Search, Source

log = logging.getLogger("coalmine.discovery")

T = TypeVar("T")

# Whoever changes upstreams calls `wake`; looking nevertheless finds what another process changed.
_REFRESH_SECONDS = 30.0
# After a start, what is known already is asked again within its interval, and at most within this time: all at once
# would take the processor from the workers that start, too.
_SPREAD_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class _Watch:
    """What the worker remembers about one upstream between probes."""

    upstream: Upstream
    due: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    # None until the first probe since the start, which asks unconditionally: this version may read more.
    sources: tuple[Source, ...] | None = None
    report: ProbeReport | None = None
    failures: int = 0


class DiscoveryWorker:
    """``changed`` is called (in a thread, it may block) after functions have changed; ``now`` is the calendar,
    ``clock`` the stopwatch in seconds, ``jitter`` draws from [0, 1)."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        changed: Callable[[], Any],
        options: ProbeOptions | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._catalog = catalog
        self._changed = changed
        self._options = options or ProbeOptions()
        self._now, self._clock, self._jitter = now, clock, jitter
        self._watches: dict[str, _Watch] = {}
        self.outcomes: defaultdict[str, int] = defaultdict(int)  # how many probes, by what became of them
        self._told: dict[str, str] = {}  # why upstreams are not looked at, as their reports have it
        self._queue: list[tuple[float, int, _Watch]] = []
        self._sequence = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = True
        self._look_again = False
        self._alarm = asyncio.Event()  # something is due, or somebody woke us
        self._made: tuple[Fetcher, Parser] | None = None
        # The catalog is synchronous. Threads of our own, so that slow name resolution cannot take the last one.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="discovery")
        self._at_once = asyncio.Semaphore(self._options.max_at_once)
        self._per_host: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(self._options.max_per_host)
        )
        self._advisor = Advisor(catalog, self._threads, self._take_findings)
        self._publishing = asyncio.Lock()
        self._to_publish = self._published = 0

    # Public ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. Open connections and the parsing process end with it."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._look_again = False
                await self._refresh()
                await self._probe_until(self._clock() + _REFRESH_SECONDS)
        finally:
            await self.close()

    def wake(self) -> None:
        """Upstreams have changed: look again. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._look_again = True
        self._alarm.set()

    async def probe_now(self, upstream: str) -> ProbeReport:
        """Probe once, out of turn; raises ``NotFoundError``. What it found is published when this returns."""
        definition = await self._in_thread(self._get_upstream, upstream)
        reason = self._why_not(definition)
        if reason is not None:
            return (await self._in_thread(save_disabled, self._catalog, {upstream: reason}))[upstream]
        return await self._probe(self._watch(definition))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._advisor.close()
        made, self._made = self._made, None
        if made is not None:
            await made[1].close()
        self._threads.shutdown(wait=False)

    # The loop ----------------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        """Take over what upstreams there are now."""
        try:
            upstreams, unread = await self._in_thread(self._list_upstreams)
        except Exception:
            log.exception("the catalog could not be read, upstreams stay as they were")
            return
        reasons = {each.name: self._why_not(each) for each in upstreams}
        for name in self._watches.keys() - {name for name, reason in reasons.items() if reason is None}:
            del self._watches[name]
        for upstream in upstreams:
            if reasons[upstream.name] is None:
                self._watch(upstream, spread=self._starting and upstream.name not in unread)
        self._starting = False
        await self._tell_disabled({name: reason for name, reason in reasons.items() if reason is not None})

    def _why_not(self, upstream: Upstream) -> str | None:
        if not self._options.enabled:
            return "discovery is switched off (--no-discovery)"
        return why_not_discovered(upstream, self._options.mode)

    async def _tell_disabled(self, reasons: dict[str, str]) -> None:
        """Why nobody looks stands in the report; what was told already is not written again."""
        news = {name: reason for name, reason in reasons.items() if self._told.get(name) != reason}
        try:
            if news:
                await self._in_thread(save_disabled, self._catalog, news)
            self._told = reasons
        except Exception:
            log.exception("why upstreams are not probed could not be written; it is tried again")

    def _watch(self, upstream: Upstream, *, spread: bool = False) -> _Watch:
        watch = self._watches.get(upstream.name)
        if watch is not None and watch.upstream == upstream:
            return watch
        wait = min(upstream.discovery.interval_seconds, _SPREAD_SECONDS) * self._jitter() if spread else 0.0
        watch = self._watches[upstream.name] = _Watch(upstream, self._clock() + wait)
        self._put(watch)
        return watch

    def _put(self, watch: _Watch) -> None:
        heapq.heappush(self._queue, (watch.due, next(self._sequence), watch))
        if self._queue[0][2] is watch:  # sooner than what the loop waits for
            self._alarm.set()

    async def _probe_until(self, end: float) -> None:
        """Start what is due, until ``end`` or until somebody wakes us."""
        while not self._look_again and self._clock() < end:
            self._alarm.clear()
            while self._queue and self._queue[0][0] <= self._clock():
                due, _, watch = heapq.heappop(self._queue)
                if self._is_current(watch) and due == watch.due:
                    self._start(watch)
            next_due = self._queue[0][0] if self._queue else end
            try:
                async with asyncio.timeout(max(0.0, min(next_due, end) - self._clock())):
                    await self._alarm.wait()
            except TimeoutError:
                continue

    def _is_current(self, watch: _Watch) -> bool:
        return self._watches.get(watch.upstream.name) is watch

    def _start(self, watch: _Watch) -> None:
        task = asyncio.create_task(self._probe_safely(watch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe_safely(self, watch: _Watch) -> None:
        try:
            await self._probe(watch)
        except Exception:
            log.exception("probing %s failed", watch.upstream.name)
            self.outcomes["failed"] += 1
            watch.failures += 1
            self._plan(watch, "unreachable")

    # One probe ---------------------------------------------------------------------------------------

    async def _probe(self, watch: _Watch) -> ProbeReport:
        host = urlsplit(watch.upstream.endpoints[0]).hostname or ""
        # The host first: waiting for a slow host must not take one of the overall places.
        async with watch.turn, self._per_host[host], self._at_once:
            started, clock = self._now(), self._clock()
            if watch.sources is None:
                watch.sources = await self._in_thread(load_sources, self._catalog, watch.upstream.name)
                watch.report = await self._in_thread(read_report, self._catalog, watch.upstream.name)
            fetcher, parser = self._tools()
            outcome = await Search(watch.upstream, fetcher, parser, self._options).run(watch.sources)
            return await self._finish(watch, outcome, started, self._clock() - clock)

    async def _finish(self, watch: _Watch, outcome: Outcome, started: datetime, seconds: float) -> ProbeReport:
        if outcome.unchanged and watch.report is not None and watch.report.state in ("discovered", "empty"):
            watch.failures = 0
            self.outcomes["unchanged"] += 1
            self._plan(watch, watch.report.state)
            return watch.report.model_copy(
                update={"started_at": started, "seconds": round(seconds, 3), "attempts": tuple(outcome.attempts)}
            )
        if not self._is_current(watch):  # changed or deleted meanwhile: what was found belongs to the past
            return watch.report or ProbeReport(upstream=watch.upstream.name, state="pending")
        saved = await self._in_thread(save, self._catalog, watch.upstream.name, outcome, watch.report, started, seconds)
        self.outcomes[saved.report.state] += 1
        succeeded = saved.report.state in ("discovered", "empty")
        watch.failures = 0 if succeeded else watch.failures + 1
        watch.report = saved.report
        if succeeded and not outcome.unchanged:
            watch.sources = outcome.sources
        self._plan(watch, saved.report.state, searched=not succeeded and len(outcome.attempts) > len(CANDIDATES) // 2)
        if saved.matters:
            await self._publish()
        if saved.unchecked:
            self._advisor.look_at(watch.upstream.name)
        return saved.report

    async def _take_findings(self, upstream: str, found: ContentFindings) -> None:
        watch = self._watches.get(upstream)
        async with watch.turn if watch else asyncio.Lock():
            report = await self._in_thread(save_findings, self._catalog, upstream, found)
            if watch is not None and report is not None:
                watch.report = report

    def _plan(self, watch: _Watch, state: DiscoveryState, *, searched: bool = False) -> None:
        interval = watch.upstream.discovery.interval_seconds
        delay = next_delay(interval, state, watch.failures, self._jitter(), searched=searched)
        watch.due = self._clock() + delay
        self._put(watch)

    async def _publish(self) -> None:
        """Publications that wait for the same lock are one: the first to get it speaks for all."""
        self._to_publish += 1
        mine = self._to_publish
        async with self._publishing:
            if self._published >= mine:
                return
            upto = self._to_publish
            await self._in_thread(self._changed)
            self._published = upto

    # Tools -------------------------------------------------------------------------------------------

    def _tools(self) -> tuple[Fetcher, Parser]:
        """Made at the first probe, on the loop that probes."""
        if self._made is None:
            self._made = (Fetcher(self._options), Parser())
        return self._made

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _get_upstream(self, name: str) -> Upstream:
        with self._catalog.read() as reader:
            return reader.get_upstream(name)

    def _list_upstreams(self) -> tuple[tuple[Upstream, ...], frozenset[str]]:
        """All of them, and the names of those never read, in one consistent reading."""
        found: list[Upstream] = []
        cursor: str | None = None
        with self._catalog.read() as reader:
            while True:
                page = reader.list_upstreams(cursor=cursor, limit=1000)
                found += page.items
                cursor = page.next_cursor
                if cursor is None:
                    return tuple(found), reader.unread()
