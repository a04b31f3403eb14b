"""One spelling for every path: what is matched is what is sent.

Rule 1: this file performs no I/O.
Rule 2: triplets of unreserved characters are decoded, the others written in upper case, and characters that no
    path may carry raw (RFC 3986 section 3.3) are encoded, so that two spellings of one path are one text.
Rule 3: dot segments, ``%2e`` ones included, are removed (RFC 3986 section 5.2.4); climbing above the root is refused.
Rule 4: ``//`` and ``%2F`` are kept: they mean something to some services, and merging them would change the request.
    But a dot segment that shows only after ``%2F``, ``%5C`` or ``;`` is taken away (``..%2Fadmin``, ``..;/admin``)
    is refused: some service behind would resolve it and leave the path that was matched.
Rule 5: a backslash is refused. Browsers turn it into a slash, services disagree.
"""

from __future__ import annotations

import re
from urllib.parse import quote

# RFC 3986 section 3.3: pchar and the slash. A path of these alone, without a segment that begins with a dot,
# is in its one spelling already; nearly all are.
PLAIN = r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*"
_PLAIN = re.compile(PLAIN).fullmatch
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED = frozenset('"<>[]^`{|}')
_SPECIAL = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
# Where a careless service may see the end of a segment: an encoded slash or backslash, path parameters.
_HIDDEN_END = re.compile(r"%2F|%5C|/", re.IGNORECASE)


def normalize_path(raw: str) -> str:
    """``raw``, an absolute path without a query, in its one spelling; raises ValueError with the reason."""
    if _PLAIN(raw) and "/." not in raw:
        return raw
    if not raw.startswith("/"):
        raise ValueError("a path starts with a slash")
    text = normalize_text(raw)
    return _without_dot_segments(text) if "/." in text or ".." in text else text


def normalize_definition(text: str) -> str:
    """Like ``normalize_path`` for what people write: characters beyond ASCII are encoded as UTF-8."""
    return normalize_path(encode_foreign(text))


def encode_foreign(text: str) -> str:
    """Characters beyond ASCII percent-encoded as UTF-8; raises ValueError for half a surrogate pair."""
    return text if text.isascii() else _FOREIGN.sub(lambda found: quote(found[0]), text)


def normalize_text(text: str) -> str:
    """A piece of a path with its percent-encoding in its one spelling; dot segments stay. Raises ValueError."""
    return _SPECIAL.sub(_respell, text)


def _respell(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) == 3:
        return _respell_triplet(text)
    if text in _ENCODED:
        return f"%{ord(text):02X}"
    if text == "%":
        raise ValueError(
            f"a percent sign is followed by two hexadecimal digits, not {found.string[found.end() :][:2]!r}"
        )
    raise ValueError(_REASONS.get(text) or _reason(text))


def _respell_triplet(triplet: str) -> str:
    code = int(triplet[1:], 16)
    if code < 0x20 or code == 0x7F:
        raise ValueError(f"a path has no control characters, not even encoded ones ({triplet.upper()})")
    character = chr(code)
    return character if character in _UNRESERVED else triplet.upper()


_REASONS = {
    "\\": "a path has no backslash; write %5C for one inside a segment",
    "?": "a path ends before the question mark",
    "#": "a path has no fragment; write %23 for a number sign",
    " ": "a path has no space; write %20",
}


def _reason(character: str) -> str:
    if ord(character) < 0x80:
        return "a path has no control characters"
    encoded = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
    return f"a path is ASCII; write {encoded} for {character!r}"


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise ValueError("the path climbs above its root")
            kept.pop()
        elif segment != ".":
            _refuse_hidden(segment)
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")  # "/a/." is the folder: "/a/"
    return "/" + "/".join(kept)


def _refuse_hidden(segment: str) -> None:
    if any(piece.partition(";")[0] == ".." for piece in _HIDDEN_END.split(segment)):
        raise ValueError(f"the segment {segment!r} hides a dot segment")
