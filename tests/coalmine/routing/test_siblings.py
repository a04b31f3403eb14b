"""Siblings: paths that differ in their last segment, and what is known of all of them without looking at each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.model import Destination, Function, Route
from coalmine.routing.build import build_snapshot
from coalmine.routing.decision import Forward
from coalmine.routing.standing import PLAIN_SEGMENT, find_siblings, find_standing
from coalmine.routing.table import RouteTable
from tests.support.case import HOST, define, function, param, route, to

FUNCTIONS = (
    function("one", "GET", "/f/{x}", param("x", "path")),
    function("inside", "GET", "/g/{x}/h.{x}", param("x", "path")),
    function("two", "GET", "/k/{x}/{y}/end", param("x", "path"), param("y", "path")),
    function("none", "GET", "/n", param("limit", "query")),
    function("listed", "GET", "/l/{x}", param("x", "path", {"type": "array", "items": {"type": "string"}})),
    function("asking", "POST", "/q/{x}", param("x", "path"), param("t", "header", required=True), body="text/plain"),
)


def table_of(*routes: Route, functions: tuple[Function, ...] = FUNCTIONS) -> RouteTable:
    return RouteTable.compile(build_snapshot(define(*routes, functions=functions)))


def by_siblings(table: RouteTable, method: str, path: str) -> list[Forward] | None:
    """What they tell of ``path``; None: nothing."""
    directory, _, segment = path.rpartition("/")
    siblings = find_siblings(table, HOST, method, directory)
    if siblings is None or PLAIN_SEGMENT.fullmatch(segment) is None or siblings.leads_elsewhere(segment):
        return None
    return [
        replace(forward, target=before if behind is None else before + segment + behind)
        for forward, (before, behind) in zip(siblings.standing.forwards, siblings.targets, strict=True)
    ]


SEGMENTS = ("a", "b", "7")
DEPTHS = [list(product(SEGMENTS, repeat=depth)) for depth in (1, 2, 3)]
ASKED = ["/" + "/".join(segments) for paths in DEPTHS for segments in paths]


def paths_of(*segments: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(segments), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


MATCHES = st.one_of(
    paths_of(*SEGMENTS).map(lambda path: {"exact": path}),
    paths_of(*SEGMENTS).map(lambda path: {"prefix": path}),
    paths_of("a", "{x}", "{y}", "{z}", "b{x}").map(lambda path: {"template": path}),
    st.sampled_from(["/a/.*", "/.*/b", "/a/[0-9]"]).map(lambda text: {"regex": text}),
)
GIVEN: Any = st.sampled_from([{}, {}, {}, {"x": "fixed"}, {":path": "/a/{x}"}])
CALLED = st.sampled_from([None, None, None, "one", "one", "two", "none", "inside", "asking"])
DESTINATIONS = st.builds(lambda called, given: to("v1", called, **(given if called else {})), CALLED, GIVEN)
REWRITES = st.sampled_from([None, None, {"prefix": "/z"}, {"regex": {"pattern": "7", "substitution": "8"}}])
METHODS = st.sampled_from([[], [], [], ["GET"], ["POST"]])
ROUTES = st.lists(st.tuples(MATCHES, DESTINATIONS, REWRITES, METHODS, st.sampled_from([0, 0, 1])), max_size=5)


def build(rows: list[tuple[Any, Destination, Any, list[str], int]]) -> list[Route]:
    made = [route("all", "/", to("v1"), priority=-1)]
    for index, (match, destination, rewrite, methods, priority) in enumerate(rows):
        more: Any = {"methods": methods, "priority": priority, "rewrite": None if destination.function else rewrite}
        with suppress(ValueError):  # two names alike in a template
            made.append(route(f"r{index}", match, destination, **more))
    return made


@settings(max_examples=250)
@given(ROUTES.map(build))
def test_what_siblings_tell_is_what_each_of_them_is_told(routes: list[Route]) -> None:
    table = table_of(*routes)
    for path in ASKED:
        told = by_siblings(table, "GET", path)
        if told is not None:
            standing = find_standing(table, HOST, "GET", path)
            assert standing is not None
            assert told == standing.forwards


BY_ID = {"template": "/pets/{x}"}


@pytest.mark.parametrize(
    ("routes", "path", "target"),
    [
        ([route("r", BY_ID, to("v1", "one"))], "/pets/7", "/f/7"),
        ([route("r", "/pets", to("v1", "one"))], "/pets/7", "/f/7"),
        ([route("r", "/", to("v1"))], "/7", "/7"),
        ([route("r", "/", to("v1"))], "/a/b/7", "/a/b/7"),
        ([route("r", "/pets", to("v1"), rewrite={"prefix": "/z"})], "/pets/7", "/z/7"),
        ([route("r", {"template": "/{x}/of/{y}"}, to("v1", "two"))], "/a/of/7", "/k/a/7/end"),
        ([route("r", "/two", to("v1", "two"))], "/two/a/7", "/k/a/7/end"),
        ([route("r", BY_ID, to("v1"), rewrite={"prefix": "/z"})], "/pets/7", "/z"),
        ([route("r", BY_ID, to("v1", "one")), route("s", {"exact": "/pets/8"}, to("v2"))], "/pets/7", "/f/7"),
    ],
)
def test_they_are_known_by_the_first(routes: list[Route], path: str, target: str) -> None:
    told = by_siblings(table_of(*routes), "GET", path)
    assert told is not None
    assert [forward.target for forward in told] == [target]


@pytest.mark.parametrize(
    ("why", "routes", "path"),
    [
        ("no route", [], "/pets/7"),
        ("a route of its own", [route("r", BY_ID, to("v1")), route("s", {"exact": "/pets/7"}, to("v2"))], "/pets/7"),
        ("a prefix of its own", [route("r", BY_ID, to("v1")), route("s", "/pets/7", to("v2"))], "/pets/7"),
        (
            "a template that spells it",
            [route("r", "/", to("v1")), route("s", {"template": "/{x}/7"}, to("v2"))],
            "/pets/7",
        ),
        (
            "a template for a part of it",
            [route("r", "/", to("v1")), route("s", {"template": "/pets/{x}.x"}, to("v2"))],
            "/pets/7",
        ),
        (
            "a pattern before it",
            [route("r", "/", to("v1")), route("s", {"regex": "/pets/[0-9]"}, to("v2"), priority=1)],
            "/pets/7",
        ),
        (
            "a pattern rewrites it",
            [route("r", "/", to("v1"), rewrite={"regex": {"pattern": "7", "substitution": "8"}})],
            "/pets/7",
        ),
        (
            "a template of the destination reads it",
            [route("r", "/", to("v1", "one", **{":path": "/pets/{x}"}))],
            "/pets/7",
        ),
        ("the header decides", [route("r", BY_ID, to("v1"), headers=[{"name": "a", "exact": "b"}])], "/pets/7"),
        ("a list is another thing", [route("r", BY_ID, to("v1", "listed"))], "/pets/7"),
        ("not plain", [route("r", BY_ID, to("v1"))], "/pets/a%20b"),
        ("empty", [route("r", "/", to("v1"))], "/pets/"),
        ("a directory that may be read in another way", [route("r", "/", to("v1"))], "/a//7"),
        ("it stands in the target twice", [route("r", BY_ID, to("v1", "inside"))], "/pets/7"),
    ],
)
def test_nothing_is_known_where_one_may_differ(why: str, routes: list[Route], path: str) -> None:
    assert by_siblings(table_of(*routes), "GET", path) is None
