"""Canaries: the release of a new version that is under way on one route. This file performs no I/O.

A canary remembers what was there before it started, so that ``abort`` restores exactly that, and what it
wrote last, so that a change somebody made by hand in between is noticed and never overwritten in silence.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from coalmine.model.base import Definition, Name
from coalmine.model.route import Destination, HeaderMatch, Route


class Canary(Definition):
    """One canary; ``name`` is the name of its base route, so a route has at most one."""

    name: Name
    virtual_service: Name
    destination: Destination = Field(description="the new version")
    header: HeaderMatch | None = Field(None, description="requests with it always get the new version")
    percent: int = Field(0, ge=0, le=100, description="share of the other requests that get the new version")
    before: Route = Field(description="the base route as it was before start; abort restores it")
    written: Route = Field(description="the base route as this canary wrote it last")
    header_route: Route | None = Field(None, description="the route with the header condition, as it was written")
    header_route_adopted: bool = Field(False, description="the header route stood there before start")
    started: datetime | None = None
