"""Parameter styles: what is written can be read back, and no value is taken for a delimiter."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.model import Place, Style
from coalmine.routing.snapshot import CallParameter, Shape
from coalmine.routing.styles import (
    read_delimited,
    read_query,
    read_segment,
    style_of,
    write_cookie,
    write_header,
    write_path,
    write_query,
)
from coalmine.routing.values import Unsendable, Value


def parameter(place: Place, style: Style, explode: bool, shape: Shape = "primitive", **more: Any) -> CallParameter:
    return CallParameter("a b", place, True, style, explode, shape, **more)


# Surrogates are no text; everything else may be in a value.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
# A dot stays a dot (RFC 6570 section 3.2.5): exploded labels cannot tell it from their delimiter, on any side.
_DOTLESS = _TEXT.filter(lambda text: "." not in text)
_PATH_STYLES: list[Style] = ["simple", "label", "matrix"]


def _texts(style: Style, explode: bool) -> st.SearchStrategy[str]:
    return _DOTLESS if style == "label" and explode else _TEXT


@pytest.mark.parametrize("style", _PATH_STYLES)
@pytest.mark.parametrize("explode", [False, True])
@given(data=st.data())
def test_path_styles_round_trip(style: Style, explode: bool, data: st.DataObject) -> None:
    texts = _texts(style, explode)
    values: list[tuple[Shape, st.SearchStrategy[Any]]] = [
        ("primitive", _TEXT),
        ("array", st.lists(texts, min_size=1)),
        ("object", st.dictionaries(texts, texts, min_size=1)),
    ]
    for shape, strategy in values:
        value = data.draw(strategy)
        one = parameter("path", style, explode, shape)
        written = write_path(one, value)
        assert "/" not in written
        assert "?" not in written
        assert read_segment(one, written) == value


@pytest.mark.parametrize("explode", [False, True])
@given(value=st.lists(_TEXT, min_size=1))
def test_form_arrays_round_trip(explode: bool, value: list[str]) -> None:
    one = parameter("query", "form", explode, "array")
    pairs = [pair.partition("=") for pair in write_query(one, value).split("&")]
    assert {unquote(name) for name, _, _ in pairs} == {"a b"}
    assert read_query(one, [raw for _, _, raw in pairs]) == value


@pytest.mark.parametrize(("style", "delimiter"), [("spaceDelimited", "%20"), ("pipeDelimited", "%7C")])
@given(value=st.lists(st.text("abc,&=+#/", min_size=1), min_size=1))
def test_delimited_arrays_round_trip(style: Style, delimiter: str, value: list[str]) -> None:
    name, _, text = write_query(parameter("query", style, False, "array"), value).partition("=")
    assert name == "a%20b"
    assert [unquote(item) for item in text.split(delimiter)] == value


@given(value=st.dictionaries(_TEXT, _TEXT, min_size=1))
def test_objects_in_a_query_round_trip(value: dict[str, str]) -> None:
    exploded = write_query(parameter("query", "form", True, "object"), value)  # type: ignore[arg-type]
    assert dict(parse_qsl(exploded, keep_blank_values=True)) == value
    deep = write_query(parameter("query", "deepObject", True, "object"), value)  # type: ignore[arg-type]
    assert dict(parse_qsl(deep)) == {f"a b[{name}]": text for name, text in value.items()}


@given(value=st.dictionaries(_TEXT, _TEXT, min_size=1))
def test_no_cookie_value_adds_a_cookie(value: dict[str, str]) -> None:
    written = write_cookie(parameter("cookie", "form", True, "object"), value)  # type: ignore[arg-type]
    assert {
        unquote(name): unquote(text) for name, _, text in (pair.partition("=") for pair in written.split("; "))
    } == value


EMPTY = [
    ("path", "simple", ""),
    ("path", "label", "."),
    ("path", "matrix", ";a%20b"),
    ("query", "form", "a%20b="),
    ("query", "deepObject", "a%20b="),
]


@pytest.mark.parametrize(("place", "style", "written"), EMPTY)
def test_an_empty_text_is_written_as_rfc_6570_says(place: Place, style: Style, written: str) -> None:
    one = parameter(place, style, False)
    assert (write_path if place == "path" else write_query)(one, "") == written


def test_deep_objects_nest() -> None:
    value: Value = {"b": {"c": "1", "d": ["2", "3"]}}
    one = parameter("query", "deepObject", True, "object")
    assert unquote(write_query(one, value)) == "a b[b][c]=1&a b[b][d]=2&a b[b][d]=3"


def test_reserved_characters_stand_where_they_are_allowed_but_for_those_that_split_a_query() -> None:
    one = parameter("query", "form", True, allow_reserved=True)
    assert write_query(one, ":/?@!$'()*,;= &+#[]%") == "a%20b=:/?@!$'()*,;=%20%26%2B%23%5B%5D%25"


@pytest.mark.parametrize("value", [["a", ["b"]], {"a": {"b": "c"}}])
def test_nested_values_have_no_form_outside_of_deep_objects(value: Any) -> None:
    for explode in (False, True):
        with pytest.raises(Unsendable, match="inside another"):
            write_query(parameter("query", "form", explode), value)


def test_a_header_is_not_percent_encoded() -> None:
    assert write_header(parameter("header", "simple", False, "array"), ["a b", "ü"]) == "a b,\xc3\xbc"


def test_a_style_that_cannot_stand_in_its_place_is_the_default_one() -> None:
    assert style_of(parameter("path", "form", True)) == "simple"
    assert style_of(parameter("query", "simple", True)) == "form"


SEGMENTS: list[tuple[str, Style, bool, Shape, str, Any]] = [
    ("a bare value for a label", "label", False, "primitive", "7", "7"),
    ("a bare value for a matrix", "matrix", False, "primitive", "7", "7"),
    ("a bare list for a label", "label", True, "array", "7,8", ["7", "8"]),
    ("a list that is simple", "simple", False, "array", "7,8%2C9", ["7", "8,9"]),
    ("an object that is simple", "simple", False, "object", "a,1,b,2", {"a": "1", "b": "2"}),
    ("an object that is simple, exploded", "simple", True, "object", "a=1,b=2", {"a": "1", "b": "2"}),
    ("nothing for a list", "label", False, "array", ".", None),
]


@pytest.mark.parametrize(
    ("style", "explode", "shape", "raw", "value"), [row[1:] for row in SEGMENTS], ids=[row[0] for row in SEGMENTS]
)
def test_segments_are_read_in_their_style_or_bare(
    style: Style, explode: bool, shape: Shape, raw: str, value: Any
) -> None:
    assert read_segment(parameter("path", style, explode, shape), raw) == value


def test_a_single_value_takes_the_first_of_several() -> None:
    assert read_query(parameter("path", "simple", False), ["1", "2"]) == "1"
    assert read_query(parameter("path", "simple", False, "array"), ["1,2"]) == ["1", "2"]
    assert read_delimited(parameter("header", "simple", False), "a,b", str) == "a,b"
