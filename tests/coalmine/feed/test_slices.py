"""Long work leaves the loop its turns, and the collector out of it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Generator

import pytest

from coalmine.feed.slices import SLICE_SECONDS, collector_paused, forget, run_in_slices


def work(seconds: float) -> Generator[None, None, str]:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield
    return "done"


def test_the_loop_has_a_turn_after_every_slice_and_the_result_is_given() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scene() -> str:
        counting = asyncio.create_task(count())
        result = await run_in_slices(work(100 * SLICE_SECONDS))
        counting.cancel()
        return result

    assert asyncio.run(scene()) == "done"
    assert turns > 10, "a hundred where nobody else uses the processor"


def test_what_a_step_raises_is_raised() -> None:
    def fail() -> Generator[None, None, None]:
        yield
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(run_in_slices(fail()))


def test_forgetting_empties_a_list_by_steps() -> None:
    items = [1, 2, 3]
    steps = forget(items)
    lengths = [len(items) for _ in steps]
    assert lengths == [2, 1, 0]


@pytest.mark.parametrize("running", [True, False], ids=["running", "off before"])
def test_the_collector_rests_meanwhile_and_is_then_as_it_was(running: bool) -> None:
    if not running:
        gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() is running
    finally:
        gc.enable()
