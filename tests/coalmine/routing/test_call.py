"""Calls of functions: what the case table cannot say in one row."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.action import compile_action
from coalmine.routing.build import build_snapshot
from coalmine.routing.call import check_segment
from coalmine.routing.decide import decide
from coalmine.routing.decision import Forward, ReadBody, Reply
from coalmine.routing.path import normalize_path
from coalmine.routing.table import RouteTable
from tests.support.case import Call, Case, Request, ask, define, function, get, param, problem, route, to
from tests.support.dry import check, make_head, run

ARRAY = {"type": "array", "items": {"type": "string"}}
OBJECT = {"type": "object"}
FUNCTIONS = (
    function("whole", "GET", "/a/{x}/z", param("x", "path")),
    function("part", "GET", "/a/.{x}.{y}", param("x", "path"), param("y", "path")),
    function("label", "GET", "/a/{x}", param("x", "path", ARRAY, style="label", explode=True)),
    function("matrix", "GET", "/a/{x}", param("x", "path", style="matrix")),
    function("both", "GET", "/a/{x}", param("x", "path"), param("x", "query")),
    function("filter", "GET", "/f", param("filter", "query", OBJECT, style="deepObject", required=True)),
    function("open", "GET", "/o", param("options", "query", OBJECT, required=True), param("q", "query")),
    function("search", "GET", "/s/{x}", param("x", "path"), param("options", "query", OBJECT, required=True)),
    function("cookies", "GET", "/c", param("a", "cookie", required=True), param("b", "cookie", default="2")),
    function("twice", "GET", "/t/{x}/{x}", param("x", "path"), param("unused", "path")),
    function("head", "HEAD", "/h"),
    function("list", "GET", "/l/{x}", param("x", "path", ARRAY)),
    function("defaulted", "GET", "/d/{x}", param("x", "path", default="all")),
)
TABLE = RouteTable.compile(
    build_snapshot(
        define(
            *(route(one.name, f"/{one.name}", to("v1", one.name)) for one in FUNCTIONS),
            route("tenant", "/tenant", to("v1", "both", x="{header.x-a}")),
            route("listed", "/listed", to("v1", "list", x="{query.ids}")),
            route("joined", "/joined", to("v1", "list", x="a{query.ids}")),
            route("literal-list", "/literal-list", to("v1", "list", x="1,2")),
            route("empty", "/empty", to("v1", "list", x="")),
            route("field", "/field", to("v1", "list", x="{body.ids}")),
            route("named-both", {"template": "/named/{x}"}, to("v1", "both")),
            functions=FUNCTIONS,
        )
    )
)


def target(request: Request) -> str | Reply:
    decided = run(Case("", "", define(), request, Call("", "", "")), TABLE)
    return decided.target if isinstance(decided, Forward) else decided


# The promise: whatever the value, the call has the segments, and only the query, that the function's template has.
_VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("./\\%2eEfF;?#&=:@ \0\r\n"),
    st.binary().map(lambda data: data.decode("latin-1")),
)


@pytest.mark.parametrize(("name", "segments"), [("whole", 3), ("label", 2), ("matrix", 2), ("both", 2)])
@given(value=_VALUES)
def test_no_path_value_changes_the_segments_of_the_target(name: str, segments: int, value: str) -> None:
    made = target(get(f"/{name}?other=1&x={quote(value, safe='')}"))
    if isinstance(made, Reply):
        assert made.code in ("invalid_parameter", "missing_parameter")
        return
    path, _, query = made.partition("?")
    assert query == ("other=1" if name != "both" else f"other=1&x={quote(value, safe='')}")
    assert path.count("/") == segments
    assert path.startswith("/a/")
    assert normalize_path(path).count("/") == segments
    for text in (unquote(path), unquote(unquote(path))):
        assert ".." not in text.replace("\\", "/").split("/")


@given(x=_VALUES, y=_VALUES)
def test_no_values_together_make_a_dot_segment(x: str, y: str) -> None:
    made = target(ask("POST", f"/part?x={quote(x, safe='')}&y={quote(y, safe='')}"))
    assert isinstance(made, Reply) or made.count("/") == 2


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_path_value_arrives_as_it_was_sent(value: str) -> None:
    made = target(get(f"/whole?x={quote(value, safe='')}"))
    if isinstance(made, str):
        assert unquote(made) == f"/a/{value}/z"


ROWS: list[tuple[str, Request, str]] = [
    ("an exploded label, from its own style", get("/label/.1.2"), "/a/.1.2"),
    ("an exploded label, from bare values", get("/label/1,2"), "/a/.1.2"),
    ("a matrix, from its own style", get("/matrix/;x=7"), "/a/;x=7"),
    ("a matrix, from a bare value", get("/matrix/7"), "/a/;x=7"),
    ("one name in two places", get("/both?x=7"), "/a/7?x=7"),
    ("one capture for two places", get("/named/7"), "/a/7?x=7"),
    ("a list from several query parameters", get("/listed?ids=1&ids=2&a=b"), "/l/1,2?a=b"),
    ("a list from one query parameter", get("/listed?ids=1,2%2C3"), "/l/1,2%2C3"),
    ("a list inside a text takes the first", get("/joined?ids=1&ids=2"), "/l/a1"),
    ("a literal list", get("/literal-list"), "/l/1,2"),
    ("a literal that is nothing falls back", get("/empty/7"), "/l/7"),
    ("a list from a body", ask("POST", "/field", body='{"ids": [1, 2]}', kind="application/json"), "/l/1,2"),
    ("a default in the path", get("/defaulted"), "/d/all"),
    ("a deep object that is there", get("/filter?filter[a]=1&filter%5Bb%5D=2"), "/f?filter[a]=1&filter%5Bb%5D=2"),
    ("properties that stand for themselves", get("/open?a=1"), "/o?a=1"),
    ("a taken parameter is no property", get("/search?x=7&a=1"), "/s/7?a=1"),
    ("a placeholder that stands twice", get("/twice/7"), "/t/7/7"),
    ("a HEAD function stays HEAD", get("/head"), "/h"),
]


@pytest.mark.parametrize(("request_", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_target(request_: Request, expected: str) -> None:
    assert target(request_) == expected


REFUSED: list[tuple[str, Request, str]] = [
    ("a deep object that is not there", get("/filter?filters[a]=1"), "missing_parameter"),
    ("properties that belong to another parameter", get("/open?q=1"), "missing_parameter"),
    ("properties that were taken", get("/search?x=7"), "missing_parameter"),
    ("a list of nothing", ask("POST", "/list", body='{"x": [""]}', kind="application/json"), "missing_parameter"),
    ("two dots in a list", get("/list?x=.."), "invalid_parameter"),
    ("a label of nothing", get("/label?x="), "missing_parameter"),
]


@pytest.mark.parametrize(("request_", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(request_: Request, code: str) -> None:
    made = target(request_)
    assert isinstance(made, Reply)
    assert made.code == code


def test_cookies_replace_those_of_the_same_name_only() -> None:
    expected = Call("v1", "GET", "/c", headers=(("cookie", "x=1; a=5; b=2"),))
    case = Case("", "", define(), get("/cookies", cookie="x=1; a=5"), expected)
    check(case, run(case, TABLE))


def test_a_call_without_a_parameter_says_which_and_of_what() -> None:
    case = Case("", "", define(), get("/cookies"), problem("missing_parameter", 400, parameter="a"))
    decided = run(case, TABLE)
    check(case, decided)
    assert isinstance(decided, Reply)
    assert decided.detail == "function cookies needs the cookie parameter a"
    assert decided.route is not None
    assert decided.destination is not None


@pytest.mark.parametrize(
    ("segments", "detail"),
    [
        ("/1", "function head has no path parameters to fill, and /1 has 1 segment"),
        ("/1/2", "function head has no path parameters to fill, and /1/2 has 2 segments"),
    ],
)
def test_segments_left_over_are_counted(segments: str, detail: str) -> None:
    made = target(get(f"/head{segments}"))
    assert isinstance(made, Reply)
    assert made.detail == detail


def test_a_body_is_asked_for_once_and_only_where_it_is_needed() -> None:
    head = make_head(ask("POST", "/whole", body='{"x": 1}', kind="application/json"))
    decision = decide(TABLE, head, lambda: 0.5, body_limit=100)
    assert isinstance(decision, ReadBody)
    assert (decision.limit, decision.route.name) == (100, "whole")
    resumed = decision.resume(b'{"x": 1}')
    assert isinstance(resumed, Forward)
    assert (resumed.target, resumed.body) == ("/a/1/z", "none")
    assert isinstance(decide(TABLE, make_head(get("/whole/1")), lambda: 0.5), Forward)


def test_a_body_that_was_announced_and_is_empty_has_no_fields() -> None:
    head = make_head(ask("POST", "/whole", kind="application/json"))
    head.headers = (*head.headers, (b"transfer-encoding", b"chunked"))
    decision = decide(TABLE, head, lambda: 0.5)
    assert isinstance(decision, ReadBody)
    resumed = decision.resume(b"")
    assert isinstance(resumed, Reply)
    assert resumed.code == "missing_parameter"


def test_a_content_length_of_zero_is_no_body() -> None:
    head = make_head(get("/whole", content_length="0"))
    decision = decide(TABLE, head, lambda: 0.5)
    assert isinstance(decision, Reply)
    assert decision.code == "missing_parameter"


@pytest.mark.parametrize("segment", ["a", "..a", "a..", "%2E%2Ea", "a%2Fb", "", "..."])
def test_harmless_segments(segment: str) -> None:
    assert check_segment(segment) is None


@pytest.mark.parametrize(
    "segment", [".", "..", "%2e%2e", "%252e%252e", "..%2Fx", "x%5C..", "..;x", "..%3Bx", "%00", "a%0A"]
)
def test_harmful_segments(segment: str) -> None:
    assert check_segment(segment) is not None


def test_an_action_is_compiled_for_every_route_of_a_table() -> None:
    served = [one for service in TABLE.snapshot.virtual_services for one in service.routes]
    assert all(compile_action(one).choose is not None for one in served)
