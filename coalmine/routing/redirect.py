"""Redirects and direct responses: routes that ask nobody.

Rule 1: this file performs no I/O.
Rule 2: the query is kept. Where only the path changes, Location is a relative reference (RFC 9110 section 10.2.2): the
    gateway cannot know the scheme and port that a client behind another proxy sees.
Rule 3: a Location never names a host that the route does not: several slashes at its start become one, because
    ``//host`` is a reference to another host (RFC 3986 section 4.2).
Rule 4: an origin has the default port of its scheme unless the route gives one, whatever port the gateway listens on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coalmine.model import DirectResponse, Redirect
from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.path import normalize_definition
from coalmine.routing.rewrite import join_prefix

if TYPE_CHECKING:
    from coalmine.routing.snapshot import ServedRoute
    from coalmine.routing.table import Matched

Answer = Callable[[RequestHead, "Matched"], Reply]
_DEFAULT_PORTS = {"http": 80, "https": 443}


def compile_redirect(redirect: Redirect, served: ServedRoute) -> Answer:
    """The answer of a route that redirects; raises ValueError when its path cannot be sent."""
    find_path = _compile_path(redirect)

    def answer(head: RequestHead, matched: Matched) -> Reply:
        query = "" if head.query is None else "?" + head.query
        location = _origin(redirect, head) + find_path(head, matched) + query
        if location.startswith("//"):
            location = "/" + location.lstrip("/")
        return Reply(redirect.status, headers=(("location", location),), route=served)

    return answer


def _compile_path(redirect: Redirect) -> Callable[[RequestHead, Matched], str]:
    if redirect.path is not None:
        path = normalize_definition(redirect.path)
        return lambda head, matched: path
    if redirect.prefix is not None:
        prefix = normalize_definition(redirect.prefix)
        return lambda head, matched: join_prefix(prefix, matched.rest)
    return lambda head, matched: head.path


def _origin(redirect: Redirect, head: RequestHead) -> str:
    host = redirect.host or head.host
    if not host or (redirect.scheme, redirect.host, redirect.port) == (None, None, None):
        return ""
    scheme = redirect.scheme or head.scheme
    named = redirect.port is not None and redirect.port != _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}:{redirect.port}" if named else f"{scheme}://{host}"


def compile_direct(direct: DirectResponse, served: ServedRoute) -> Answer:
    """The answer of a route with a response of its own."""
    body = direct.body.encode()
    headers = tuple((name.lower(), value) for name, value in direct.headers.items())
    if body and not any(name == "content-type" for name, _ in headers):
        headers = (("content-type", "text/plain; charset=utf-8"), *headers)
    return lambda head, matched: Reply(direct.status, headers=headers, body=body, route=served)
