"""Canaries: the release of a new version that is under way on one route. This file performs no I/O.

A canary remembers what was there before it started, so that ``abort`` restores exactly that, and what it
wrote last, so that a change somebody made by hand in between is noticed and never overwritten in silence. It
remembers what had been counted, too, so that the requests since its start can be told from those before.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from coalmine.model.base import Definition, Name, Whole
from coalmine.model.route import Destination, HeaderMatch, Route


class Tally(Definition):
    """What was counted of one version. ``buckets`` are pairs: upper bound in seconds, requests within it."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    buckets: tuple[tuple[float, int], ...] = ()


class Baseline(Definition):
    """What workers had counted at the start: by worker, then by version, as ``upstream/function``.

    ``control`` is the control process that added it up; another one knows less of workers that are gone.
    """

    control: str
    alive: tuple[str, ...] = Field((), description="the workers that were running")
    workers: dict[str, dict[str, Tally]] = Field(default_factory=dict)


class Canary(Definition):
    """One canary; ``name`` is the name of its base route, so a route has at most one."""

    name: Name
    virtual_service: Name
    destination: Destination = Field(description="the new version")
    header: HeaderMatch | None = Field(None, description="requests with it always get the new version")
    percent: Whole = Field(0, ge=0, le=100, description="share of the other requests that get the new version")
    before: Route = Field(description="the base route as it was before start; abort restores it")
    written: Route = Field(description="the base route as this canary wrote it last")
    header_route: Route | None = Field(None, description="the route with the header condition, as it was written")
    header_route_adopted: bool = Field(False, description="the header route stood there before start")
    started: datetime | None = None
    baseline: Baseline | None = Field(None, description="what had been counted when it started; not shown")
