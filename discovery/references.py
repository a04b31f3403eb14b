"""Local ``$ref``s of a document (RFC 6901 pointers in URI fragments), followed without recursion.

Rule 1: nothing is ever fetched. A reference to another document is an ``ExternalReferenceError``, a value for the
report. Rule 2: only what is in the way is resolved; schemas keep their references, so cycles stay graphs.
This file performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin

# A reference to a reference to a reference: real documents have two or three.
_MAX_HOPS = 20


class BrokenReferenceError(Exception):
    """A reference that leads nowhere in this document."""

    code = "document_invalid"


class ExternalReferenceError(BrokenReferenceError):
    code = "external_reference"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A value and the pointer it stands at (where its own problems are to be found)."""

    value: Any
    pointer: str


def escape(token: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901 section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def split(pointer: str) -> list[str]:
    """The keys of a JSON pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


class References:
    def __init__(self, document: dict[str, Any], url: str = "") -> None:
        self._document = document
        self._url = url.partition("#")[0]

    def resolve(self, value: Any, pointer: str) -> Resolved:
        """``value`` itself, or what its ``$ref`` leads to; raises ``BrokenReferenceError``.

        Keys beside ``$ref`` win over the ones of the target (path items, OpenAPI 3.1 section 4.8.9.1; elsewhere
        they are summary and description, section 4.8.23.1).
        """
        siblings: dict[str, Any] = {}
        for _ in range(_MAX_HOPS):
            if not isinstance(value, dict) or "$ref" not in value:
                return Resolved(_beside(value, siblings), pointer)
            siblings = {**{key: each for key, each in value.items() if key != "$ref"}, **siblings}
            pointer = self.local(value["$ref"])
            value = self.find(pointer)
        raise BrokenReferenceError("the reference leads back to itself, or through too many others")

    def local(self, reference: Any) -> str:
        """The JSON pointer in ``reference``; raises ``BrokenReferenceError`` where it points elsewhere."""
        if not isinstance(reference, str):
            raise BrokenReferenceError("$ref is not a string")
        target, _, fragment = reference.partition("#")
        if target and not self._is_own(target):
            raise ExternalReferenceError(f"{reference[:200]!r} is in another document, which is not fetched")
        return unquote(fragment)

    def _is_own(self, target: str) -> bool:
        try:
            return bool(self._url) and urljoin(self._url, target) == self._url
        except ValueError:
            return False

    def find(self, pointer: str) -> Any:
        """The value at ``pointer``; raises ``BrokenReferenceError``."""
        if pointer and not pointer.startswith("/"):
            raise BrokenReferenceError(f"{pointer[:200]!r} is no JSON pointer, and no schema has it as its name")
        value: Any = self._document
        for key in split(pointer):
            value = _step(value, key, pointer)
        return value


def _step(value: Any, key: str, pointer: str) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(value):
        return value[int(key[:9])]
    raise BrokenReferenceError(f"there is nothing at {pointer[:200]!r}")


def _beside(value: Any, siblings: dict[str, Any]) -> Any:
    return {**value, **siblings} if siblings and isinstance(value, dict) else value
