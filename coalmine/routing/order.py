"""The effective order of routes: computed, so that nobody has to juggle a list.

Rule 1: this file performs no I/O.
Rule 2: the first route of this order that matches a request takes it, whatever else is written here.

    1. priority, the higher first: it dominates everything
    2. kind of path: exact, template, regex, prefix
    3. within templates: more literal segments first, then more partly literal ones (``{id}.json`` before ``{id}``);
       within prefixes: more segments first, then more characters
    4. more conditions first: methods (as one), each header, each query parameter, source networks (as one)
    5. the oldest first, then by name
"""

from __future__ import annotations

from collections.abc import Iterable

from coalmine.model import Match, PathMatch, Route
from coalmine.routing.matcher import PrefixPath, TemplatePath, compile_path

Key = tuple[int, int, int, int, int]

_EXACT, _TEMPLATE, _REGEX, _PREFIX = range(4)


def order_routes(routes: Iterable[Route]) -> list[Route]:
    """``routes`` (oldest first) in effective order. A path that cannot be read stands last of its kind."""
    return sorted(routes, key=order_key)  # stable, so age decides between equals; no two have one age


def order_key(route: Route) -> Key:
    """Everything but the age; lower comes first."""
    kind, first, second = _path_key(route.match.path)
    return -route.priority, kind, -first, -second, -count_conditions(route.match)


def count_conditions(match: Match) -> int:
    return bool(match.methods) + len(match.headers) + len(match.query) + bool(match.source_cidrs)


def _path_key(path: PathMatch) -> tuple[int, int, int]:
    if path.exact is not None:
        return _EXACT, 0, 0
    if path.regex is not None:
        return _REGEX, 0, 0
    kind = _TEMPLATE if path.template is not None else _PREFIX
    try:
        compiled = compile_path(path)
    except ValueError:
        return kind, -1, 0
    if isinstance(compiled, TemplatePath):
        return kind, compiled.template.literals, compiled.template.partials
    assert isinstance(compiled, PrefixPath)
    return kind, compiled.prefix.count("/"), len(compiled.prefix)
