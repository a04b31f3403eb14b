"""Listed order, kept through priorities: as few and as small ones as there can be.

Some manifests mean their list order (the first matching route wins), Coalmine computes the order. A route gets
a priority only where a later one would be asked first although both can take the same request:

    priority(i) = max over later j that overlap i of: priority(j), plus 1 where the computed order puts j first

which is the least solution of "i before j" for all such pairs. Routes that the computed order has no opinion
about keep the listed order by their age: applying a manifest writes all routes of its virtual service anew.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from coalmine.model import PathMatch, Route
from coalmine.routing.order import order_routes
from coalmine.routing.path import normalize_definition


def keep_listed_order(routes: Sequence[Route]) -> list[Route]:
    """The routes with the priorities that make the computed order agree with the listed one."""
    rank = {route.name: index for index, route in enumerate(order_routes(routes))}
    priorities = [0] * len(routes)
    for first in range(len(routes) - 1, -1, -1):
        for later in range(first + 1, len(routes)):
            needed = priorities[later] + (rank[routes[later].name] < rank[routes[first].name])
            if needed > priorities[first] and overlap(routes[first], routes[later]):
                priorities[first] = needed
    return [
        route.model_copy(update={"priority": priority}) if priority else route
        for route, priority in zip(routes, priorities, strict=True)
    ]


def overlap(one: Route, other: Route) -> bool:
    """False only if no request can match both; a doubt is a True."""
    methods = set(one.match.methods), set(other.match.methods)
    if all(methods) and not methods[0] & methods[1]:
        return False
    return _paths_overlap(one.match.path, other.match.path)


def _paths_overlap(one: PathMatch, other: PathMatch) -> bool:
    texts = _literal(one), _literal(other)
    if texts[0] is None or texts[1] is None:
        return True
    if one.exact is not None and other.exact is not None:
        return texts[0] == texts[1]
    return (other.prefix is not None and _is_under(texts[0], texts[1])) or (
        one.prefix is not None and _is_under(texts[1], texts[0])
    )


def _literal(path: PathMatch) -> str | None:
    """The text of an exact path or a prefix, in its one spelling; None where it cannot be told."""
    text = path.exact if path.exact is not None else path.prefix
    try:
        return None if text is None else normalize_definition(text)
    except ValueError:
        return None


def _is_under(path: str, prefix: str) -> bool:
    """Whether ``path`` is the prefix or below it, by whole segments."""
    return f"{path.rstrip('/')}/".startswith(f"{prefix.rstrip('/')}/")
