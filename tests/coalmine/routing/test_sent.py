"""What the client itself put into a parameter."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.routing.binding import Binding
from coalmine.routing.decision import RequestHead
from coalmine.routing.plan import make_call_parameter
from coalmine.routing.sent import read_sent
from coalmine.routing.sources import Sources
from tests.support.case import param

LIST = {"type": "array", "items": {"type": "string"}}
BOX = {"type": "object"}


def read(parameter: Any, query: str | None = None, *headers: tuple[bytes, bytes], keys: str = "") -> list[Any]:
    sources = Sources(RequestHead("GET", "/", query, headers=headers), {}, None, frozenset(keys.split()))
    return read_sent(Binding(make_call_parameter(parameter), None, takes_body=False), sources)


QUERIES: list[Any] = [
    pytest.param(param("a", "query"), "a=1+2&b=3&a=%2B", ["1 2", "+"], id="every value of one name"),
    pytest.param(param("a", "query", LIST), "a=1,2&a=3", [["1,2", "3"]], id="an exploded list"),
    pytest.param(param("a", "query", LIST, explode=False), "a=1,2%2C3", [["1", "2,3"]], id="a list of commas"),
    pytest.param(param("a", "query", LIST, explode=False), "a=", [[]], id="an empty list"),
    pytest.param(
        param("a", "query", LIST, style="spaceDelimited", explode=False), "a=1%202+3", [["1", "2", "3"]], id="spaces"
    ),
    pytest.param(
        param("a", "query", LIST, style="pipeDelimited", explode=False), "a=1|2%7c3", [["1", "2", "3"]], id="pipes"
    ),
    pytest.param(param("a", "query", BOX, explode=False), "a=x,1,y,2&a=", [{"x": "1", "y": "2"}], id="a flat object"),
    pytest.param(
        param("a", "query", BOX), "x=1&y=2&y=3&other=4", [{"x": "1", "y": ["2", "3"]}], id="an exploded object"
    ),
    pytest.param(
        param("a", "query", BOX, style="deepObject"),
        "a[x]=1&a[y][z]=2&a[l]=3&a[l]=4&a[l]=5&b[x]=6",
        [{"x": "1", "y": {"z": "2"}, "l": ["3", "4", "5"]}],
        id="a deep object",
    ),
    pytest.param(
        param("a", "query", BOX, style="deepObject"), "a[x]=1&a[x][y]=2&a[=3", [{"x": "1"}], id="a broken deep object"
    ),
    pytest.param(param("a", "query", BOX, style="deepObject"), "a=1&a[x]=2", ["1"], id="no object at all"),
]


@pytest.mark.parametrize(("parameter", "query", "values"), QUERIES)
def test_a_query(parameter: Any, query: str, values: list[Any]) -> None:
    assert read(parameter, query, keys="other") == values


def test_headers_and_cookies() -> None:
    assert read(param("X-A", "header", LIST), None, (b"x-a", b"1, 2"), (b"x-a", b"3")) == [["1", "2", "3"]]
    assert read(param("X-A", "header", LIST), None, (b"x-a", b"")) == []
    assert read(param("c", "cookie"), None, (b"cookie", b"b=1; c=2")) == ["2"]
