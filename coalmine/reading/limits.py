"""The bounds of what is read, and the plain values that come out. This file performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from coalmine.errors import MalformedError

JsonLike: TypeAlias = "dict[str, JsonLike] | list[JsonLike] | str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a text is read before it is refused."""

    # As large as the largest document that discovery reads.
    max_bytes: int = 16 * 1024 * 1024
    # The deepest real API document known has 67 levels; Python's own recursion gives up at about 1,000.
    max_depth: int = 200
    # Scalars, lists and mappings of YAML, counted through aliases. The largest real YAML documents have about
    # 100,000; a million take some seconds and 200 MB.
    max_nodes: int = 1_000_000


LIMITS = Limits()


class DuplicateKeyError(MalformedError):
    """A key stands twice in one object: two values, and nobody says which is meant."""

    def __init__(self, key: str, line: int, column: int, first_line: int) -> None:
        shown = key if len(key) <= 60 else key[:57] + "..."
        place = f"line {line}, column {column}; first in line {first_line}"
        super().__init__(f"the key {shown!r} stands twice in one object ({place})", hint="leave one of the two out")


class TooComplexError(MalformedError):
    """The text may be well-formed, but is larger or deeper than what is read."""
