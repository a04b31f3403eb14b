"""Path templates: ``/pets/{id}``, ``/files/{name}.{ext}``; the same for matching requests and for making calls.

Rule 1: this file performs no I/O.
Rule 2: a placeholder takes one or more characters of one segment, never a slash; a template matches as many segments as
    it has. Texts stay percent-encoded on both ways.
Rule 3: inside one segment an earlier placeholder takes as much as it can: ``{name}.{ext}`` splits ``a.tar.gz`` at the
    last dot. Found by searching separators from the right, so there is no backtracking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from coalmine.routing.path import encode_foreign, normalize_text

_PIECE = re.compile(r"\{([^{}/]*)\}|([^{}]+)|([{}])")


@dataclass(frozen=True, slots=True)
class Name:
    """A placeholder."""

    text: str


Piece = str | Name  # literal text or a placeholder
Segment = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. ``names`` are its placeholders in order; ``literals`` and ``partials`` count segments."""

    text: str
    segments: tuple[Segment, ...]
    names: tuple[str, ...]
    places: tuple[tuple[str, int], ...] | None  # names and their segments, where every name is a whole segment
    literals: int = field(compare=False)
    partials: int = field(compare=False)

    def match(self, path: str) -> dict[str, str] | None:
        """The captured raw texts by name, or None where ``path`` (normalised) does not match.

        For templates of ``parse_match_template``.
        """
        texts = path[1:].split("/", len(self.segments))
        if len(texts) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for segment, text in zip(self.segments, texts, strict=True):
            if not capture_segment(segment, text, found):
                return None
        return found

    def bind(self, path: str) -> dict[str, str]:
        """The captures of a ``path`` that is known to match."""
        if self.places is None:
            return self.match(path) or {}
        texts = path.split("/")
        found: dict[str, str] = {}
        for name, place in self.places:
            found[name] = texts[place + 1]  # in a loop: a comprehension would be one more call
        return found

    def expand(self, values: Mapping[str, str]) -> str:
        """The path with every placeholder replaced by its value, encoded already; KeyError if one lacks."""
        return "/" + "/".join(
            "".join(piece if isinstance(piece, str) else values[piece.text] for piece in segment)
            for segment in self.segments
        )


def capture_segment(segment: Segment, text: str, into: dict[str, str]) -> bool:
    """Whether ``text`` matches ``segment``; what its placeholders took is put into ``into``."""
    if len(segment) == 1:
        piece = segment[0]
        if isinstance(piece, str):
            return piece == text
        into[piece.text] = text
        return bool(text)
    end = len(text)
    for index in range(len(segment) - 1, 0, -1):
        piece = segment[index]
        if isinstance(piece, Name):
            continue
        start = _find_separator(segment, index, text, end)
        if start < 0:
            return False
        _take(segment, index + 1, text[start + len(piece) : end], into)
        end = start
    return _finish(segment, text[:end], into)


def _find_separator(segment: Segment, index: int, text: str, end: int) -> int:
    """Where the literal at ``index`` starts when everything behind it ends at ``end``; -1 without a place."""
    piece = segment[index]
    assert isinstance(piece, str)
    if index == len(segment) - 1:
        return end - len(piece) if text.endswith(piece) else -1
    return text.rfind(piece, 0, max(end - 1, 0))  # the placeholder behind it takes one character at least


def _take(segment: Segment, index: int, text: str, into: dict[str, str]) -> None:
    if index < len(segment):
        name = segment[index]
        assert isinstance(name, Name)
        into[name.text] = text


def _finish(segment: Segment, text: str, into: dict[str, str]) -> bool:
    """The leftmost piece against what the others have left."""
    first = segment[0]
    if isinstance(first, Name):
        into[first.text] = text
        return bool(text)
    taken = text[len(first) :]
    _take(segment, 1, taken, into)
    return text.startswith(first) and bool(taken)


def parse_template(text: str) -> Template:
    """The template in ``text`` with its literal parts normalised; raises ValueError with the reason.

    Names may repeat and placeholders may touch: that is good enough for making a call (``Template.expand``).
    """
    if not text.startswith("/"):
        raise ValueError("a template starts with a slash")
    segments = tuple(_parse_segment(part, text) for part in text[1:].split("/"))
    names = tuple(piece.text for segment in segments for piece in segment if isinstance(piece, Name))
    literals = sum(1 for segment in segments if len(segment) == 1 and isinstance(segment[0], str))
    partials = sum(1 for segment in segments if len(segment) > 1)
    return Template(text, segments, names, None if partials else _find_places(segments), literals, partials)


def _find_places(segments: tuple[Segment, ...]) -> tuple[tuple[str, int], ...]:
    firsts = ((segment[0], place) for place, segment in enumerate(segments))
    return tuple((piece.text, place) for piece, place in firsts if isinstance(piece, Name))


def parse_match_template(text: str) -> Template:
    """Like ``parse_template``, and refuses what cannot be matched in exactly one way."""
    template = parse_template(text)
    for name in template.names:
        if template.names.count(name) > 1:
            raise ValueError(f"the placeholder {{{name}}} stands twice")
    for segment in template.segments:
        if any(isinstance(a, Name) and isinstance(b, Name) for a, b in pairwise(segment)):
            raise ValueError("two placeholders touch; put some text between them")
    return template


def _parse_segment(part: str, text: str) -> Segment:
    if part in (".", ".."):
        raise ValueError(f"{text!r} has a dot segment")
    if not part:
        return ("",)
    pieces: list[Piece] = []
    for found in _PIECE.finditer(part):
        if found[3]:
            raise ValueError(f"a brace is not closed or not opened in the segment {part!r}; a placeholder is {{name}}")
        if found[2]:
            pieces.append(normalize_text(encode_foreign(found[2])))
        elif not found[1].strip():
            raise ValueError("a placeholder needs a name")
        else:
            pieces.append(Name(found[1]))
    segment = tuple(pieces)
    if segment in ((".",), ("..",)):  # written as %2e
        raise ValueError(f"{text!r} has a dot segment")
    return segment
