"""W3C Trace Context: reading ``traceparent`` and ``tracestate``, and writing them.

Rule 1: a valid traceparent goes on as it came, with its tracestate. One that is malformed, or stands twice, ends here
        together with the tracestate (section 3.2.4: who cannot parse the one must not read the other).
Rule 2: a tracestate that is malformed ends here alone (section 3.3.1.1).
This file performs no I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Groups: version, trace id, parent id, flags, what later versions may add.
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_KEY = rb"(?:[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"
_MEMBER = re.compile(_KEY + rb"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MAX_MEMBERS = 32  # section 3.3.1.1
# Section 3.3.1.5 asks for at least 512 to be passed on.
_MAX_STATE = 4096


class TraceParent(NamedTuple):
    trace_id: int
    span_id: int
    flags: int

    @property
    def sampled(self) -> bool:
        return bool(self.flags & 1)


def parse_parent(value: bytes) -> TraceParent | None:
    """None: malformed."""
    match = _PARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    parent = TraceParent(int(trace_id, 16), int(span_id, 16), int(flags, 16))
    return parent if parent.trace_id and parent.span_id else None


def is_state(value: bytes) -> bool:
    members = [member for part in value.split(b",") if (member := part.strip(b" \t"))]
    keys = {member.partition(b"=")[0] for member in members}
    fits = len(keys) == len(members) <= _MAX_MEMBERS and len(value) <= _MAX_STATE
    return bool(members) and fits and all(map(_MEMBER.fullmatch, members))


def format_parent(trace_id: int, span_id: int, *, sampled: bool) -> bytes:
    return b"00-%032x-%016x-%02x" % (trace_id, span_id, sampled)


def format_trace(parent: bytes, state: bytes) -> bytes:
    """As a block of fields."""
    if not parent:
        return b""
    return b"\r\ntraceparent: " + parent + (b"\r\ntracestate: " + state if state else b"")
