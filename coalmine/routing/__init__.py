"""Routing: which route takes a request, and what becomes of it. Pure: no I/O, no clock, no SQL.

How it works, in the order in which things happen:

    check     ``check_route`` judges one definition at the door, with hints for its writer
    build     ``build_snapshot`` turns all definitions into a Snapshot. What is bad keeps its place and answers with
              its problem; nothing falls through to the next route, which would silently reroute canary traffic
    compile   ``RouteTable.compile`` indexes a snapshot: a dict of exact paths, a trie of templates, a list of patterns,
              a trie of prefixes, and within one path a dict by the value of a header or query parameter
    match     ``RouteTable.find_virtual_service(host)`` and ``CompiledVirtualService.match(head)``: the first route of
              the effective order that matches. The order (``order``) is computed and priority dominates it, so an
              index never answers on its own: each yields candidates with their ranks, and the lowest rank wins
    decide    ``decide.decide`` adds chance: a Forward, a Reply, or a ReadBody when the call needs the body
    explain   ``explain.explain``: the same once more, with a reason for every route that lost

A path has one spelling (``path``): what is matched is what is sent. The semantics of every matcher stand at the head
of ``conditions`` (headers, query, source), ``matcher`` (paths) and ``hosts`` (domains).

Importing this package loads nothing; names are loaded when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coalmine.routing.build import build_snapshot
    from coalmine.routing.check import RouteChecker, check_route, check_virtual_service
    from coalmine.routing.decision import Decision, Forward, ReadBody, Reply, RequestHead
    from coalmine.routing.names import generate_name
    from coalmine.routing.order import order_routes
    from coalmine.routing.path import normalize_path
    from coalmine.routing.shadow import find_shadowed
    from coalmine.routing.snapshot import EMPTY, Snapshot, dump_snapshot, make_snapshot, parse_snapshot
    from coalmine.routing.table import CompiledRoute, CompiledVirtualService, Matched, RouteTable

_HOMES = {
    "build": ("build_snapshot",),
    "check": ("RouteChecker", "check_route", "check_virtual_service"),
    "decision": ("Decision", "Forward", "ReadBody", "Reply", "RequestHead"),
    "names": ("generate_name",),
    "order": ("order_routes",),
    "path": ("normalize_path",),
    "shadow": ("find_shadowed",),
    "snapshot": ("EMPTY", "Snapshot", "dump_snapshot", "make_snapshot", "parse_snapshot"),
    "table": ("CompiledRoute", "CompiledVirtualService", "Matched", "RouteTable"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "EMPTY",
    "CompiledRoute",
    "CompiledVirtualService",
    "Decision",
    "Forward",
    "Matched",
    "ReadBody",
    "Reply",
    "RequestHead",
    "RouteChecker",
    "RouteTable",
    "Snapshot",
    "build_snapshot",
    "check_route",
    "check_virtual_service",
    "dump_snapshot",
    "find_shadowed",
    "generate_name",
    "make_snapshot",
    "normalize_path",
    "order_routes",
    "parse_snapshot",
]


def __getattr__(name: str) -> Any:
    """PEP 562. ``decide`` and ``explain`` are not among the names: they are those of their modules."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
