"""Text of documents, made harmless to store and to print: data stays data. This file performs no I/O."""

from __future__ import annotations

import re

# C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of writing
# (CVE-2021-42574): none of them belongs in a name, and all of them lie about what is shown.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_NOT_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")

# Descriptions are shown and searched; beyond this they are the document's business.
MAX_PROSE = 10_000


def clean_name(value: object) -> str:
    """One line without control characters; empty for what is neither text nor number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _NOT_IN_NAMES.sub(" ", str(value)).strip()


def clean_prose(value: object) -> str | None:
    """Text of several lines without control characters, bounded; None where there is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    return _NOT_IN_PROSE.sub("", value)[:MAX_PROSE]


def has_control(value: str) -> bool:
    return _NOT_IN_NAMES.search(value) is not None
