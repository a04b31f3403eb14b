"""What the API is made of; the composition root passes it in, and handlers ask for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from admin_api.served import Served, ServedIndex
from coalmine.catalog import Catalog
from coalmine.feed import SnapshotFeed
from coalmine.model import ProbeReport
from coalmine.settings import Settings


class Prober(Protocol):
    """Discovery as the API sees it."""

    def probe(self, upstream: str) -> ProbeReport:
        """Probe now; blocks until the report is there."""
        ...

    def wake(self) -> None:
        """Upstreams have changed: look again."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    catalog: Catalog
    feed: SnapshotFeed
    prober: Prober
    settings: Settings
    index: ServedIndex = field(default_factory=ServedIndex)

    def served(self) -> Served:
        """What the engines are told now."""
        return self.index.find(self.feed.current)


def find_parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


HasParts = Annotated[Parts, Depends(find_parts)]
