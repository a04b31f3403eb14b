"""What a fault is, and what is told of it, for ``bench.faults``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.running import Running

CLIENTS = 20  # at once, of which each has one request under way
ANY = 1 << 30


@dataclass
class Outcome:
    noticed: str = ""
    mended: str = ""


@dataclass(frozen=True)
class Fault:
    """``disturb`` does it, waits until it is mended, and tells what it saw. ``may_lose``: requests, at most."""

    name: str
    disturb: Callable[[Running], Outcome]
    may_lose: int = 0
    path: str = "/ok"
    small_disk: bool = False
    modes_count: bool = False  # mode bits of files bind the gateway, even where root runs it
    arguments: Callable[[Path], tuple[str, ...]] = lambda folder: ()  # for the gateway, whose folder it is
