"""The route table answers what a linear scan in effective order would, only faster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.model import Route
from coalmine.routing import table as table_module
from coalmine.routing.decision import RequestHead
from coalmine.routing.order import order_routes
from coalmine.routing.snapshot import ServedRoute, ServedVirtualService, make_snapshot
from coalmine.routing.table import CompiledVirtualService, RouteTable
from tests.coalmine.routing.definitions import head, route


def table_of(routes: Sequence[Route], domains: tuple[str, ...] = ("*",)) -> RouteTable:
    served = tuple(ServedRoute(one) for one in order_routes(routes))
    return RouteTable.compile(make_snapshot((), (ServedVirtualService("default", domains, served),)))


def service_of(*routes: Route) -> CompiledVirtualService:
    service = table_of(routes).find_virtual_service("any")
    assert service is not None
    return service


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


# -- what a match tells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "given_path", "captures", "rest"),
    [
        pytest.param({"exact": "/a"}, "/a", {}, "", id="an exact path leaves nothing"),
        pytest.param({"prefix": "/a"}, "/a", {}, "", id="a whole prefix leaves nothing"),
        pytest.param({"prefix": "/a"}, "/a/b/c", {}, "/b/c", id="a prefix leaves the rest"),
        pytest.param({"prefix": "/a/"}, "/a/", {}, "/", id="a slash at the end of a prefix means nothing"),
        pytest.param({"prefix": "/"}, "/a", {}, "/a", id="the root leaves everything"),
        pytest.param({"prefix": "/a//"}, "/a//b", {}, "/b", id="empty segments are segments"),
        pytest.param({"template": "/a/{b}"}, "/a/x%20y", {"b": "x%20y"}, "", id="a template captures raw text"),
        pytest.param({"template": "/a/{b}.{c}"}, "/a/x.y", {"b": "x", "c": "y"}, "", id="parts of a segment"),
        pytest.param({"regex": "/(?P<a>[^/]+)/(b)"}, "/x/b", {"a": "x"}, "", id="a pattern captures named groups"),
        pytest.param({"regex": "/(.*)"}, "/x", {}, "", id="a pattern without names captures nothing"),
        pytest.param({"exact": "/%61/caf%c3%a9"}, "/a/caf%C3%A9", {}, "", id="definitions are normalised"),
    ],
)
def test_a_match_tells_captures_and_rest(
    path: dict[str, str], given_path: str, captures: dict[str, str], rest: str
) -> None:
    matched = service_of(route("r", {"path": path})).match(head(given_path))
    assert matched is not None
    assert (matched.captures, matched.rest) == (captures, rest)


@pytest.mark.parametrize(
    ("path", "given_path"),
    [
        pytest.param({"prefix": "/findPets"}, "/findPetsX", id="a prefix is whole segments"),
        pytest.param({"prefix": "/a/b"}, "/a", id="a prefix is not shorter than itself"),
        pytest.param({"exact": "/a"}, "/a/", id="a slash at the end counts"),
        pytest.param({"template": "/a/{b}"}, "/a/b/c/d", id="a template takes no more segments"),
        pytest.param({"template": "/a/{b}"}, "/c/b", id="a template's literals count"),
        pytest.param({"template": "/a/{b}/c"}, "/a/b", id="a template takes no fewer segments"),
        pytest.param({"regex": "/a"}, "/a/b", id="a pattern takes the whole path"),
        pytest.param({"regex": "("}, "/a", id="a broken pattern takes nothing"),
        pytest.param({"exact": "/../a"}, "/a", id="a path that is none takes nothing"),
    ],
)
def test_other_paths_do_not_match(path: dict[str, str], given_path: str) -> None:
    assert service_of(route("r", {"path": path})).match(head(given_path)) is None


@pytest.mark.parametrize("kind", ["exact", "prefix", "template", "regex"])
def test_priority_dominates_every_index(kind: str) -> None:
    urgent = route("urgent", {"path": {kind: "/a/b"}}, priority=1)
    others = [route(other, {"path": {other: "/a/b"}}) for other in ("exact", "prefix", "template", "regex")]
    assert winner(service_of(*others, urgent), head("/a/b")) == "urgent"


def test_a_header_canary_wins_whenever_it_was_added() -> None:
    plain = route("plain", {"path": {"prefix": "/a"}})
    canary = route("canary", {"path": {"prefix": "/a"}, "headers": [{"name": "x-canary", "exact": "true"}]})
    for service in (service_of(plain, canary), service_of(canary, plain)):
        assert winner(service, head("/a", headers=[("x-canary", "true")])) == "canary"
        assert winner(service, head("/a", headers=[("x-canary", "no")])) == "plain"
        assert winner(service, head("/a")) == "plain"


def test_a_pattern_behind_the_best_match_is_not_asked() -> None:
    first = route("first", {"path": {"regex": "/a.*"}}, priority=2)
    second = route("second", {"path": {"regex": "/.*"}}, priority=1)
    assert winner(service_of(second, first), head("/ab")) == "first"
    assert winner(service_of(second, first), head("/b")) == "second"


def test_query_values_are_told_apart() -> None:
    routes = [
        route(f"q{n}", {"query": [{"name": "v", "exact": f"{n}"}, {"name": "w", "present": True}]}) for n in "123"
    ]
    service = service_of(*routes)
    assert winner(service, head("/", query="v=2&w")) == "q2"
    assert winner(service, head("/", query="v=3&v=2&w")) == "q2", "the older one, whatever comes first"
    assert winner(service, head("/", query="v=2")) is None
    assert winner(service, head("/", query="v=4&w")) is None


def test_header_values_are_told_apart_even_joined() -> None:
    routes = [
        route(f"h{value.replace(',', '.')}", {"headers": [{"name": "v", "exact": value}]})
        for value in ("1,2", "3", "2")
    ]
    service = service_of(*routes)
    assert winner(service, head("/", headers=[("v", "2"), ("v", "3")])) == "h3"
    assert winner(service, head("/", headers=[("v", "3"), ("v", "2")])) == "h3"
    assert winner(service, head("/", headers=[("v", "1"), ("v", "2")])) == "h1.2"
    assert winner(service, head("/", headers=[("v", "1"), ("v", "1")])) is None


def test_a_path_that_a_better_kind_takes_is_not_looked_for_any_further() -> None:
    routes = [
        route("deep", {"path": {"prefix": "/a/b"}}),
        route("root", {"path": {"prefix": "/"}}),
        route("first", {"path": {"prefix": "/a"}}, priority=1),
    ]
    assert winner(service_of(*routes), head("/a/b")) == "first"
    templates = [route("whole", {"path": {"template": "/{a}/{b}"}}), route("half", {"path": {"template": "/a/{b}"}})]
    assert winner(service_of(*templates), head("/a/b")) == "half"
    assert winner(service_of(*templates), head("/b/b")) == "whole"


def test_a_path_of_very_many_segments_costs_no_more_than_the_deepest_route() -> None:
    service = service_of(route("p", {"path": {"prefix": "/a/b"}}), route("t", {"path": {"template": "/a/{b}"}}))
    assert service.match(head("/" * 60_000)) is None


# -- domains -------------------------------------------------------------------------------------------------------

DOMAINS = ("example.com", "*.example.com", "*.a.example.com", "[::1]")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        pytest.param("example.com", "example.com", id="exact"),
        pytest.param("EXAMPLE.com.:8080", "example.com", id="case, port and the dot at the end do not matter"),
        pytest.param("b.example.com", "*.example.com", id="a suffix"),
        pytest.param("c.b.example.com", "*.example.com", id="a suffix takes several labels"),
        pytest.param("b.a.example.com", "*.a.example.com", id="the longest suffix wins"),
        pytest.param("[::1]:8080", "[::1]", id="an address"),
        pytest.param("[::1", None, id="a broken address"),
        pytest.param("myexample.com", None, id="a suffix is whole labels"),
        pytest.param("a." * 200 + "example.com", None, id="longer than any name"),
        pytest.param("", None, id="no host"),
    ],
)
def test_the_most_specific_domain_wins(host: str, domain: str | None) -> None:
    services = tuple(ServedVirtualService(one, (one,)) for one in DOMAINS)
    found = RouteTable.compile(make_snapshot((), services)).find_virtual_service(host)
    assert (found.name if found else None) == domain


def test_a_star_takes_every_other_host() -> None:
    services = (ServedVirtualService("all", ("*",)), ServedVirtualService("one", ("one.test", "*")))
    snapshot = make_snapshot((), services)
    table = RouteTable.compile(snapshot)
    assert table.version == snapshot.version
    assert [service.name for host in ("x", "", "one.test") if (service := table.find_virtual_service(host))] == [
        "all",
        "all",
        "one",
    ]


def test_hosts_are_remembered_and_never_too_many_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_HOSTS", 3)
    services = (ServedVirtualService("all", ("*",)), ServedVirtualService("one", ("one.test",)))
    table = RouteTable.compile(make_snapshot((), services))
    for number in range(10):
        for host, name in ((f"{number}.test", "all"), ("one.test", "one"), ("ONE.test:80", "one")):
            found = table.find_virtual_service(host)
            assert found is not None and found.name == name
            assert len(table._hosts) <= 3


# -- why not -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        ({"path": {"exact": "/b"}}, "path is /b"),
        ({"path": {"prefix": "/b"}}, "path starts with /b"),
        ({"path": {"template": "/b/{c}"}}, "path fits /b/{c}"),
        ({"path": {"regex": "/b"}}, "path matches /b"),
        ({"path": {"regex": "("}}, "path cannot be read"),
        ({"methods": ["GET"]}, "method is GET or HEAD"),
        ({"headers": [{"name": "a", "exact": "1"}]}, "header a is '1'"),
        ({"methods": ["POST"]}, None),
    ],
)
def test_a_route_says_what_a_request_lacks(match: dict[str, Any], reason: str | None) -> None:
    refusal = service_of(route("r", match)).routes[0].match.refusal(head("/a", "POST"))
    assert (refusal is None) if reason is None else (refusal is not None and refusal.startswith(reason))


def test_a_path_that_cannot_be_read_binds_nothing() -> None:
    assert service_of(route("r", {"path": {"regex": "("}})).routes[0].match.path.bind("/a") == ({}, "")
