"""Which header fields end here, which are the engine's own, and how the others are edited.

Rule 1: fields are kept as they came, as one block of bytes, ``\\r\\nName: value`` repeated, without the empty line.
Rule 2: a field the engine reads or replaces is in a table below, with its reason; all others pass untouched.
This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from coalmine.model import HeaderEdits
from coalmine.routing.edits import CONTENT, FRAMING

# Fields that concern one connection only (RFC 9110 section 7.6.1) and are never passed on as they came.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",  # RFC 9112 appendix C.2.2
        b"proxy-connection",  # never standardised, still sent
        b"te",  # RFC 9110 section 10.1.4
        b"transfer-encoding",  # RFC 9112 section 6.1: the engine frames each message itself
        b"upgrade",  # RFC 9110 section 7.8: put back for the protocols that are tunnelled
    }
)

# What proxies in front say about the client; from anybody else it is worth nothing.
CLAIMS = frozenset({b"x-forwarded-*", b"x-real-ip"})

# Request fields that the engine reads or writes itself.
READ_FROM_REQUESTS = (
    HOP_BY_HOP
    | CLAIMS
    | {
        b"host",  # chosen by the route
        b"content-length",  # framing
        b"expect",  # passed on only when a body is withheld
        b"proxy-authorization",  # RFC 9110 section 11.7.2: meant for a proxy, so not for the upstream
        b"x-forwarded-for",  # appended to
        b"x-forwarded-proto",  # replaced, unless a trusted proxy says it; so is the next
        b"x-forwarded-host",
        b"forwarded",  # RFC 7239: appended to
        b"x-request-id",  # kept, or made
        b"via",  # RFC 9110 section 7.6.3
        b"max-forwards",  # RFC 9110 section 7.6.2
        b"traceparent",  # W3C Trace Context; passed on where it is valid, or replaced by that of a span
        b"tracestate",
    }
)

# Response fields that the engine reads or writes itself.
READ_FROM_RESPONSES = HOP_BY_HOP | {b"content-length"}

# What no route can set, add or remove, even if it was stored before that was refused; Host is chosen by its own key.
UNTOUCHABLE = HOP_BY_HOP | {name.encode() for name in FRAMING} | {b"host"}

# They go with a body that a function does not take.
OF_CONTENT = frozenset(name.encode() for name in CONTENT)

# Fields that mean something only ahead of the content; never taken from a trailer (RFC 9110 section 6.5.1).
NOT_IN_TRAILERS = (
    UNTOUCHABLE
    | READ_FROM_REQUESTS
    | {
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"cache-control",
        b"range",
        b"age",
        b"expires",
        b"date",
        b"location",
        b"retry-after",
        b"vary",
        b"www-authenticate",
        b"trailer",
        b"pragma",
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"if-range",
    }
)


def _any_case(name: bytes, hyphen: str) -> str:
    """``te`` as ``[tT][eE]``: several times faster than IGNORECASE, which folds every byte it passes."""
    special = {"-": hyphen, "*": "[!#$%&'*+.^_`|~0-9A-Za-z-]+"}
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else special.get(c, re.escape(c)) for c in name.decode("ascii"))


def compile_scan(names: Iterable[bytes], *, underscores: bool = False) -> re.Pattern[bytes]:
    """A pattern that finds the fields ``names`` in a checked block: group 1 the name, group 2 the value.

    A ``*`` at the end of a name stands for any that begin so. ``underscores``: ``X_Forwarded_For`` is found, too; to
    services that turn names into variables (CGI, WSGI) it is the same.
    """
    ordered = sorted(names)
    firsts = "".join(sorted({chr(name[0]) + chr(name[0]).upper() for name in ordered}))
    alternatives = "|".join(_any_case(name, "[-_]" if underscores else "-") for name in ordered)
    # The lookahead dismisses most fields at their first letter.
    return re.compile(rf"\r\n(?=[{firsts}])({alternatives}):[ \t]*([^\r]*)".encode())


def remove_listed(fields: bytes, names: tuple[bytes, ...]) -> bytes:
    """``fields`` without those that a Connection field lists: names of strangers, so nothing is compiled for them."""
    if not names:
        return fields
    return b"".join(
        b"\r\n" + line for line in fields.split(b"\r\n")[1:] if line.partition(b":")[0].lower() not in names
    )


@lru_cache(maxsize=4096)
def _removal(names: frozenset[bytes]) -> re.Pattern[bytes]:
    return compile_scan(names)


def remove_fields(fields: bytes, names: Iterable[bytes]) -> bytes:
    """``fields`` without those called ``names`` (lower-case; those of definitions: a pattern is kept for each set)."""
    wanted = frozenset(names)
    return _removal(wanted).sub(b"", fields) if wanted else fields


def format_field(name: str, value: str) -> bytes:
    """One field as it stands in a block; what definitions hold was checked when it was written."""
    return f"\r\n{name}: {value}".encode("latin-1", "replace")


def set_fields(fields: bytes, pairs: Iterable[tuple[str, str]]) -> bytes:
    """``fields`` with each pair replacing what had its name."""
    kept = [(name, value) for name, value in pairs if name.lower().encode("latin-1", "replace") not in UNTOUCHABLE]
    cleaned = remove_fields(fields, (name.lower().encode("latin-1", "replace") for name, _ in kept))
    return cleaned + b"".join(format_field(name, value) for name, value in kept)


# Who may read an answer is said by the route's ``cors`` alone, where it has one: two policies would both be wrong.
_CORS_VERDICT = frozenset({b"access-control-allow-origin", b"access-control-allow-credentials"})


def add_own(fields: bytes, pairs: Iterable[tuple[str, str]], *, cors: bool) -> bytes:
    """``fields`` of an answer with the gateway's own ``pairs``.

    ``Access-Control-*`` speak for the whole answer, so they replace (two of them make browsers refuse it);
    ``Set-Cookie`` and ``Vary`` are lists, so they are added. ``cors``: the route has a policy, even if it allows
    nothing here.
    """
    names = {name.encode() for name, _ in pairs if name.startswith("access-control-")}
    kept = remove_fields(fields, names | _CORS_VERDICT if cors else names)
    return kept + b"".join(format_field(name, value) for name, value in pairs)


def edit_fields(fields: bytes, edits: HeaderEdits) -> bytes:
    """``fields`` after remove, set and add, in this order."""
    removed = remove_fields(fields, [name.lower().encode() for name in edits.remove if _editable(name)])
    replaced = set_fields(removed, edits.set.items())
    return replaced + b"".join(format_field(name, value) for name, value in edits.add.items() if _editable(name))


def _editable(name: str) -> bool:
    return name.lower().encode("latin-1", "replace") not in UNTOUCHABLE
