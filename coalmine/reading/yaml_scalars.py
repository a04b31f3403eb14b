"""What a YAML scalar means: the core schema of YAML 1.2 (section 10.3.2). This file performs no I/O."""

from __future__ import annotations

import math
import re

from coalmine.errors import MalformedError
from coalmine.reading.limits import JsonLike

# Only these can begin a plain scalar that is not a string; everything else is decided by one look.
_STARTS = frozenset("-+.0123456789tTfFnN~")
_WORDS: dict[str, JsonLike] = {
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BASES = {"0x": 16, "0o": 8}

_PREFIX = "tag:yaml.org,2002:"
STRING_TAGS = frozenset({"!", _PREFIX + "str", _PREFIX + "binary", _PREFIX + "timestamp"})
# These ask for the meaning that a plain scalar of the same text has.
RESOLVED_TAGS = frozenset(_PREFIX + name for name in ("int", "float", "bool", "null"))


def resolve_plain(text: str) -> JsonLike:
    """The value of a plain (unquoted) scalar; raises ``MalformedError`` for one that JSON cannot express."""
    if not text:
        return None
    if text[0] not in _STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _to_int(text)
    if _FLOAT.fullmatch(text):
        return _to_float(text)
    if _NOT_FINITE.fullmatch(text):
        raise MalformedError(f"{text} is a number that JSON does not have")
    return text


def _to_int(text: str) -> int:
    try:
        return int(text, _BASES.get(text[:2], 10))
    except ValueError:  # more than 4,300 digits
        raise MalformedError("a number has thousands of digits") from None


def _to_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedError(f"{text[:40]} is too large a number")
    return value
