"""A worker's end of the feed.

Imported by workers: no SQL, no YAML, no web framework.
Rule 1: it connects again for ever; while there is no control process, what was applied last is served.
Rule 2: a version that is applied already is acknowledged, not applied again.
Rule 3: a change that does not fit what was applied last is not guessed at: the whole snapshot is asked for.
Rule 4: requests go on while a snapshot is read and applied.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from coalmine.feed.change import MisfitError, read_change
from coalmine.feed.frames import Frame, FrameError, Frames, Kind, write_frame
from coalmine.feed.slices import collector_paused, run_in_slices
from coalmine.feed.stats import RouteKey
from coalmine.routing.snapshot import Snapshot

_READ_BYTES = 262_144
_FIRST_WAIT_SECONDS = 0.05  # the control process restarts within a second or so
_LONGEST_WAIT_SECONDS = 2.0
_log = logging.getLogger(__name__)

# Compiled, they are some forty thousand objects; looking through fewer takes the garbage collector a few milliseconds.
_MANY_ROUTES = 1_000

Apply = Callable[[Snapshot], Awaitable[None] | None]
# Called with ``whole`` (all series, not only those that have changed) and the routes to be counted together from now
# on; gives JSON for ``Told.take``.
TellStats = Callable[[bool, frozenset[RouteKey]], Awaitable[str] | str]


class FeedClient:
    """Calls ``apply`` with every new snapshot and ``stats`` when the control process asks, whole at first and at last.

    ``version`` is that of the snapshot that is applied already (from the snapshot file), None without one.
    """

    def __init__(
        self, path: Path, *, apply: Apply, stats: TellStats, index: int = 0, version: str | None = None
    ) -> None:
        self.version = version
        self.connected = False
        self._path = Path(path)
        self._apply = apply
        self._stats = stats
        self._index = index
        self._last: Snapshot | None = None  # applied last
        self._told = False  # something, over this connection
        self._instance = f"{os.getpid()}-{os.urandom(8).hex()}"

    def start_from(self, snapshot: Snapshot) -> None:
        """``snapshot`` is applied already: only what differs from it is still wanted."""
        self.version, self._last = snapshot.version, snapshot

    async def run(self) -> None:
        """Until cancelled, which sends the last stats."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                if await self._converse():
                    wait = _FIRST_WAIT_SECONDS
            except (OSError, FrameError) as error:
                _log.debug("the feed is away: %s", error)
            finally:
                self.connected = False
            try:
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  spreads workers, keeps no secret
            except asyncio.CancelledError:
                await self._say_last()
                raise
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    async def _converse(self) -> bool:
        """One connection, to its end; whether anything was heard."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(write_frame(Kind.HELLO, self._hello()))
            self.connected, self._told = True, False
            frames, heard = Frames(), False
            while data := await reader.read(_READ_BYTES):
                heard = True
                for frame in frames.feed(data):
                    writer.write(await self._answer(frame))
            return heard
        except asyncio.CancelledError:
            # The last word of a worker that stops: nothing it counted is lost, not even what it was just telling.
            writer.write(await self._tell(whole=True))
            raise
        finally:
            writer.close()

    def _hello(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "index": self._index, "instance": self._instance, "version": self.version}

    async def _say_last(self) -> None:
        """The last word of a worker that stops while the control process is only just back."""
        with suppress(OSError):
            _, writer = await asyncio.open_unix_connection(self._path)
            writer.write(write_frame(Kind.HELLO, self._hello()) + await self._tell(whole=True))
            writer.close()
            await writer.wait_closed()

    async def _answer(self, frame: Frame) -> bytes:
        if frame.kind is Kind.SNAPSHOT:
            with collector_paused():
                return await self._take(frame.body)
        if frame.kind is Kind.ASK_STATS:
            return await self._tell(whole=not self._told, fold=frozenset(map(_read_key, frame.read().get("fold", ()))))
        raise FrameError(f"the control process sends no {frame.kind.name}")

    async def _tell(self, *, whole: bool, fold: frozenset[RouteKey] = frozenset()) -> bytes:
        said = self._stats(whole, fold)
        stats = await said if inspect.isawaitable(said) else said
        self._told = True
        return write_frame(Kind.STATS, f'{{"stats":{stats}}}'.encode())

    async def _take(self, body: bytes) -> bytes:
        # Let go before the new one is applied: whoever serves it frees the old one gently.
        last, self._last = self._last, None
        try:
            snapshot = await run_in_slices(read_change(last, body))
            many = _count_new(last, snapshot) > _MANY_ROUTES
            del last
            if snapshot.version != self.version:
                applied = self._apply(snapshot)
                if inspect.isawaitable(applied):
                    await applied
                self.version = snapshot.version
            self._last = snapshot
            if many:
                gc.freeze()  # the collector shall not look through them again
        except MisfitError as error:
            return write_frame(Kind.MISFIT, {"reason": str(error)})
        except Exception as error:
            # Whatever is wrong with this snapshot, the last one is served on, and the control process is told.
            _log.exception("a snapshot cannot be applied")
            return write_frame(Kind.NACK, {"reason": f"{type(error).__name__}: {error}"})
        return write_frame(Kind.ACK, {"version": snapshot.version})


def _read_key(key: list[str]) -> RouteKey:
    virtual_service, route = key
    return virtual_service, route


def _count_new(last: Snapshot | None, snapshot: Snapshot) -> int:
    """How many routes are in virtual services that have to be compiled."""
    same = set() if last is None else set(map(id, last.virtual_services))
    return sum(len(service.routes) for service in snapshot.virtual_services if id(service) not in same)
