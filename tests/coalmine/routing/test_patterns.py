"""Patterns are RE2, small, and say what is wrong with them."""

from __future__ import annotations

import time

import pytest

from coalmine.routing.patterns import check_substitution, compile_pattern


def test_the_whole_text_must_match() -> None:
    pattern = compile_pattern("/a(/b)?")
    assert pattern.matches(b"/a") and pattern.matches(b"/a/b")
    assert not pattern.matches(b"/a/") and not pattern.matches(b"x/a")
    assert repr(pattern) == "Pattern('/a(/b)?')"


def test_named_groups_that_took_part_are_captured() -> None:
    pattern = compile_pattern(r"/(?P<a>\w+)(?:/(?<b>\w+))?")
    assert pattern.names == ("a", "b")
    assert pattern.captures(b"/x/y") == {"a": "x", "b": "y"}
    assert pattern.captures(b"/x") == {"a": "x"}
    assert pattern.captures(b"?") == {}


@pytest.mark.parametrize(
    ("pattern", "substitution", "result"),
    [
        pytest.param("^/a", "/b", "/b/x/a", id="an anchored match"),
        pytest.param("a", "c", "/c/x/c", id="every match"),
        pytest.param("/(a)/(x)", r"/\2/\1\0\\", "/x/a/a/x\\/a", id="groups and a backslash"),
        pytest.param("(q)?/a", r"[\1]", "[]/x[]", id="a group that took no part is empty"),
    ],
)
def test_matches_are_replaced(pattern: str, substitution: str, result: str) -> None:
    assert compile_pattern(pattern).replace("/a/x/a", substitution) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a(b", "missing )", id="an open group"),
        pytest.param("ab[z-a]", "invalid character class range: z-a (at character 4)", id="the position is told"),
        pytest.param("(?=a)", "invalid perl operator", id="look-ahead"),
        pytest.param(r"(a)\1", "invalid escape sequence", id="back-references"),
        pytest.param("a" * 2_049, "2049 characters", id="a long text"),
        pytest.param("(a{1,400}[xy]{1,400})(\\pL{1,40})", "instructions", id="a large program"),
        pytest.param("\ud800", "not valid Unicode", id="half a surrogate pair"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_reason(text: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError) as caught:
        compile_pattern(text)
    assert reason in str(caught.value)
    assert capfd.readouterr().err == "", "RE2 keeps quiet"


def test_no_pattern_makes_a_request_slow() -> None:
    pattern = compile_pattern("(([a-z]+)*)*1")
    started = time.process_time()
    assert not pattern.matches(b"a" * 60_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("substitution", "groups", "wrong"),
    [
        pytest.param(r"/\1\\\0", 1, None, id="groups and a backslash"),
        pytest.param(r"\2", 1, "refers to group 2, but the pattern has 1", id="too many"),
        pytest.param(r"\1", 0, "the pattern has none", id="no groups"),
        pytest.param(r"\x", 1, "neither a group", id="another escape"),
        pytest.param("a\\", 1, "neither a group", id="a backslash at the end"),
    ],
)
def test_substitutions_are_checked(substitution: str, groups: int, wrong: str | None) -> None:
    found = check_substitution(substitution, groups)
    assert (found is None) if wrong is None else (found is not None and wrong in found)
