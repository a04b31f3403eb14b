"""What clients of the gateway give to call a function through a route."""

from __future__ import annotations

from typing import Any

import pytest

from admin_api.gateway_parameters import (
    list_placeholders,
    list_public_parameters,
    public_path,
    rename_placeholders,
    style_of_public,
)
from coalmine.model import PathMatch
from tests.support.case import function, param, to

BY_ID = function(
    "byId",
    "GET",
    "/api/{owner}/pets/{id}",
    param("id", "path", "integer"),
    param("limit", "query"),
    param("X-A", "header"),
)

PATHS: list[Any] = [
    pytest.param({"prefix": "/pets"}, {}, "/pets/{owner}/{id}", id="a prefix, and the segments behind it"),
    pytest.param({"prefix": "/"}, {}, "/{owner}/{id}", id="the root"),
    pytest.param({"prefix": "/pets/"}, {"owner": "me", "id": 7}, "/pets", id="a prefix where the route gives all"),
    pytest.param({"prefix": "/"}, {"owner": "me", "id": 7}, "/", id="the root alone"),
    pytest.param({"prefix": "/pets"}, {"owner": "me"}, "/pets/{id}", id="a prefix where the route gives one"),
    pytest.param({"prefix": "/p"}, {":path": "/p/{id}/of/{owner}"}, "/p/{id}/of/{owner}", id="an extractor"),
    pytest.param({"prefix": "/p"}, {":path": "/pets/{id}"}, "/p/{owner}/{id}", id="an extractor of other paths"),
    pytest.param({"exact": "/a{b}"}, {}, "/a%7Bb%7D", id="braces that are no placeholder"),
    pytest.param({"template": "/a/{id}.json"}, {}, "/a/{id}.json", id="a template"),
    pytest.param({"regex": "/a.*"}, {}, None, id="a pattern"),
]


@pytest.mark.parametrize(("match", "parameters", "path"), PATHS)
def test_the_public_path(match: dict[str, str], parameters: dict[str, Any], path: str | None) -> None:
    assert public_path(PathMatch.model_validate(match), to("v1", "byId", **parameters), BY_ID) == path


def test_a_function_whose_path_is_no_template_has_no_placeholders() -> None:
    broken = function("f", "GET", "/a/{", param("id", "path"))
    assert public_path(PathMatch(prefix="/p"), to("v1", "f"), broken) == "/p"
    assert list_public_parameters("/p", to("v1", "f"), broken) == []


PARAMETERS: list[Any] = [
    pytest.param(
        "/pets/{owner}/{id}",
        {},
        [("owner", "path", True), ("id", "path", True), ("limit", "query", False), ("X-A", "header", False)],
        id="all as they are",
    ),
    pytest.param(
        "/pets",
        {"owner": "me"},
        [("id", "query", True), ("limit", "query", False), ("X-A", "header", False)],
        id="what has no place in the path is looked for in the query",
    ),
    pytest.param(
        "/u/{user}",
        {"owner": "{path.user}", "id": "{header.x-id}", "limit": "{query.size}", "X-A": "{cookie.a}{body.b}"},
        [("user", "path", True), ("x-id", "header", True), ("size", "query", False), ("a", "cookie", False)],
        id="what the route takes from elsewhere is asked for there",
    ),
    pytest.param(
        "/u/{other}/{limit}",
        {"owner": "{header.x-a}", "id": 1, ":path": "/u/{limit}"},
        [("other", "path", True), ("limit", "path", True), ("x-a", "header", True)],
        id="captures fill parameters of any place, and nothing stands twice",
    ),
]


@pytest.mark.parametrize(("path", "parameters", "listed"), PARAMETERS)
def test_public_parameters(path: str, parameters: dict[str, Any], listed: list[Any]) -> None:
    found = list_public_parameters(path, to("v1", "byId", **parameters), BY_ID)
    assert [(one.name, one.place, one.required) for one in found] == listed


def test_headers_that_are_the_gateways_own_business_are_left_out() -> None:
    asks = function("f", "GET", "/f", param("Authorization", "header"), param("gone", "path"))
    assert list_public_parameters("/f", to("v1", "f"), asks) == []


def test_styles_are_told_where_the_parameter_is_the_functions_own() -> None:
    asks = function("f", "GET", "/f", param("a", "query", allow_reserved=True), param("b", "query", style="simple"))
    a, b = list_public_parameters("/f", to("v1", "f"), asks)
    assert style_of_public(a) == {"style": "form", "explode": True, "allowReserved": True}
    assert style_of_public(b) == {"style": "form", "explode": False}
    moved, part = list_public_parameters("/f", to("v1", "f", a="{header.a}", b="{query.b}!"), asks)
    assert (style_of_public(moved), style_of_public(part)) == ({}, {})
    (unknown,) = list_public_parameters("/{x}", to("v1", "f", a="1", b="1"), asks)
    assert style_of_public(unknown) == {}


def test_placeholders_are_renamed() -> None:
    assert list_placeholders("/{a}/{b}.{a}") == ["a", "b"]
    assert rename_placeholders("/{a}/{b}.{a}", {"a": "x"}) == "/{x}/{b}.{x}"
