"""Templates match whole segments and expand to paths."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.template import parse_match_template, parse_template


@pytest.mark.parametrize(
    ("template", "path", "captures"),
    [
        pytest.param("/pets/{id}", "/pets/7", {"id": "7"}, id="a placeholder takes a segment"),
        pytest.param("/pets/{id}", "/pets/a%2Fb", {"id": "a%2Fb"}, id="captures stay encoded"),
        pytest.param("/pets/{id}", "/pets/", None, id="a placeholder takes one character at least"),
        pytest.param("/pets/{id}", "/pets/7/", None, id="a slash at the end counts"),
        pytest.param("/pets/{id}", "/pets/7/x/y", None, id="more segments do not fit"),
        pytest.param("/pets/{id}", "/pets", None, id="fewer segments do not fit"),
        pytest.param("/pets/{id}", "/dogs/7", None, id="literals must be equal"),
        pytest.param("/", "/", {}, id="the root"),
        pytest.param("/{a}.json", "/x.json", {"a": "x"}, id="a suffix"),
        pytest.param("/{a}.json", "/.json", None, id="nothing before a suffix"),
        pytest.param("/{a}.json", "/x.xml", None, id="another suffix"),
        pytest.param("/v{a}", "/v2", {"a": "2"}, id="a start"),
        pytest.param("/v{a}", "/v", None, id="nothing behind a start"),
        pytest.param("/v{a}", "/w2", None, id="another start"),
        pytest.param("/{f}.{e}", "/a.tar.gz", {"f": "a.tar", "e": "gz"}, id="the earlier takes as much as it can"),
        pytest.param("/{f}.{e}", "/a.", None, id="nothing behind a separator"),
        pytest.param("/{f}.{e}", "/a", None, id="no separator"),
        pytest.param("/x{a}-{b}y", "/x1-2-3y", {"a": "1-2", "b": "3"}, id="texts on all sides"),
        pytest.param("/caf%c3%a9/{x}", "/caf%C3%A9/1", {"x": "1"}, id="literals are normalised"),
        pytest.param("/café/{x}", "/caf%C3%A9/1", {"x": "1"}, id="literals may be written in letters"),
    ],
)
def test_a_template_matches_paths(template: str, path: str, captures: dict[str, str] | None) -> None:
    parsed = parse_match_template(template)
    assert parsed.match(path) == captures
    if captures is not None:
        assert parsed.bind(path) == captures


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("pets", "starts with a slash", id="relative"),
        pytest.param("/{}", "needs a name", id="no name"),
        pytest.param("/{ }", "needs a name", id="a blank name"),
        pytest.param("/{a", "not closed", id="not closed"),
        pytest.param("/a}", "not closed or not opened", id="not opened"),
        pytest.param("/{a/b}", "not closed", id="a slash in a name"),
        pytest.param("/../{a}", "dot segment", id="a dot segment"),
        pytest.param("/%2e/{a}", "dot segment", id="an encoded dot segment"),
        pytest.param("/%zz/{a}", "hexadecimal", id="a bad triplet"),
        pytest.param("/{a}/{a}", "stands twice", id="a name twice"),
        pytest.param("/{a}{b}", "touch", id="nothing between placeholders"),
    ],
)
def test_a_bad_template_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_match_template(text)


def test_a_template_of_a_call_may_repeat_names_and_let_them_touch() -> None:
    template = parse_template("/{a}{b}/{a}.x/")
    assert template.expand({"a": "1", "b": "2"}) == "/12/1.x/"
    assert template.names == ("a", "b", "a")
    with pytest.raises(KeyError):
        template.expand({"a": "1"})


def test_segments_are_counted_by_kind() -> None:
    template = parse_match_template("/a/{b}/c{d}/e")
    assert (template.literals, template.partials) == (2, 1)


PARTS = st.lists(st.sampled_from(["a", ".", "a.", "-"]), min_size=1, max_size=4)


@given(PARTS, st.text(alphabet="a.-", min_size=1, max_size=12), st.booleans(), st.booleans())
def test_partly_literal_segments_match_like_a_greedy_pattern(
    parts: list[str], text: str, first: bool, last: bool
) -> None:
    pieces = [f"{{n{index}}}{part}" for index, part in enumerate(parts)]
    segment = "".join(pieces)[0 if first else len("{n0}") :] + ("{end}" if last else "")
    if segment in (".", ".."):
        return
    pattern = "".join(
        f"(?P<{piece[1:-1]}>.+)" if piece.startswith("{") else re.escape(piece)
        for piece in re.split(r"(\{\w+\})", segment)
    )
    found = re.fullmatch(pattern, text)
    assert parse_match_template("/" + segment).match("/" + text) == (found.groupdict() if found else None)
