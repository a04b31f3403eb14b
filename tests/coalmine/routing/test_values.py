"""Texts and values: decoded once, encoded once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.values import (
    MAX_FORM_FIELDS,
    Unsendable,
    body_kind,
    decode,
    decode_query,
    encode,
    find_field,
    header_text,
    parse_body,
    split_cookies,
    split_query,
    to_value,
)


@given(st.binary())
def test_any_bytes_come_out_as_they_went_in(data: bytes) -> None:
    raw = "".join(f"%{byte:02X}" for byte in data)
    assert decode(encode(decode(raw))) == decode(raw)
    assert decode(raw).encode("utf-8", "surrogateescape") == data


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert decode(encode(text)) == text
    assert set(encode(text)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%")


@pytest.mark.parametrize(
    ("raw", "text"),
    [("plain", "plain"), ("\xc3\xbc", "ü"), ("\u20ac", "€"), ("a+b%2B", "a+b+"), ("%", "%"), ("%zz", "%zz")],
    ids=["plain", "raw octets as latin-1", "a character of a dry run", "plus is plus", "no triplet", "no hexadecimal"],
)
def test_decode(raw: str, text: str) -> None:
    assert decode(raw) == text


def test_plus_is_a_space_in_queries() -> None:
    assert decode_query("a+b%2B") == "a b+"


def test_half_a_character_cannot_be_sent() -> None:
    with pytest.raises(Unsendable, match="Unicode"):
        encode("\ud800")


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\x7f"])
def test_control_characters_are_no_header(text: str) -> None:
    with pytest.raises(Unsendable, match="line breaks"):
        header_text(text)


def test_a_header_is_one_character_per_octet() -> None:
    assert header_text("a\tü\udcff") == "a\t\xc3\xbc\xff"


def test_a_query_is_split_in_order() -> None:
    assert split_query("a=1&b&=c&&a=%20") == [
        ("a", "1", "a=1"),
        ("b", "", "b"),
        ("", "c", "=c"),
        ("", "", ""),
        ("a", "%20", "a=%20"),
    ]
    assert split_query(None) == split_query("") == []


def test_cookies_are_split_and_nameless_ones_skipped() -> None:
    assert split_cookies(["a=1; b=x=y;c", 'd="q"']) == [("a", "1"), ("b", "x=y"), ("d", '"q"')]


@pytest.mark.parametrize(
    ("content_type", "encoding", "kind"),
    [
        ("application/json", None, "json"),
        ("Application/JSON ; charset=utf-8", "identity", "json"),
        ("application/problem+json", None, "json"),
        ("application/x-www-form-urlencoded", None, "form"),
        ("text/json+json", None, None),
        ("multipart/form-data; boundary=x", None, None),
        (None, None, None),
        ("application/json", "gzip", None),
    ],
)
def test_body_kind(content_type: str | None, encoding: str | None, kind: str | None) -> None:
    assert body_kind(content_type, encoding) == kind


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1e400}', {"a": "1e400"}),
        (b'{"a": 1, "a": 2}', {"a": "2"}),
        (b" \n", None),
    ],
    ids=["a byte order mark", "the last of two equal names", "nothing"],
)
def test_json(data: bytes, value: Any) -> None:
    assert parse_body("json", data) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "line 1, column 2"),
        (b'{"a": Infinity}', "Infinity"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "too deeply"),
    ],
)
def test_broken_json_says_where(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_body("json", data)


def test_a_form_has_lists_for_names_that_stand_twice() -> None:
    assert parse_body("form", b"a=1&b=%C3%BC&a=2") == {"a": ["1", "2"], "b": "ü"}


def test_a_form_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_body("form", b"&" * MAX_FORM_FIELDS)


_BODY: Any = {"a": {"b": [{"c": "x"}, 2]}, "d.e": "dotted", "n": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.0.c", "x"),
        ("a.b.1", "2"),
        ("a.b.2", None),
        ("a.b.x", None),
        ("a.b.0.c.d", None),
        ("d.e", "dotted"),
        ("n", None),
        ("a.b.99999999999999", None),
    ],
)
def test_find_field(path: str, value: Any) -> None:
    assert find_field(_BODY, tuple(path.split("."))) == value


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        ([1, None, "a"], ["1", "a"]),
        ([None], None),
        ([], None),
        ({"a": None, "b": [1]}, {"b": ["1"]}),
        ({}, None),
        ("", ""),
    ],
)
def test_to_value(found: Any, value: Any) -> None:
    assert to_value(found) == value
