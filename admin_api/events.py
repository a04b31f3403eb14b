"""``/api/v1/events``: server-sent events, one for each published snapshot.

A listener that is slow gets the newest version only: events say that something changed, not what.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from fastapi import APIRouter, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from coalmine.feed import SnapshotFeed
from coalmine.routing.snapshot import Snapshot

router = APIRouter(prefix="/api/v1", tags=["served"])


class SnapshotEvent(BaseModel):
    """The data of an event of the type ``snapshot``; its id is the version, too."""

    version: str
    routes: int
    problems: int


class Broadcast:
    """From the thread that publishes to the loops that listen."""

    def __init__(self, feed: SnapshotFeed) -> None:
        self._feed = feed
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False
        feed.subscribe(self._wake)

    def close(self) -> None:
        """End every stream; a server that waits for its connections would wait for ever."""
        self._closed = True
        self._wake()

    def _wake(self, snapshot: Snapshot | None = None) -> None:
        for event, loop in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def listen(self, seen: str | None) -> AsyncIterable[Snapshot]:
        """The current snapshot unless it is the one ``seen`` last, then each that is published."""
        changed = asyncio.Event()
        self._listeners[changed] = asyncio.get_running_loop()
        try:
            while not self._closed:
                changed.clear()
                snapshot = self._feed.current
                if snapshot.version != seen:
                    seen = snapshot.version
                    yield snapshot
                    continue
                await changed.wait()
        finally:
            del self._listeners[changed]


@router.get("/events", response_class=EventSourceResponse)
async def stream_events(request: Request) -> AsyncIterable[ServerSentEvent]:
    """An event `snapshot` now, and one whenever the engines are told of a new one; `Last-Event-ID` is honoured."""
    broadcast: Broadcast = request.app.state.broadcast
    async for snapshot in broadcast.listen(request.headers.get("last-event-id")):
        yield ServerSentEvent(event="snapshot", id=snapshot.version, data=summarise(snapshot))


def summarise(snapshot: Snapshot) -> SnapshotEvent:
    routes = sum(len(item.routes) for item in snapshot.virtual_services)
    return SnapshotEvent(version=snapshot.version, routes=routes, problems=len(snapshot.problems))
