"""The control process: what its end tells the supervisor."""

from __future__ import annotations

import asyncio

import pytest

from coalmine.serve.control import run_while


async def for_ever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def failing() -> None:
    raise RuntimeError("broken")


def test_the_background_ends_with_what_it_is_for() -> None:
    asyncio.run(run_while(for_ever(), at_once()))


@pytest.mark.parametrize(("background", "leading"), [(failing, for_ever), (for_ever, failing)])
def test_a_part_that_fails_ends_the_other_and_is_told(background: object, leading: object) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(run_while(background(), leading()))  # type: ignore[operator]
