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
    if one.exact is not None and other.exact is not None:
        return one.exact == other.exact
    if one.prefix is not None:
        return _under(other.exact or other.prefix, one.prefix) or _under(one.prefix, other.prefix)
    if other.prefix is not None:
        return _under(one.exact, other.prefix)
    return True


def _under(path: str | None, prefix: str | None) -> bool:
    """Whether ``path`` is the prefix or below it, by whole segments; True where nobody can say."""
    return (
        path is None
        or prefix is None
        or path.rstrip("/").startswith(prefix.rstrip("/") + "/")
        or (path.rstrip("/") == prefix.rstrip("/"))
    )
