"""The route table answers what a linear scan in effective order would, only faster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.model import Route
from coalmine.routing.decision import RequestHead
from coalmine.routing.order import order_routes
from coalmine.routing.snapshot import ServedRoute, ServedVirtualService, make_snapshot
from coalmine.routing.table import CompiledVirtualService, RouteTable


def route(name: str, match: dict[str, Any] | None = None, **more: Any) -> Route:
    return Route.model_validate({"name": name, "match": match or {}, "direct_response": {"status": 200}, **more})


def table_of(routes: Sequence[Route], domains: tuple[str, ...] = ("*",)) -> RouteTable:
    served = tuple(ServedRoute(one) for one in order_routes(routes))
    return RouteTable.compile(make_snapshot((), (ServedVirtualService("default", domains, served),)))


def service_of(*routes: Route) -> CompiledVirtualService:
    service = table_of(routes).find_virtual_service("any")
    assert service is not None
    return service


def head(path: str, method: str = "GET", headers: Sequence[tuple[str, str]] = (), **more: Any) -> RequestHead:
    return RequestHead(method, path, headers=[(name.encode(), value.encode()) for name, value in headers], **more)


def winner(service: CompiledVirtualService, request: RequestHead) -> str | None:
    matched = service.match(request)
    return matched.route.name if matched else None


# -- the winner is the one of a linear scan ------------------------------------------------------------------------

SEGMENTS = st.sampled_from(["a", "b", "c", "a.b", ""])
PATHS = st.lists(SEGMENTS, min_size=0, max_size=4).map(lambda parts: "/" + "/".join(parts))
TEMPLATE_SEGMENTS = st.sampled_from(["a", "b", "{%}", "{%}.b", "a.{%}", "{%}.{%}x", ""])


def _number(template: str) -> str:
    parts = template.split("%")
    return "".join(part + (f"n{index}" if index < len(parts) - 1 else "") for index, part in enumerate(parts))


TEMPLATES = st.lists(TEMPLATE_SEGMENTS, min_size=1, max_size=4).map(lambda parts: _number("/" + "/".join(parts)))
REGEXES = st.sampled_from(["/a.*", "/[ab]/c", "/a/(b|c)", ".*", "/a", "/(?P<x>[^/]*)/b"])
VALUES = st.sampled_from(["1", "2", "1,2", ""])
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"exact": VALUES}),
    st.fixed_dictionaries({"exact": VALUES, "invert": st.booleans()}),
    st.fixed_dictionaries({"regex": st.sampled_from(["1", "[12]+", ".*,.*"]), "invert": st.booleans()}),
    st.fixed_dictionaries({"present": st.booleans(), "invert": st.booleans()}),
)


def named(names: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.tuples(st.sampled_from(names), CONDITIONS).map(lambda pair: {"name": pair[0], **pair[1]})
    return st.lists(one, max_size=2)


MATCHES = st.fixed_dictionaries(
    {
        "path": st.one_of(
            PATHS.map(lambda path: {"exact": path}),
            PATHS.map(lambda path: {"prefix": path}),
            TEMPLATES.map(lambda path: {"template": path}),
            REGEXES.map(lambda pattern: {"regex": pattern}),
        ),
        "methods": st.lists(st.sampled_from(["GET", "POST", "HEAD"]), max_size=2),
        "headers": named(["X-A", "x-b"]),
        "query": named(["p", "q r"]),
        "source_cidrs": st.lists(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "::1/128"]), max_size=2),
    }
)
ROUTES = st.lists(st.tuples(MATCHES, st.sampled_from([0, 0, 0, 1, 5, -1])), max_size=12).map(
    lambda rows: [route(f"r{index}", match, priority=priority) for index, (match, priority) in enumerate(rows)]
)
HEADS = st.builds(
    head,
    PATHS,
    st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
    st.lists(st.tuples(st.sampled_from(["x-a", "x-b", "x-c"]), VALUES), max_size=4),
    query=st.sampled_from([None, "", "p=1", "p=2&p=1", "q+r=1", "q%20r", "p=1%2C2&q+r=2", "p"]),
    source=st.sampled_from(["10.1.2.3", "10.2.2.3", "::ffff:10.1.0.1", "::1", "192.0.2.1", "unix"]),
)


def values_hold(condition: dict[str, Any], values: list[str], *, joined: bool) -> bool:
    candidates = [*values, ",".join(values)] if joined and len(values) > 1 else values
    if condition["present"] is not None:
        verdict = bool(values) is condition["present"]
    elif condition["exact"] is not None:
        verdict = condition["exact"] in candidates
    else:
        verdict = any(re.fullmatch(condition["regex"], value) for value in candidates)
    return verdict is not condition["invert"]


def path_holds(path: dict[str, Any], given_path: str) -> bool:
    if path["exact"] is not None:
        return bool(path["exact"] == given_path)
    if path["prefix"] is not None:
        prefix = path["prefix"].removesuffix("/")
        return given_path == prefix or given_path.startswith(prefix + "/")
    if path["regex"] is not None:
        return re.fullmatch(path["regex"], given_path) is not None
    parts = re.split(r"\{[^}]*\}", path["template"])
    return re.fullmatch("[^/]+".join(map(re.escape, parts)), given_path) is not None


def holds(definition: Route, request: RequestHead) -> bool:
    match = definition.match.model_dump()
    methods = match["methods"]
    query = [pair.partition("=") for pair in (request.query or "").split("&") if pair]
    networks = {"10.1.2.3": {"10.0.0.0/8", "10.1.0.0/16"}, "10.2.2.3": {"10.0.0.0/8"}, "::1": {"::1/128"}}
    networks["::ffff:10.1.0.1"] = networks["10.1.2.3"]
    sources = set(match["source_cidrs"])
    return (
        path_holds(match["path"], request.path)
        and (not methods or request.method in methods or (request.method == "HEAD" and "GET" in methods))
        and all(values_hold(one, request.values(one["name"].lower().encode()), joined=True) for one in match["headers"])
        and all(
            values_hold(
                one,
                [unquote_plus(value) for name, _, value in query if unquote_plus(name) == one["name"]],
                joined=False,
            )
            for one in match["query"]
        )
        and (not sources or bool(sources & networks.get(request.source, set())))
    )


@settings(max_examples=400, deadline=None)
@given(ROUTES, st.lists(HEADS, min_size=1, max_size=6))
def test_the_winner_is_the_first_match_of_a_linear_scan_in_effective_order(
    routes: list[Route], requests: list[RequestHead]
) -> None:
    service = service_of(*routes)
    ordered = order_routes(routes)
    for request in requests:
        expected = next((one.name for one in ordered if holds(one, request)), None)
        assert winner(service, request) == expected
