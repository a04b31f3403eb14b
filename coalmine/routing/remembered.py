"""Snapshots that were built already. This file performs no I/O.

A write compares what is served before it with what will be after it, and then publishes the latter: of these three
snapshots two were built before. Definitions that a catalog loads again are the same objects, so that telling whether
they are equal costs next to nothing.
"""

from __future__ import annotations

from coalmine.model import Definitions
from coalmine.routing.build import Builder
from coalmine.routing.snapshot import Snapshot

_REMEMBERED = 2  # before and after


class RememberedBuild:
    """``build_snapshot``, with a memory; may be called from any thread."""

    def __init__(self) -> None:
        self._builder = Builder()
        self._last: tuple[tuple[Definitions, Snapshot], ...] = ()

    def __call__(self, definitions: Definitions) -> Snapshot:
        for known, snapshot in self._last:
            if known == definitions:
                return snapshot
        snapshot = self._builder.build(definitions)
        self._last = ((definitions, snapshot), *self._last[: _REMEMBERED - 1])
        return snapshot
