"""All definitions at one moment: what a Snapshot is built from. This file performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from coalmine.model.discovery import Document
from coalmine.model.function import Function
from coalmine.model.pin import Pin
from coalmine.model.route import Route, VirtualService
from coalmine.model.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Definitions:
    """``routes`` stand oldest first: their age decides between otherwise equal ones.

    ``functions`` holds at least those that routes use. ``pending`` names the upstreams whose document has
    never been read: nobody knows yet which functions they have. ``documents`` holds those of the upstreams that
    routes with ``validate`` send to: the schemas of functions refer to them. ``pins`` say which routes go on with
    another definition of a function than the one in ``functions``.
    """

    upstreams: tuple[Upstream, ...] = ()
    functions: tuple[Function, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    routes: tuple[Route, ...] = ()
    pending: frozenset[str] = frozenset()
    documents: tuple[Document, ...] = ()
    pins: tuple[Pin, ...] = ()
