"""Reading JSON and YAML that others wrote, into plain values, without being hurt by it.

Rule 1: the format is told from the content. A text that starts with a bracket is tried as JSON first; whatever
is not JSON is read as YAML (of which JSON is nearly a part).
Rule 2: the result holds ``dict`` with ``str`` keys, ``list``, ``str``, ``int``, finite ``float``, ``bool`` and
``None``, and nothing else. It can always be written as JSON in UTF-8.
Rule 3: depth, nodes and bytes are bounded (``Limits``), counted *through* aliases: what the bounds let pass can be
walked, copied and serialised by naive recursive code.
Rule 4: with ``unique_keys`` a key that stands twice in one object is refused, for its writer meant both. Documents
that others publish are read without: the last one wins, as their other readers have it.
Rule 5: YAML scalars follow the core schema of YAML 1.2 (section 10.3), which the OpenAPI specification
prescribes: ``no``, ``on`` and ``2020-01-01`` are strings, and a key keeps the text that was written
(``200:`` is ``"200"``, ``3.10:`` is ``"3.10"``).

This package performs no I/O.
"""

from __future__ import annotations

import re

from coalmine.errors import MalformedError
from coalmine.reading.encoding import decode
from coalmine.reading.limits import LIMITS, DuplicateKeyError, JsonLike, Limits, TooComplexError
from coalmine.reading.strict_json import NotJsonError, read_json
from coalmine.reading.yaml_events import read_yaml

__all__ = ["LIMITS", "DuplicateKeyError", "JsonLike", "Limits", "TooComplexError", "read_all", "read_text"]


# What may stand behind the first bracket of JSON (RFC 8259 sections 4 and 5); everything else is meant as YAML.
_JSON_STARTS = re.compile(r'\s*(\{\s*(["}]|\Z)|\[\s*(["\[{\]0-9tfn-]|\Z))')


def read_text(data: bytes, *, limits: Limits = LIMITS, unique_keys: bool = False) -> JsonLike:
    """The one value in ``data`` (JSON or YAML); raises ``MalformedError`` with line and column.

    ``TooComplexError``, a ``MalformedError``, tells a text that is beyond ``limits``.
    """
    documents = read_all(data, limits=limits, unique_keys=unique_keys)
    if not documents:
        raise MalformedError("the text is empty")
    if len(documents) > 1:
        raise MalformedError(f"the text holds {len(documents)} YAML documents where one is expected")
    return documents[0]


def read_all(data: bytes, *, limits: Limits = LIMITS, unique_keys: bool = False) -> list[JsonLike]:
    """Every document of a YAML stream, or the one JSON value; an empty text has none."""
    if len(data) > limits.max_bytes:
        raise TooComplexError(f"the text has {len(data)} bytes; at most {limits.max_bytes} are read")
    text = decode(data)
    if not text.lstrip().startswith(("{", "[")):
        return read_yaml(text, limits, unique_keys=unique_keys)
    try:
        return [read_json(text, limits, unique_keys=unique_keys)]
    except NotJsonError as not_json:
        return _read_as_yaml_after_all(text, limits, not_json, unique_keys=unique_keys)


def _read_as_yaml_after_all(text: str, limits: Limits, not_json: NotJsonError, *, unique_keys: bool) -> list[JsonLike]:
    """YAML's flow style also starts with a bracket; where it is neither, what it was meant to be is told."""
    try:
        return read_yaml(text, limits, unique_keys=unique_keys)
    except (TooComplexError, DuplicateKeyError):
        raise
    except MalformedError as not_yaml:
        meant = not_json if _JSON_STARTS.match(text) else not_yaml
        raise MalformedError(meant.detail) from None
