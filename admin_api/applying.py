"""A whole set of definitions, written in one transaction: every fault of all of it is told, or all of it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from admin_api.checks import gather, make_default
from admin_api.pages import walk
from coalmine.catalog import Writer
from coalmine.errors import DefinitionError, Fault
from coalmine.manifests import ConfigSet, parse_manifests
from coalmine.routing.build import DEFAULT
from coalmine.routing.check import RouteChecker, check_virtual_service


def read_set(documents: list[Any]) -> ConfigSet:
    """The set in the documents of a body; raises DefinitionError with pointers into the body."""
    # A body of one document needs no index of documents in its pointers.
    outer = "/0" if len(documents) == 1 else ""
    try:
        config = parse_manifests(documents)
    except DefinitionError as error:
        raise DefinitionError(_move(fault, fault.pointer.removeprefix(outer)) for fault in error.faults) from None
    return replace(config, pointers={name: at.removeprefix(outer) for name, at in config.pointers.items()})


def apply_set(writer: Writer, config: ConfigSet, *, remove_others: bool) -> None:
    """Write all of ``config``; raises DefinitionError with the faults of every route, which undoes it."""
    _remove(writer, config, remove_others=remove_others)
    for upstream in config.upstreams:
        writer.put_upstream(upstream)
    for virtual_service in config.virtual_services:
        writer.put_virtual_service(virtual_service)
    for route in config.routes:
        writer.put_route(route)
    faults = _check(writer, config)
    if any(route.virtual_service == DEFAULT for route in config.routes):
        faults += make_default(writer)
    if faults:
        raise DefinitionError(faults)


def _remove(writer: Writer, config: ConfigSet, *, remove_others: bool) -> None:
    """Routes that are replaced are written anew: then the listed order is the order of their ages."""
    if remove_others:
        _remove_others(writer, config)
    for route in list(walk(writer.list_routes)):
        if remove_others or route.virtual_service in config.whole_virtual_services:
            writer.delete_route(route.name)


def _remove_others(writer: Writer, config: ConfigSet) -> None:
    """An upstream that stays is not deleted first: its functions would go with it."""
    for name in set(writer.names("upstream")) - {item.name for item in config.upstreams}:
        writer.delete_upstream(name)
    for name in set(writer.names("virtual_service")) - {item.name for item in config.virtual_services}:
        writer.delete_virtual_service(name)


def _check(writer: Writer, config: ConfigSet) -> list[Fault]:
    definitions = gather(writer, config.routes)
    # Nobody can know yet which functions an upstream has that this very set brings.
    tolerate = definitions.pending & {item.name for item in config.upstreams}
    faults: list[Fault] = []
    for virtual_service in config.virtual_services:
        where = config.pointers.get(f"virtual-services/{virtual_service.name}", "")
        faults += _below(where, check_virtual_service(virtual_service, definitions))
    checker = RouteChecker(definitions, tolerate=tolerate)
    for route in config.routes:
        where = config.pointers.get(f"routes/{route.name}", "")
        found = checker.check(route)
        if route.virtual_service in config.whole_virtual_services:
            # Gloo's keys are not ours: the pointer leads to the route, the detail has to tell the rest.
            faults += [_move(fault, where) for fault in found]
        else:
            faults += _below(where, found)
    return faults


def _below(where: str, faults: Iterable[Fault]) -> list[Fault]:
    return [_move(fault, where + fault.pointer) for fault in faults]


def _move(fault: Fault, pointer: str) -> Fault:
    return Fault(pointer, fault.code, fault.detail, fault.hint)
