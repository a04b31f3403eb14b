"""Names for routes that came without one: short, readable, the same for the same route.

This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Container

from coalmine.model import HeaderMatch, Match, PathMatch, QueryMatch, Route

# The longest name there is (``coalmine.model.NAME_PATTERN``), and what keeps room for "-9999".
_MAX_NAME = 63
_MAX_STEM = 58
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def generate_name(route: Route, taken: Container[str]) -> str:
    """A name for ``route`` that is not ``taken``; the name that it has does not matter.

    ``/findPets`` with the header ``x-canary: true`` is ``find-pets-x-canary-true``; a second one gets ``-2``.
    """
    stem = _slug(_describe(route.match))[:_MAX_STEM].strip("-") or "root"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"[:_MAX_NAME]
    return name


def _describe(match: Match) -> str:
    words = [*(match.methods if len(match.methods) == 1 else ()), _path_text(match.path)]
    named: tuple[HeaderMatch | QueryMatch, ...] = (*match.headers, *match.query)
    for condition in named:
        words += [condition.name, condition.exact or ""]
    return " ".join(words)


def _path_text(path: PathMatch) -> str:
    return path.exact or path.prefix or path.template or path.regex or ""


def _slug(text: str) -> str:
    return "-".join(word.lower() for word in _WORDS.findall(text))
