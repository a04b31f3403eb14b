"""ETags and the conditions on them (RFC 9110 sections 8.8.3 and 13.1).

A tag has two parts: ``"<definition>.<representation>"``. The second changes with every byte that is sent, status
and format included, so that ``If-None-Match`` never hides news. ``If-Match`` guards the definition alone: a probe
that finished in between is no reason to refuse a write. This file performs no I/O.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from coalmine.errors import PreconditionError

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def hash_definition(value: Any) -> str:
    """16 hexadecimal digits that stand for the JSON value ``value``, whatever the order of its keys."""
    return _digest(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), 16)


def make_tag(definition: str, body: bytes) -> str:
    return f'"{definition}.{_digest(body, 8)}"'


def is_unchanged(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` says that the client has this representation already (304)."""
    if header is None:
        return False
    return header.strip() == "*" or tag.strip('"') in _TAG.findall(header)


def check_if_match(header: str | None, current: str | None) -> None:
    """Raises PreconditionError unless ``If-Match`` allows a write; ``current`` is a definition's hash or None."""
    if header is None:
        return
    if current is None:
        raise PreconditionError("the object does not exist", hint="leave If-Match out to create it")
    if header.strip() == "*" or current in {tag.partition(".")[0] for tag in _TAG.findall(header)}:
        return
    raise PreconditionError(
        "the object has changed since it was read", hint="read it again, and send its new ETag as If-Match"
    )


def check_if_none_match(header: str | None, current: str | None) -> None:
    """Raises PreconditionError where ``If-None-Match: *`` asks for creation alone and the object is there."""
    if header is not None and header.strip() == "*" and current is not None:
        raise PreconditionError("the object exists already", hint="leave If-None-Match out to replace it")


def _digest(data: bytes, digits: int) -> str:
    return hashlib.sha256(data).hexdigest()[:digits]
