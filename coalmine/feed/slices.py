"""Long work on an event loop that has requests to serve: a slice at a time.

A thread would not do: it holds the interpreter lock for five milliseconds at a time, and every callback of the loop
waits for it anew.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

# A proxied request takes some five turns of the loop, so that work under way costs it two or three milliseconds.
SLICE_SECONDS = 0.0005


async def run_in_slices(steps: Generator[None, None, T]) -> T:
    """What ``steps`` return; the loop has a turn after every slice."""
    while True:
        end = time.perf_counter() + SLICE_SECONDS
        try:
            while time.perf_counter() < end:
                next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        await asyncio.sleep(0)


def forget(items: list[Any] | dict[Any, Any]) -> Generator[None, None, None]:
    """Empty ``items`` by steps: freeing ten thousand routes at once takes a good while, too."""
    take = items.pop if isinstance(items, list) else items.popitem
    while items:
        take()
        yield


@contextmanager
def collector_paused() -> Iterator[None]:
    """For work that makes many long-lived objects, none of which refer to each other in circles.

    The garbage collector would look through them again and again, for a tenth of a second at a time where there are
    ten thousand routes.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
