"""Patterns of definitions: RE2, so that no pattern can make a request slow (linear time, no backtracking).

Rule 1: this file performs no I/O; RE2 is told not to write to standard error.
Rule 2: patterns are matched against bytes. Text is UTF-8, header values are taken as they came: a byte that is no
    UTF-8 matches nothing but ``\\C``.
Rule 3: a pattern is small. Time and memory grow with its program, and a table may hold thousands.
"""

from __future__ import annotations

import functools
import re

import re2

MAX_PATTERN_CHARACTERS = 2_048
# Instructions of the compiled program. A UUID pattern has 72, \\p{L}+ 1,201, [^/]{1,255} 2,298; the time of one
# search is at worst this times the length of the text.
MAX_PROGRAM_SIZE = 4_096
# Bytes one pattern may take, lazily built automaton included; RE2 falls back to a slower search beyond it.
MAX_MEMORY = 1024 * 1024


def _options(*, capture: bool) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.never_capture = not capture  # type: ignore[attr-defined,unused-ignore]  # the stubs forgot it
    return options


_CAPTURING = _options(capture=True)
# Finding groups leaves the automaton for a search that is a hundred times slower on long texts: not for mere tests.
_TESTING = _options(capture=False)

_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


class Pattern:
    """A compiled pattern. ``names`` are its named groups, ``groups`` counts all of them."""

    __slots__ = ("_compiled", "_indexes", "_test", "groups", "names", "text")

    def __init__(self, text: str, compiled: re2._Regexp[str]) -> None:
        self.text = text
        self._compiled = compiled
        self._test = re2.compile(text, _TESTING).fullmatch if compiled.groups else compiled.fullmatch
        self._indexes = tuple(compiled.groupindex.items())
        self.names = tuple(name for name, _ in self._indexes)
        self.groups = compiled.groups

    def matches(self, value: bytes) -> bool:
        """Whether the whole of ``value`` matches."""
        return self._test(value) is not None

    def captures(self, value: bytes) -> dict[str, str]:
        """The named groups of a full match; those that took no part are left out, and so are all without a match."""
        found = self._compiled.fullmatch(value)
        if found is None:
            return {}
        captured: dict[str, str] = {}
        for name, index in self._indexes:
            group = found[index]
            if group is not None:
                captured[name] = group.decode("utf-8", "replace")
        return captured

    def replace(self, value: str, substitution: str) -> str:
        """``value`` with every match replaced; a backslash and a digit is a group, two are a backslash."""
        pieces = _split_substitution(substitution)

        def expand(found: re2._Match[bytes]) -> bytes:
            return b"".join(piece if isinstance(piece, bytes) else found[piece] or b"" for piece in pieces)

        return self._compiled.sub(expand, value.encode()).decode("utf-8", "replace")

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


# The bound keeps tables of patterns that come and go from holding memory for ever.
@functools.lru_cache(maxsize=1_024)
def compile_pattern(text: str) -> Pattern:
    """The pattern in ``text``; raises ValueError with RE2's reason and, where it is known, the position."""
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise ValueError(f"the pattern has {len(text)} characters, at most {MAX_PATTERN_CHARACTERS} are taken")
    try:
        compiled = re2.compile(text, _CAPTURING)
    except UnicodeEncodeError:
        raise ValueError("the pattern is not valid Unicode") from None
    except re2.error as error:
        raise ValueError(_explain(text, error)) from None
    if compiled.programsize > MAX_PROGRAM_SIZE:
        raise ValueError(
            f"the pattern compiles to {compiled.programsize} instructions, at most {MAX_PROGRAM_SIZE} are taken;"
            " bounded repetitions such as {1,500} are what makes it large"
        )
    return Pattern(text, compiled)


def check_substitution(substitution: str, groups: int) -> str | None:
    """What is wrong with a substitution for a pattern with so many ``groups``, or None."""
    for found in _REFERENCE.finditer(substitution):
        escaped = found[1]
        if escaped == "\\":
            continue
        if not escaped.isdecimal() or not escaped.isascii():
            return f"{found[0]!r} is neither a group (\\0 to \\9) nor a backslash (\\\\)"
        if int(escaped) > groups:
            return f"{found[0]} refers to group {escaped}, but the pattern has {groups or 'none'}"
    return None


@functools.lru_cache(maxsize=256)
def _split_substitution(substitution: str) -> tuple[bytes | int, ...]:
    pieces: list[bytes | int] = []
    end = 0
    for found in _REFERENCE.finditer(substitution):
        pieces.append(substitution[end : found.start()].encode())
        pieces.append(int(found[1]) if found[1].isdecimal() else found[1].encode())
        end = found.end()
    pieces.append(substitution[end:].encode())
    return tuple(pieces)


def _explain(text: str, error: re2.error) -> str:
    raw = error.args[0] if error.args else b""
    reason = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    _, _, fragment = reason.partition(": ")
    position = text.find(fragment) if fragment and text.count(fragment) == 1 else -1
    return f"not valid RE2: {reason}" + (f" (at character {position + 1})" if position >= 0 else "")
