"""The door: what is wrong with a route or virtual service that somebody wants to store.

Rule 1: this file performs no I/O. It answers with every fault at once; pointers are relative to the object.
Rule 2: it is stricter than ``build_snapshot``: what is refused here would be stored with a problem there.
Rule 3: an unknown name comes with the nearest known one. ``definitions`` must hold all functions of the upstreams that
    the route names; a function that left its document is still one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from coalmine.errors import Fault, nearest
from coalmine.model import Definitions, Destination, Function, Route, VirtualService
from coalmine.routing.build import DEFAULT
from coalmine.routing.edits import find_edit_faults
from coalmine.routing.known import Known
from coalmine.routing.local import find_local_faults
from coalmine.routing.overrides import PATH_KEY, find_captures, find_override_faults

_NEVER_IN_PATHS = re.compile(r"[\x00-\x20\x7f?#]")


def check_route(route: Route, definitions: Definitions, *, tolerate: frozenset[str] = frozenset()) -> list[Fault]:
    """The faults of ``route``. Functions of upstreams in ``tolerate`` are not judged: nobody can know them yet."""
    return RouteChecker(definitions, tolerate=tolerate).check(route)


def check_virtual_service(service: VirtualService, definitions: Definitions) -> list[Fault]:
    """The faults of ``service``; one of the same name in ``definitions`` is the one it replaces."""
    owners = {
        domain: other.name
        for other in reversed(definitions.virtual_services)
        if other.name != service.name
        for domain in other.domains
    }
    faults: list[Fault] = []
    for index, domain in enumerate(service.domains):
        if domain in owners:
            detail = f"the domain {domain} belongs to the virtual service {owners[domain]}"
            hint = f"take it away there, or add the routes to {owners[domain]}"
            faults.append(Fault(f"/domains/{index}", "domain_conflict", detail, hint))
        if domain in service.domains[:index]:
            faults.append(Fault(f"/domains/{index}", "duplicate_name", f"the domain {domain} stands twice"))
    return faults


class RouteChecker:
    """Checks many routes against the same definitions."""

    def __init__(self, definitions: Definitions, *, tolerate: frozenset[str] = frozenset()) -> None:
        self._known = Known(definitions)
        self._tolerate = tolerate

    def check(self, route: Route, is_unread: Callable[[str], bool] = lambda pointer: False) -> list[Fault]:
        """``is_unread`` tells the places that could not be read: nothing is said that depends on them."""
        faults = [*self._check_virtual_service(route), *find_local_faults(route), *find_edit_faults(route)]
        is_path_unread = is_unread("/match/path/template") or is_unread("/match/path/regex")
        captures = None if is_path_unread else find_captures(route.match.path)
        for index, destination in enumerate(route.destinations):
            pointer = f"/destinations/{index}"
            faults += self._check_target(pointer, destination.upstream, destination.function)
            if not is_unread(f"{pointer}/function"):
                known = None if is_unread(f"{pointer}/parameters/{PATH_KEY}") else captures
                function = self._find_function(destination)
                faults += find_override_faults(f"{pointer}/parameters", destination, function, known)
        if route.mirror is not None:
            faults += self._check_target("/mirror", route.mirror.upstream, route.mirror.function)
        if route.rewrite is not None and not is_unread("/destinations") and _has_functions_only(route):
            detail = "a rewrite is for destinations without a function: a function brings its own path"
            faults.append(Fault("/rewrite", "invalid_value", detail, "leave the rewrite or the functions out"))
        return [*faults, *_find_substitution_faults(route)]

    def _check_virtual_service(self, route: Route) -> Iterator[Fault]:
        name = route.virtual_service
        if name != DEFAULT and name not in self._known.virtual_services:
            detail = f"no virtual service {name}"
            hint = did_you_mean(name, self._known.virtual_services)
            yield Fault("/virtual_service", "unknown_virtual_service", detail, hint)

    def _find_function(self, destination: Destination) -> Function | None:
        if destination.function is None or destination.upstream in self._tolerate:
            return None
        return self._known.find_function(destination.upstream, destination.function)

    def _check_target(self, pointer: str, upstream: str, function: str | None) -> Iterator[Fault]:
        if upstream not in self._known.upstreams:
            hint = did_you_mean(upstream, self._known.upstreams)
            yield Fault(f"{pointer}/upstream", "unknown_upstream", f"no upstream {upstream}", hint)
        elif function is None or upstream in self._tolerate:
            return
        elif self._known.find_function(upstream, function) is None:
            yield self._unknown_function(f"{pointer}/function", upstream, function)

    def _unknown_function(self, pointer: str, upstream: str, function: str) -> Fault:
        detail = f"no function {function} on {upstream}"
        if upstream in self._known.pending:
            hint = f"look why: upstreams/{upstream}/report, or coalmine discover {upstream}"
            return Fault(pointer, "unknown_function", f"{detail}: its document was never read", hint)
        others = self._known.upstreams_with(function)
        meant = did_you_mean(function, self._known.function_names(upstream))
        return Fault(pointer, "unknown_function", detail, f"{others[0]} has one" if others else meant)


def _find_substitution_faults(route: Route) -> Iterator[Fault]:
    """A substitution with such a character is RE2's idea of fine, and every request would be refused for it."""
    regex = None if route.rewrite is None else route.rewrite.regex
    if regex is None:
        return
    pointer = "/rewrite/regex/substitution"
    if _NEVER_IN_PATHS.search(regex.substitution):
        detail = "a path has no space, control character, ? or #, so every request would be refused"
        yield Fault(pointer, "invalid_value", detail, "write %20, %3F or %23, or leave it out")
    if group := re.search(r"\$([0-9])", regex.substitution):
        detail = f"{group[0]} stands for itself here; a group of the pattern is \\{group[1]}"
        yield Fault(pointer, "invalid_value", detail, "write %24 for a dollar sign before a digit")


def _has_functions_only(route: Route) -> bool:
    return all(destination.function for destination in route.destinations)


def did_you_mean(name: str, names: frozenset[str] | list[str]) -> str | None:
    found = nearest(name, sorted(names))
    return None if found is None else f"did you mean {found}?"
