"""The request as routing sees it, and what routing answers: Forward, Reply or ReadBody.

Rule 1: this file performs no I/O.
Rule 2: headers are an ordered sequence of pairs, names lower-cased, as they came: never a dict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from coalmine.routing.snapshot import ServedDestination, ServedRoute


@dataclass(slots=True)
class RequestHead:
    """One request head.

    ``path`` is normalised (``coalmine.routing.path``) and still percent-encoded: the same text is matched
    and sent. ``query`` is the raw text after the first ``?``, None without one. ``host`` is lower-case and
    without port. ``source`` is the client's IP address.
    """

    method: str
    path: str
    query: str | None = None
    host: str = ""
    headers: Sequence[tuple[bytes, bytes]] = ()
    source: str = ""
    scheme: str = "http"

    @property
    def has_body(self) -> bool:
        """Whether the head announces a body (RFC 9112 section 6: framing tells, not the method)."""
        for name, value in self.headers:
            if name == b"content-length":
                if value != b"0":
                    return True
            elif name == b"transfer-encoding":
                return True
        return False

    def values(self, name: bytes) -> list[str]:
        """The values of header ``name`` (lower-case), in order."""
        return [value.decode("latin-1") for key, value in self.headers if key == name]


@dataclass(slots=True)
class Forward:
    """Send the request on.

    ``target`` is the origin-form request target. ``host`` is the Host header to send (None: the client's own;
    the upstream's own authority where the route says ``host: upstream``, which the engine fills in, because it
    differs by endpoint). ``set_headers`` replace headers of the same name. ``body`` is ``stream`` (the client's
    body as it comes), ``none``, or bytes that were read already. ``common``: made of method and path alone, with the
    query behind it as it came; with ``body: none`` this holds for requests without a body.
    """

    route: ServedRoute
    destination: ServedDestination
    method: str
    target: str
    host: str | None = None
    set_headers: tuple[tuple[str, str], ...] = ()
    body: Literal["stream", "none"] | bytes = "stream"
    response_headers: tuple[tuple[str, str], ...] = ()  # to add to the answer: minted cookie, CORS
    delay_seconds: float = 0.0
    mirror: Forward | None = None
    common: bool = False

    @property
    def upstream(self) -> str:
        return self.destination.upstream

    @property
    def function(self) -> str | None:
        return self.destination.function


@dataclass(slots=True)
class Reply:
    """Answer without asking anyone. With a ``code`` the body is problem+json, made by ``coalmine.routing.problem``."""

    status: int
    code: str | None = None
    detail: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    members: tuple[tuple[str, JsonValue], ...] = ()  # extension members of the problem, such as parameter: id
    route: ServedRoute | None = None
    destination: ServedDestination | None = None
    delay_seconds: float = 0.0


@dataclass(slots=True)
class ReadBody:
    """The call plan needs the body: read at most ``limit`` bytes (beyond: 413), then ``resume`` with them.

    ``headers`` are for the answer of an engine that cannot read it.
    """

    limit: int
    resume: Callable[[bytes], Forward | Reply]
    route: ServedRoute
    headers: tuple[tuple[str, str], ...] = ()


Decision = Forward | Reply | ReadBody
