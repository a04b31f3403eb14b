"""Names for routes that have none: the same manifest gives the same names. This file performs no I/O."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 63  # NAME_PATTERN


def make_name(*parts: str) -> str:
    """Words joined to a legal name; a long one is cut and ends in a hash of the whole."""
    whole = "-".join(part for part in parts if part)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", whole)
    name = re.sub(r"[^a-z0-9._]+", "-", spaced.lower()).strip("-._") or "route"
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9].rstrip('-._')}-{digest}"


def distinct(name: str, taken: set[str]) -> str:
    """``name``, or ``name-2``, ``name-3`` ...; it is taken from now on."""
    number, found = 1, name
    while found in taken:
        number += 1
        suffix = f"-{number}"
        found = name[: _LONGEST - len(suffix)].rstrip("-._") + suffix
    taken.add(found)
    return found
