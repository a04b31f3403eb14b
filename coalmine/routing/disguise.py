"""Paths that say one thing here and another to a careless service behind: none of them walks round a route.

Rule 1: this file performs no I/O.
Rule 2: ``%2F`` and ``%5C`` are data, ``//`` is an empty segment and ``;x`` is part of a segment (RFC 3986 section 3.3).
    They are matched and sent as they are. But many services decode slashes, merge them, or drop what follows a
    semicolon before they look for a handler.
Rule 3: so where such a service would see a path that an earlier route takes, the request is refused: its writer
    could have written that path and met that route. Whatever no earlier route would have taken passes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from coalmine.routing.decision import Reply, RequestHead
from coalmine.routing.problem import problem_reply

if TYPE_CHECKING:
    from coalmine.routing.table import CompiledVirtualService, Matched

_SLASH = re.compile(r"%2F|%5C")
_PARAMETERS = re.compile(r";[^/]*")
_NOTHING = re.compile(r"/(?:\.?/)+|/\.$")  # empty segments, and those that are a dot


def is_suspect(path: str) -> bool:
    """Whether ``path``, normalised, may be read in another way; most cannot."""
    return "//" in path or "%" in path or ";" in path


def read_carelessly(path: str) -> str:
    """``path`` as a service may read it."""
    return _NOTHING.sub("/", _PARAMETERS.sub("", _SLASH.sub("/", path)))


def refuse_disguise(service: CompiledVirtualService, head: RequestHead, matched: Matched) -> Reply | None:
    """The refusal of a suspect request that another reading would give to a route before the one that matched."""
    reading = read_carelessly(head.path)
    if reading == head.path:
        return None
    other = service.match(replace(head, path=reading))
    if other is None or other.route.rank >= matched.route.rank:
        return None
    detail = f"a service may read the path as {reading}, which an earlier route takes; write that path"
    return problem_reply("bad_request", detail)
