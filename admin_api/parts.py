"""What the API is made of; the composition root passes it in, and handlers ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request

from admin_api.served import ByVersion, Served, index_snapshot
from coalmine.catalog import Catalog
from coalmine.feed import SnapshotFeed
from coalmine.model import ProbeReport
from coalmine.routing.table import RouteTable
from coalmine.settings import Settings


class Prober(Protocol):
    """Discovery as the API sees it."""

    def probe(self, upstream: str) -> ProbeReport:
        """Probe now; blocks until the report is there."""
        ...

    def wake(self) -> None:
        """Upstreams have changed: look again."""
        ...

    def outcomes(self) -> Mapping[str, int]:
        """How many probes there were, by what became of them."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    catalog: Catalog
    feed: SnapshotFeed
    prober: Prober
    settings: Settings
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _indexes: ByVersion[Served] = field(default_factory=lambda: ByVersion(index_snapshot))
    _tables: ByVersion[RouteTable] = field(default_factory=lambda: ByVersion(RouteTable.compile))

    def served(self) -> Served:
        """What the engines are told now, by definition."""
        return self._indexes.find(self.feed.current)

    def table(self) -> RouteTable:
        """What the engines make of it."""
        return self._tables.find(self.feed.current)


def find_parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


HasParts = Annotated[Parts, Depends(find_parts)]
