"""Rewrites: no slash doubled, none lost."""

from __future__ import annotations

import pytest

from coalmine.model import RegexRewrite, Rewrite
from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.rewrite import MAX_PATH, compile_rewrite, join_prefix

# The table of the Gateway API's HTTPPathModifier, and what it leaves open.
TABLE = [
    ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
    ("/foo", "/foo", "/xyz", "/xyz"),
    ("/foo/", "/foo", "/xyz", "/xyz/"),
    ("/foo/", "/foo", "/", "/"),
    ("/foo", "/foo", "/", "/"),
    ("/foo", "/foo", "/xyz/", "/xyz/"),
    ("/foo//bar", "/foo", "/xyz", "/xyz//bar"),
    ("/bar", "", "/xyz", "/xyz/bar"),
    ("/bar", "", "/", "/bar"),
    ("/", "", "/", "/"),
    ("/", "", "/xyz", "/xyz/"),
]


@pytest.mark.parametrize(("path", "matched", "replacement", "result"), TABLE)
def test_prefixes_are_joined(path: str, matched: str, replacement: str, result: str) -> None:
    assert join_prefix(replacement, path[len(matched) :]) == result


@pytest.mark.parametrize(
    ("pattern", "substitution", "reason"),
    [("(", "", "not valid RE2"), ("a", r"\1", "group 1"), ("a", r"\x", "neither a group")],
)
def test_a_rewrite_that_cannot_work_is_refused_before_it_serves(pattern: str, substitution: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compile_rewrite(Rewrite(regex=RegexRewrite(pattern=pattern, substitution=substitution)))


def test_a_substitution_cannot_multiply_a_path_without_end() -> None:
    rewrite = compile_rewrite(Rewrite(regex=RegexRewrite(pattern="a", substitution="b" * 100)))
    answer = rewrite(RequestHead("GET", "/" + "a" * (MAX_PATH // 100 + 1)), None)  # type: ignore[arg-type]
    assert isinstance(answer, Reply)
    assert (answer.status, answer.code) == (414, "uri_too_long")
