"""A worker process for tests: prints what it applies, counts what it is told to count.

    python -m tests.coalmine.feed.worker SOCKET MODE INDEX VERSION

MODE: good; hang (the first snapshot blocks it for ever); refuse (every snapshot whose upstream is named bad).
Each line on standard input counts one request; ``stop`` cancels the client.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from coalmine.feed.client import FeedClient
from coalmine.feed.stats import RouteKey
from coalmine.routing.snapshot import Snapshot
from coalmine.routing.steps import finish
from proxy.embedded.stats import Stats

counted = 0


def apply(snapshot: Snapshot) -> None:
    if sys.argv[2] == "hang":
        print("hangs", flush=True)
        time.sleep(600)
    if sys.argv[2] == "refuse" and snapshot.upstreams[0].name == "bad":
        raise RuntimeError("cannot serve bad")
    print(f"applied {snapshot.version}", flush=True)


LABELS = ("main", "r", "f", "up", 200)
stored = Stats()


def stats(whole: bool, fold: frozenset[RouteKey]) -> str:
    """As the engine does it, at once."""
    stored.counters.retries = counted
    stored.fold(fold)
    return finish(stored.tell_by_steps({}, {"client_connections": 1}, whole=whole))


async def main() -> None:
    client = FeedClient(
        Path(sys.argv[1]), apply=apply, stats=stats, index=int(sys.argv[3]), version=sys.argv[4] or None
    )
    running = asyncio.create_task(client.run())
    threading.Thread(target=listen, args=(asyncio.get_running_loop(), running), daemon=True).start()
    await asyncio.wait([running])


def listen(loop: asyncio.AbstractEventLoop, running: asyncio.Task[None]) -> None:
    global counted
    for line in sys.stdin:
        if line == "stop\n":
            loop.call_soon_threadsafe(running.cancel)
            return
        counted += 1
        stored.find(LABELS).add(0.5)
        print(f"counted {counted}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
