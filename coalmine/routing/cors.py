"""The CORS protocol (Fetch standard, section 3.3): preflight answers, and headers on the answers to other origins.

Rule 1: this file performs no I/O.
Rule 2: a preflight asks about another request, so the route of that other request answers it (see ``decide``).
Rule 3: an origin that is not allowed gets an answer without the headers; browsers refuse it then. The gateway does
    not: CORS protects users of browsers, it is no access control.
Rule 4: with credentials ``*`` is no wildcard for browsers, so the very origin, method and headers that were asked for
    are named instead, as the Gateway API's HTTPCORSFilter wants it. ``Vary`` then keeps caches honest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coalmine.model import Cors
from coalmine.routing.decision import Reply, RequestHead

Headers = tuple[tuple[str, str], ...]
# scheme://host:port of a host name of 253 characters (RFC 1035 section 2.3.4); longer ones are no origin.
_MAX_ORIGIN = 300
_VARY_PREFLIGHT = ("vary", "origin, access-control-request-method, access-control-request-headers")


def is_preflight(head: RequestHead) -> bool:
    """Whether this is a CORS-preflight request (Fetch standard, section 3.3.1)."""
    return head.method == "OPTIONS" and bool(asked_method(head)) and bool(head.values(b"origin"))


def asked_method(head: RequestHead) -> str:
    return next(iter(head.values(b"access-control-request-method")), "")


class CorsPolicy:
    """A compiled ``cors`` of a route."""

    def __init__(self, cors: Cors) -> None:
        self._cors = cors
        self._any_origin = "*" in cors.allow_origins
        self._exact = frozenset(origin.lower() for origin in cors.allow_origins if "*" not in origin)
        self._wild = tuple(_compile_origin(origin) for origin in cors.allow_origins if "*" in origin and origin != "*")
        exposed = ", ".join(cors.expose_headers)
        self._exposed: Headers = (("access-control-expose-headers", exposed),) if exposed else ()
        self._open = self._any_origin and not cors.allow_credentials

    def preflight(self, head: RequestHead) -> Reply:
        """The answer to a preflight request."""
        allowed = self._allow(head)
        if not allowed:
            return Reply(204, headers=(_VARY_PREFLIGHT,))
        headers = [*allowed, *self._lists(head), *self._exposed, _VARY_PREFLIGHT]
        if self._cors.max_age_seconds is not None:
            headers.append(("access-control-max-age", str(self._cors.max_age_seconds)))
        return Reply(204, headers=tuple(headers))

    def headers(self, head: RequestHead) -> Headers:
        """What to add to the answer of an actual request."""
        vary: Headers = () if self._open else (("vary", "origin"),)
        allowed = self._allow(head)
        return (*allowed, *self._exposed, *vary) if allowed else vary

    def _allow(self, head: RequestHead) -> Headers:
        origin = next(iter(head.values(b"origin")), None)
        if origin is None or len(origin) > _MAX_ORIGIN or not self._allows(origin.lower()):
            return ()
        allow = ("access-control-allow-origin", "*" if self._open else origin)
        return (allow, ("access-control-allow-credentials", "true")) if self._cors.allow_credentials else (allow,)

    def _allows(self, origin: str) -> bool:
        return self._any_origin or origin in self._exact or any(pattern.fullmatch(origin) for pattern in self._wild)

    def _lists(self, head: RequestHead) -> list[tuple[str, str]]:
        asked = ", ".join(head.values(b"access-control-request-headers"))
        return [
            (f"access-control-allow-{kind}", text)
            for kind, allowed, wanted in (
                ("methods", self._cors.allow_methods, asked_method(head)),
                ("headers", self._cors.allow_headers, asked),
            )
            if (text := self._list(allowed, wanted))
        ]

    def _list(self, allowed: Sequence[str], wanted: str) -> str:
        if "*" not in allowed:
            return ", ".join(allowed)
        return wanted if self._cors.allow_credentials else "*"


def _compile_origin(origin: str) -> re.Pattern[str]:
    """``https://*.example.com``: the star stands for one or more characters of a host name."""
    return re.compile("[a-z0-9.-]+".join(re.escape(part) for part in re.split(r"\*+", origin.lower())))
