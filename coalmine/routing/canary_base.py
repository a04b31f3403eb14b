"""Which route a canary is about, and what it releases.

Rule 1: this file performs no I/O.
Rule 2: a reference is ``virtual-service/x``, where x is the name of a route, else a function that a route calls, else
    the path of a route without its first slash. Without a virtual service, every one is searched.
Rule 3: the base route is the one with the fewest conditions among those for the same path; a route that is named is
    meant as it is, unless it is itself the header route of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coalmine.errors import ConflictError, NotFoundError, nearest
from coalmine.model import Definitions, Destination, Match, PathMatch, Route
from coalmine.routing.order import count_conditions, order_routes


def resolve_base(definitions: Definitions, reference: str) -> Route:
    """The base route that ``reference`` means; raises NotFoundError, or ConflictError where it may mean several."""
    routes, wanted = _scope(definitions, reference)
    found = _find_candidates(routes, wanted)
    if not found:
        raise _not_found(definitions, routes, reference)
    bases = {base.name: base for base in (_base_of(route, routes) for route in found)}
    fewest = min(count_conditions(base.match) for base in bases.values())
    paths = {base.match.path for base in bases.values()}
    least = [base for base in bases.values() if count_conditions(base.match) == fewest]
    if len(paths) > 1 or len(least) > 1:
        names = ", ".join(sorted(bases))
        raise ConflictError(
            f"{reference} may mean several routes: {names}",
            code="canary_conflict",
            hint=f"name one of them, such as {least[0].virtual_service}/{least[0].name}",
        )
    return _check_base(least[0])


def find_header_route(definitions: Definitions, reference: str, base: Route) -> Route | None:
    """The one route that takes more specific requests of ``base`` by a header, and so is a canary made by hand."""
    _, wanted = _scope(definitions, reference)
    narrower = [route for route in definitions.routes if _narrows_by_header(route, base) and route.destinations]
    named = [route for route in narrower if route.name == wanted]
    if len(named or narrower) > 1:
        names = ", ".join(route.name for route in narrower)
        raise ConflictError(
            f"several routes for the path of {base.name} ask for a header: {names}",
            code="canary_conflict",
            hint=f"name the one that is the canary, such as {base.virtual_service}/{narrower[0].name}",
        )
    found = next(iter(named or narrower), None)
    if found is not None and len(found.destinations) > 1:
        raise ConflictError(
            f"route {found.name} has several destinations, so no single one is the new version",
            code="canary_conflict",
            hint="leave it the one that is to be released",
        )
    return found


def find_target(definitions: Definitions, base: Route, upstream: str, function: str | None) -> Destination:
    """The new version as a destination; without ``function`` the one that ``base`` calls. Raises NotFoundError."""
    names = [one.name for one in definitions.upstreams]
    if upstream not in names:
        raise NotFoundError(f"there is no upstream {upstream}", hint=_did_you_mean(upstream, names))
    old = base.destinations[0]
    wanted = function or old.function
    if wanted is not None:
        _check_function(definitions, upstream, wanted)
    if any((one.upstream, one.function) == (upstream, wanted) for one in base.destinations):
        raise ConflictError(
            f"route {base.name} goes to {upstream}{'/' + wanted if wanted else ''} already",
            code="canary_conflict",
            hint="give the canary another upstream or another function",
        )
    return Destination(upstream=upstream, function=wanted, parameters=old.parameters if wanted == old.function else {})


def _scope(definitions: Definitions, reference: str) -> tuple[list[Route], str]:
    """The routes that ``reference`` may mean, in effective order, and what stands behind the virtual service."""
    service, slash, rest = reference.partition("/")
    known = {one.name for one in definitions.virtual_services} | {one.virtual_service for one in definitions.routes}
    if slash and service in known:
        return order_routes(route for route in definitions.routes if route.virtual_service == service), rest
    return order_routes(definitions.routes), reference


def _find_candidates(routes: Sequence[Route], wanted: str) -> list[Route]:
    named = [route for route in routes if route.name == wanted]
    calling = [route for route in routes if any(one.function == wanted for one in route.destinations)]
    path = wanted.strip("/")
    return named or calling or [route for route in routes if _path_text(route.match.path).strip("/") == path]


def _path_text(path: PathMatch) -> str:
    return path.exact or path.prefix or path.template or path.regex or ""


def _base_of(route: Route, routes: Iterable[Route]) -> Route:
    """The route with the fewest conditions of which ``route`` is a narrower case by header."""
    wider = [one for one in routes if _narrows_by_header(route, one)]
    return min(wider, key=lambda one: count_conditions(one.match), default=route)


def _narrows_by_header(narrow: Route, wide: Route) -> bool:
    """Whether ``narrow`` asks for all that ``wide`` asks for, and for more headers."""
    one, other = narrow.match, wide.match
    same = narrow.virtual_service == wide.virtual_service and _without_headers(one) == _without_headers(other)
    return same and len(one.headers) > len(other.headers) and all(header in one.headers for header in other.headers)


def _without_headers(match: Match) -> Match:
    return match.model_copy(update={"headers": ()})


def _check_base(base: Route) -> Route:
    if not base.destinations:
        raise ConflictError(
            f"route {base.name} sends requests nowhere, so it has no version to replace",
            code="canary_conflict",
            hint="a canary needs a route with destinations",
        )
    return base


def _check_function(definitions: Definitions, upstream: str, name: str) -> None:
    known = {one.name: one for one in definitions.functions if one.upstream == upstream}
    if name in known and known[name].state == "active":
        return
    hint: str | None
    if name in known:
        hint = "it left the upstream's document; a canary releases functions that are there"
    elif upstream in definitions.pending:
        hint = f"the document of {upstream} was not read yet: coalmine discover {upstream}"
    else:
        hint = _did_you_mean(name, [one.name for one in known.values() if one.state == "active"])
    raise NotFoundError(f"upstream {upstream} has no function {name}", hint=hint)


def _did_you_mean(name: str, names: Sequence[str]) -> str | None:
    close = nearest(name, names)
    return f"did you mean {close}?" if close else None


def _not_found(definitions: Definitions, routes: Sequence[Route], reference: str) -> NotFoundError:
    service, slash, rest = reference.partition("/")
    names = [route.name for route in routes]
    names += [one.function for route in routes for one in route.destinations if one.function]
    known = [one.name for one in definitions.virtual_services]
    if slash and service not in known and (close := nearest(service, known)):
        hint: str | None = f"did you mean {close}/{rest}?"
    else:
        hint = _did_you_mean(rest or reference, names)
    return NotFoundError(
        f"no route, function or path of a route is called {reference}",
        hint=hint or "coalmine get routes lists what there is",
    )
