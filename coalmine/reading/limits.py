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


class TooComplexError(MalformedError):
    """The text may be well-formed, but is larger or deeper than what is read."""
