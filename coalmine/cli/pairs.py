"""``name=value`` words of a command line. This file performs no I/O.

Rule: the first ``=`` divides; later ones, and commas, belong to the value.
"""

from __future__ import annotations

from collections.abc import Iterable

import typer


def split_pair(text: str, flag: str) -> tuple[str, str]:
    """Both sides; raises typer.BadParameter when there is no ``=`` or no name."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} should be name=value", param_hint=flag)
    return name, value


def split_pairs(texts: Iterable[str], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, value = split_pair(text, flag)
        if name in found:
            raise typer.BadParameter(f"{name} stands twice", param_hint=flag)
        found[name] = value
    return found


def gather_pairs(texts: Iterable[str], flag: str) -> dict[str, list[str]]:
    """The values of each name, in order."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, value = split_pair(text, flag)
        found.setdefault(name, []).append(value)
    return found


def split_header(text: str, flag: str) -> tuple[str, str]:
    """``name: value`` as curl takes it, or ``name=value``."""
    colon, equals = text.find(":"), text.find("=")
    if colon > 0 and (equals < 0 or colon < equals):
        return text[:colon].strip(), text[colon + 1 :].strip()
    if equals < 1:
        raise typer.BadParameter(f"{text!r} should be 'name: value'", param_hint=flag)
    return split_pair(text, flag)


def split_commas(texts: Iterable[str]) -> list[str]:
    """Values that hold no commas themselves, given singly or in one word."""
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def whole_number(text: str, flag: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f"{text!r} is not a whole number", param_hint=flag)
    return int(text)
