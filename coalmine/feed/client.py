"""A worker's end of the feed.

Imported by workers: no SQL, no YAML, no web framework.
Rule 1: it connects again for ever; while there is no control process, what was applied last is served.
Rule 2: a version that is applied already is acknowledged, not applied again.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from coalmine.feed.frames import Frame, FrameError, Frames, Kind, write_frame
from coalmine.feed.parse import SnapshotParser
from coalmine.routing.snapshot import Snapshot

_READ_BYTES = 262_144
_LARGE_BYTES = 100_000  # takes more than a few milliseconds to parse: requests go on meanwhile
_FIRST_WAIT_SECONDS = 0.05  # the control process restarts within a second or so
_LONGEST_WAIT_SECONDS = 2.0
_log = logging.getLogger(__name__)

Apply = Callable[[Snapshot], Awaitable[None] | None]
AskStats = Callable[[], Awaitable[dict[str, Any]] | dict[str, Any]]


class FeedClient:
    """Calls ``apply`` with every new snapshot and ``stats`` whenever the control process asks.

    ``version`` is that of the snapshot that is applied already (from the snapshot file), None without one.
    """

    def __init__(
        self, path: Path, *, apply: Apply, stats: AskStats, index: int = 0, version: str | None = None
    ) -> None:
        self.version = version
        self.connected = False
        self._path = Path(path)
        self._apply = apply
        self._stats = stats
        self._index = index
        self._parser = SnapshotParser()
        self._instance = f"{os.getpid()}-{os.urandom(8).hex()}"

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
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  spreads workers, keeps no secret
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    async def _converse(self) -> bool:
        """One connection, to its end; whether anything was heard."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(write_frame(Kind.HELLO, self._hello()))
            self.connected = True
            frames, heard = Frames(), False
            while data := await reader.read(_READ_BYTES):
                heard = True
                for frame in frames.feed(data):
                    writer.write(await self._answer(frame))
            return heard
        except asyncio.CancelledError:
            writer.write(await self._tell())  # the last word of a worker that stops: nothing it counted is lost
            raise
        finally:
            writer.close()

    def _hello(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "index": self._index, "instance": self._instance, "version": self.version}

    async def _answer(self, frame: Frame) -> bytes:
        if frame.kind is Kind.SNAPSHOT:
            return await self._take(frame.body)
        if frame.kind is Kind.ASK_STATS:
            return await self._tell()
        raise FrameError(f"the control process sends no {frame.kind.name}")

    async def _tell(self) -> bytes:
        stats = self._stats()
        return write_frame(Kind.STATS, {"stats": await stats if inspect.isawaitable(stats) else stats})

    async def _parse(self, body: bytes) -> Snapshot:
        if len(body) < _LARGE_BYTES:
            return self._parser.parse(body)
        return await asyncio.to_thread(self._parser.parse, body)

    async def _take(self, body: bytes) -> bytes:
        try:
            snapshot = await self._parse(body)
            if snapshot.version != self.version:
                applied = self._apply(snapshot)
                if inspect.isawaitable(applied):
                    await applied
                self.version = snapshot.version
        except Exception as error:
            # Whatever is wrong with this snapshot, the last one is served on, and the control process is told.
            _log.exception("a snapshot cannot be applied")
            return write_frame(Kind.NACK, {"reason": f"{type(error).__name__}: {error}"})
        return write_frame(Kind.ACK, {"version": snapshot.version})
