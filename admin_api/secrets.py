"""Values that are nobody else's business: credentials that routes add to requests. This file performs no I/O.

Rule 1: history never tells them: what was changed is told, with the mask in their place.
Rule 2: who may only read never gets them. Who may write does, because what is shown can be sent back as it is.
Rule 3: which they are is told by the name of the header; a mask is not a value that anybody would send.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "***"
# Of the IANA registry of field names, those that carry credentials (RFC 9110 section 11, RFC 6265), and the names that
# services make up.
_NAMES = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_MADE_UP = re.compile(r"(^|[-_])(api-?key|apikey|token|secret|password|passwd|credentials?|private-?key)($|[-_])")


def is_secret(name: str) -> bool:
    """Whether the value of the header ``name`` is a credential."""
    name = name.lower()
    return name in _NAMES or _MADE_UP.search(name) is not None


def mask_secrets(value: Any) -> Any:
    """``value`` (JSON) with the mask for every credential: members of objects, pairs, and objects with ``name``."""
    if isinstance(value, dict):
        named = isinstance(value.get("name"), str) and is_secret(value["name"])
        return {key: _mask_member(key, part, named=named) for key, part in value.items()}
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(part, str) for part in value) and is_secret(value[0]):
            return [value[0], MASK]
        return [mask_secrets(part) for part in value]
    return value


def _mask_member(key: str, value: Any, *, named: bool) -> Any:
    if isinstance(value, str) and (is_secret(key) or (named and key in ("exact", "regex", "value", "default"))):
        return MASK
    return mask_secrets(value)


def mask_at(pointer: str, value: Any) -> Any:
    """The value at ``pointer``, whose last part may be the name of a header."""
    if isinstance(value, str) and is_secret(pointer.rpartition("/")[2]):
        return MASK
    return mask_secrets(value)
