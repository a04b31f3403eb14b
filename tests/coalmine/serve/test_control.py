"""The control process: what its end tells the supervisor."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from coalmine.errors import CatalogError, CoalmineError, StartupError
from coalmine.serve.children import GIVE_UP, TRY_AGAIN
from coalmine.serve.control import exit_code, run_while
from coalmine.serve.orders import Orders
from coalmine.settings import Settings


def caused(error: CoalmineError, cause: Exception | None) -> CoalmineError:
    error.__cause__ = cause
    return error


LOCKED = caused(CatalogError("the database is locked"), sqlite3.OperationalError("locked"))


@pytest.mark.parametrize(
    ("error", "snapshot", "code"),
    [
        (LOCKED, True, TRY_AGAIN),
        (LOCKED, False, GIVE_UP),
        (CatalogError("made by a newer version"), True, GIVE_UP),
        (StartupError("no"), True, GIVE_UP),
    ],
    ids=["may pass", "may pass, but nothing is served meanwhile", "does not pass", "not the catalog"],
)
def test_starting_again_is_for_what_may_pass(error: CoalmineError, snapshot: bool, code: int, tmp_path: Path) -> None:
    file = tmp_path / "x.db.snapshot.json"
    if snapshot:
        file.touch()
    assert exit_code(error, Orders(Settings(), fd=0, scratch="", snapshot_file=str(file))) == code


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
