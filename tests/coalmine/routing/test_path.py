"""One spelling for every path; what cannot be sent safely is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalmine.routing.path import encode_foreign, normalize_definition, normalize_path


@pytest.mark.parametrize(
    ("raw", "normalized"),
    [
        pytest.param("/", "/", id="the root is itself"),
        pytest.param("/a/b", "/a/b", id="a plain path is itself"),
        pytest.param("/a;v=1/b:c@d,e", "/a;v=1/b:c@d,e", id="characters with a meaning of their own stay"),
        pytest.param("/%61%7E", "/a~", id="encoded unreserved characters are decoded"),
        pytest.param("/a%2fb%3a", "/a%2Fb%3A", id="other triplets are written in upper case, an encoded slash too"),
        pytest.param("/a//b/", "/a//b/", id="empty segments stay"),
        pytest.param('/"<>[]^`{|}', "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D", id="characters no path carries are encoded"),
        pytest.param("/%5c", "/%5C", id="an encoded backslash stays encoded"),
        pytest.param("/a/./b", "/a/b", id="a single dot goes"),
        pytest.param("/a/b/../c", "/a/c", id="a double dot takes the segment before"),
        pytest.param("/a/%2E%2e/c", "/c", id="encoded dots are dots"),
        pytest.param("/a/.%2e/c", "/c", id="half encoded dots are dots"),
        pytest.param("/a/.", "/a/", id="a dot at the end leaves the folder"),
        pytest.param("/a/b/..", "/a/", id="two dots at the end leave the folder"),
        pytest.param("/a/..", "/", id="up to the root"),
        pytest.param("/a//../b", "/a/b", id="an empty segment is a segment"),
        pytest.param("/.well-known/a", "/.well-known/a", id="a name may begin with a dot"),
        pytest.param("/a..b/...", "/a..b/...", id="dots within a name are no dot segment"),
        pytest.param("/%252e%252e/a", "/%252e%252e/a", id="what is encoded twice is decoded never"),
    ],
)
def test_a_path_gets_its_one_spelling(raw: str, normalized: str) -> None:
    assert normalize_path(raw) == normalized


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param("", "starts with a slash", id="nothing"),
        pytest.param("*", "starts with a slash", id="the asterisk of OPTIONS"),
        pytest.param("a/b", "starts with a slash", id="a relative path"),
        pytest.param("/..", "climbs above its root", id="above the root"),
        pytest.param("/a/../../b", "climbs above its root", id="above the root in the end"),
        pytest.param("/%2e%2e/b", "climbs above its root", id="above the root, encoded"),
        pytest.param("/%", "two hexadecimal digits, not ''", id="a percent sign at the end"),
        pytest.param("/%zz", "two hexadecimal digits, not 'zz'", id="a percent sign before no digits"),
        pytest.param("/%1", "two hexadecimal digits, not '1'", id="one digit"),
        pytest.param("/%00", "no control characters, not even encoded ones (%00)", id="NUL"),
        pytest.param("/%0d%0a", "(%0D)", id="an encoded line break"),
        pytest.param("/%7f", "(%7F)", id="encoded DEL"),
        pytest.param("/a\nb", "no control characters", id="a raw line break"),
        pytest.param("/a b", "write %20", id="a space"),
        pytest.param("/a\\..\\b", "no backslash", id="a backslash"),
        pytest.param("/a?b", "question mark", id="a query"),
        pytest.param("/a#b", "fragment", id="a fragment"),
        pytest.param("/café", "write %C3%A9", id="characters beyond ASCII"),
        pytest.param("/a/..%2Fb", "hides a dot segment", id="a dot segment before an encoded slash"),
        pytest.param("/a/b%2f..%2Fb", "hides a dot segment", id="a dot segment between encoded slashes"),
        pytest.param("/a/b%5c..", "hides a dot segment", id="a dot segment behind an encoded backslash"),
        pytest.param("/a/..;x/b", "hides a dot segment", id="a dot segment with path parameters"),
    ],
)
def test_what_cannot_be_sent_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        normalize_path(raw)
    assert reason in str(caught.value)


def test_people_may_write_their_own_letters() -> None:
    assert normalize_definition("/café") == "/caf%C3%A9"
    assert encode_foreign("plain") == "plain"
    with pytest.raises(ValueError):
        encode_foreign("\ud800")


@given(st.text(alphabet="/.%2eEfFcC5aZ;~!é\\ {}", max_size=30))
def test_a_normalised_path_is_normal_and_has_no_dot_segments(text: str) -> None:
    try:
        path = normalize_path("/" + text)
    except ValueError:
        return
    assert normalize_path(path) == path
    assert path.startswith("/")
    assert not {".", ".."} & set(path.split("/"))
