"""Values of documents in sentences and pointers: short, printable, encodable, whatever they are. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_LONGEST_TEXT = 60
_LONGEST_STEP = 120
_MOST_ITEMS = 5
_LONGEST_INTEGER_BITS = 256  # int to text takes quadratic time, and Python refuses more than 4300 digits


def show(value: Any) -> str:
    """``value`` as JSON, cut short: containers show how many things they have."""
    if isinstance(value, str):
        return json.dumps(printable(value, _LONGEST_TEXT), ensure_ascii=False)
    if isinstance(value, dict):
        return f"an object of {len(value)}" if value else "{}"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "[]"
    if isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER_BITS:
        return "a huge number"
    return json.dumps(value) if isinstance(value, bool | int | float | None) else str(type(value).__name__)


def show_all(values: Iterable[Any]) -> str:
    """The first few, and how many more there are."""
    shown = [show(value) for value in values]
    rest = len(shown) - _MOST_ITEMS
    return ", ".join(shown[:_MOST_ITEMS]) + (f" and {rest} more" if rest > 0 else "")


def printable(text: str, longest: int) -> str:
    """Without control characters and lone surrogates, which break terminals and encoders."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)


def join(pointer: str, *steps: str) -> str:
    """``pointer`` and more steps, escaped (RFC 6901 section 3)."""
    escaped = (printable(step, _LONGEST_STEP).replace("~", "~0").replace("/", "~1") for step in steps)
    return "/".join((pointer, *escaped))
