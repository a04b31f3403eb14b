"""Hints of the admin API, which speak of keys and addresses, in the words of flags. This file performs no I/O."""

from __future__ import annotations

import re
from dataclasses import replace

from coalmine.cli.complaint import ApiError

# Only where flags were given: who wrote a file has to change a key in it.
_ROUTE_FLAGS = (
    (r"add virtual_service: (\S+)", r"say --name \1"),
    (r"write host: (\S+) beside destinations", r"say --host-rewrite \1"),
    (r"match a template such as (\S+) instead", r"say --template \1 instead"),
    (r"give one of them a weight above 0", "give one of them a --weight or --dest above 0"),
    (r"leave the rewrite or the functions out", "leave --prefix-rewrite or the functions out"),
    (r"look why: upstreams/(\S+)/report, or coalmine discover \1", r"look why: coalmine discover \1"),
)


def speak_flags(error: ApiError) -> ApiError:
    """``error`` of a command that made a route of its flags."""
    error.faults = tuple(replace(fault, hint=translate(fault.hint)) for fault in error.faults)
    error.hint = translate(error.hint)
    return error


def translate(hint: str | None) -> str | None:
    for words, ours in _ROUTE_FLAGS if hint else ():
        if re.fullmatch(words, hint or ""):
            return re.sub(words, ours, hint or "")
    return hint
