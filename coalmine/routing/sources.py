"""Where the values of a call come from: one request, looked at lazily.

Rule 1: this file performs no I/O; a body that is needed and not read yet is asked for by raising ``BodyNeeded``.
Rule 2: whoever takes a query parameter says so (``take``), so that it is not passed on a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coalmine.routing.decision import RequestHead
from coalmine.routing.values import (
    BodyKind,
    Pair,
    Value,
    body_kind,
    decode,
    find_field,
    parse_body,
    split_cookies,
    split_query,
)

if TYPE_CHECKING:
    from pydantic import JsonValue


class BodyNeeded(Exception):
    """The plan cannot go on without the body; nothing is wrong."""


class BrokenBody(ValueError):
    """The body is not what its content type says."""


class Sources:
    """One request.

    ``data`` is its body where it was read already, ``keys`` names the query parameters of the function itself, which
    are never taken, ``unreadable`` turns true when a field was looked for in a body of a type that cannot
    be read.
    """

    __slots__ = ("_body", "_cookies", "_pairs", "captures", "data", "head", "keys", "taken", "unreadable")

    def __init__(
        self, head: RequestHead, captures: Mapping[str, str], data: bytes | None, keys: frozenset[str]
    ) -> None:
        self.head = head
        self.keys = keys
        self.captures = captures
        self.taken: set[str] = set()
        self.unreadable = False
        self.data = data
        self._pairs: list[Pair] | None = None
        self._cookies: list[tuple[str, str]] | None = None
        self._body: JsonValue = None

    @property
    def pairs(self) -> list[Pair]:
        if self._pairs is None:
            self._pairs = split_query(self.head.query)
        return self._pairs

    @property
    def cookies(self) -> list[tuple[str, str]]:
        if self._cookies is None:
            self._cookies = split_cookies(self.head.values(b"cookie"))
        return self._cookies

    def query(self, name: str) -> list[str]:
        """The raw values of a query parameter."""
        return [value for key, value, _ in self.pairs if key == name]

    def take(self, name: str) -> None:
        if name not in self.keys:
            self.taken.add(name)

    def capture(self, name: str) -> str | None:
        """The raw capture of that name; an empty one is none."""
        return self.captures.get(name) or None

    def header(self, name: str) -> str | None:
        """The decoded value of a header, several joined (RFC 9110 section 5.3)."""
        key = name.lower().encode("latin-1", "replace")
        found = [value for header, value in self.head.headers if header == key]
        return b", ".join(found).decode("utf-8", "surrogateescape") if found else None

    def cookie(self, name: str) -> str | None:
        """The first cookie of that name (RFC 6265 section 5.4 puts the most specific one first)."""
        for key, value in self.cookies:
            if key == name:
                return decode(value)
        return None

    def field(self, path: tuple[str, ...]) -> Value | None:
        """A field of the body; raises BodyNeeded before it was read, BrokenBody when it does not parse."""
        if not self.head.has_body:
            return None
        kind = body_kind(self.header("content-type"), self.header("content-encoding"))
        if kind is None:
            self.unreadable = True
            return None
        if self.data is None:
            raise BodyNeeded
        if self._body is None:
            self._body = _parse(kind, self.data)
        return find_field(self._body, path)


def _parse(kind: BodyKind, data: bytes) -> JsonValue:
    try:
        return parse_body(kind, data)
    except ValueError as error:
        raise BrokenBody(str(error)) from None
