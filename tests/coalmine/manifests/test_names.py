"""Names that are made up, and extractors in Coalmine's words."""

from __future__ import annotations

import re

import pytest

from coalmine.manifests.extractors import translate_extractors
from coalmine.manifests.names import distinct, make_name
from coalmine.model import NAME_PATTERN


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("zoo", "/findPets"), "zoo-find-pets"),
        (("zoo", "/a//b/"), "zoo-a-b"),
        (("zoo", ""), "zoo"),
        (("/", "{}"), "route"),
        (("zoo", "ÄÖ"), "zoo"),
        (("zoo", "/v1.2_x"), "zoo-v1.2_x"),
    ],
)
def test_names_are_legal_words(parts: tuple[str, ...], name: str) -> None:
    assert make_name(*parts) == name


def test_a_long_name_is_cut_and_stays_one_of_a_kind() -> None:
    one, other = make_name("zoo", "/a" * 60 + "1"), make_name("zoo", "/a" * 60 + "2")
    assert one != other
    assert re.fullmatch(NAME_PATTERN, one)
    assert re.fullmatch(NAME_PATTERN, other)


def test_a_taken_name_gets_a_number_and_stays_legal() -> None:
    taken = {"a" * 63}
    assert distinct("a" * 63, taken) == "a" * 61 + "-2"
    assert distinct("a" * 63, taken) == "a" * 61 + "-3"
    assert distinct("b", taken) == "b"


@pytest.mark.parametrize(
    ("headers", "path", "reason"),
    [
        ({":path": "/a/{x}"}, "/b/{x}", "different things"),
        ({":method": "{x}"}, None, ":method holds no values"),
        ({"authorization": "Bearer {token}"}, None, "a part of the value"),
        ({"x": "{a.b}"}, None, "a part of the value"),
        ({}, "/a/{x}/{x}", "stands twice"),
        ({}, "a/{x}", "does not start with a slash"),
        ({}, "/a/{}", "do not close around a name"),
    ],
)
def test_extractors_that_cannot_be_said(headers: dict[str, str], path: str | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        translate_extractors(headers, path)


def test_the_same_path_twice_is_no_contradiction() -> None:
    assert translate_extractors({":path": "/a/{x}"}, "/a/{x}") == {":path": "/a/{x}"}
