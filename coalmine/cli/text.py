"""Texts from outside, made harmless for a terminal. This file performs no I/O."""

from __future__ import annotations

import re

# C0 and C1 controls, DEL, and the marks that turn the direction of text round (they can make a name look
# like another one). Tab and line feed are judged by the caller's `lines`.
_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HOSTILE_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(value: object, *, lines: bool = False) -> str:
    """``value`` as text with control characters spelled out; ``lines`` keeps line breaks and tabs."""
    pattern = _HOSTILE_IN_LINES if lines else _HOSTILE
    text = str(value).encode("utf-8", "backslashreplace").decode()
    return pattern.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
