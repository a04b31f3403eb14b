"""JSON pointers (RFC 6901). This file performs no I/O."""

from __future__ import annotations


def escape(name: str) -> str:
    """A name as one token of a pointer (section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
