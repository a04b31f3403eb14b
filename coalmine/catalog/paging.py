"""Pages, their cursors, and what searches compare.

A cursor is the key of the last item (keyset paging): a page costs the same at any depth. This file performs no I/O.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from coalmine.errors import CoalmineError

T = TypeVar("T")

MAX_LIMIT = 1000  # one answer stays within a few megabytes
_MAX_WORDS = 16  # of a search: each is one more scan of the text


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of ``total`` items; ``next_cursor`` asks for those that follow, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None
    total: int


def write_cursor(key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, size: int) -> tuple[str, ...]:
    """The ``size`` strings in ``cursor``; raises CoalmineError (invalid_query)."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or len(key) != size or not all(isinstance(part, str) for part in key):
        raise CoalmineError(
            "the cursor is not one that a listing gave out", code="invalid_query", hint="leave cursor away to start"
        )
    return tuple(check_text(part) for part in key)


def check_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise CoalmineError(f"limit is {limit}; it should be 1 to {MAX_LIMIT}", code="invalid_query")
    return limit


def check_text(text: str) -> str:
    """``text`` if it can be stored at all (lone surrogates cannot); raises CoalmineError (invalid_query)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CoalmineError("the query has characters that are not Unicode text", code="invalid_query") from None
    return text


def is_storable(*texts: str) -> bool:
    """Whether SQLite could hold these names at all; lone surrogates have no UTF-8."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for text in texts for character in text)


def search_words(q: str | None) -> list[str]:
    """What a search looks for: every word must occur, case does not matter."""
    return check_text(q or "").casefold().split()[:_MAX_WORDS]


def search_text(*parts: str | None) -> str:
    """What a search looks in."""
    return "\n".join(part for part in parts if part).casefold()


def tag_text(*tags: str) -> str:
    """Tags as they are stored: one JSON string a line, so that a whole line is one whole tag, whatever is in it."""
    return "".join(f"\n{json.dumps(tag)}" for tag in tags) + "\n"
