"""Pins: definitions of functions that routes go on with. This file performs no I/O.

A route is accepted with the definition that a function has at that time. When the service publishes one that breaks
those who call through the gateway, the route keeps the one it had, until somebody writes the route again.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from coalmine.model.base import Definition, Name
from coalmine.model.discovery import Document
from coalmine.model.function import Function


class Pin(Definition):
    """One function of one route."""

    route: Name
    upstream: Name
    function: str
    definition: Function = Field(description="what the route goes on with")
    document: Document | None = Field(None, description="with those components alone that the definition refers to")
    reasons: tuple[str, ...] = Field((), description="what breaks, the first few")
    since: datetime
