"""Redirects: where a Location may lead."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Redirect
from coalmine.routing.decision import RequestHead
from coalmine.routing.redirect import compile_redirect
from coalmine.routing.snapshot import ServedRoute
from coalmine.routing.table import CompiledRoute, Matched
from tests.support.case import route

SERVED = ServedRoute(route("old", "/old", redirect={"path": "/"}))


def location(head: RequestHead, rest: str = "", **redirect: Any) -> str:
    answer = compile_redirect(Redirect(**redirect), SERVED)
    return dict(answer(head, Matched(CompiledRoute(SERVED, 0), {}, rest)).headers)["location"]


ROWS: list[tuple[str, RequestHead, str, dict[str, Any], str]] = [
    ("the scheme of the request", RequestHead("GET", "/a", scheme="https", host="h"), "", {"host": "x"}, "https://x/a"),
    ("an IPv6 host", RequestHead("GET", "/a", host="[::1]"), "", {"port": 8080}, "http://[::1]:8080/a"),
    ("no host to keep", RequestHead("GET", "/a"), "", {"scheme": "https"}, "/a"),
    ("an empty query", RequestHead("GET", "/a", ""), "", {"path": "/b"}, "/b?"),
    ("many slashes", RequestHead("GET", "/old///x", host="h"), "///x", {"prefix": "/"}, "/x"),
    ("many slashes behind a host", RequestHead("GET", "//x", host="h"), "", {"scheme": "https"}, "https://h//x"),
    ("a path beyond ASCII", RequestHead("GET", "/a"), "", {"path": "/ü"}, "/%C3%BC"),
]


@pytest.mark.parametrize(
    ("head", "rest", "redirect", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_location(head: RequestHead, rest: str, redirect: dict[str, Any], expected: str) -> None:
    assert location(head, rest, **redirect) == expected


def test_a_path_that_cannot_be_sent_is_refused_before_it_serves() -> None:
    with pytest.raises(ValueError, match="percent"):
        compile_redirect(Redirect(path="/%zz"), SERVED)
