"""Problem replies: from a code to a Reply, and from a Reply to the bytes of its body (RFC 9457).

Rule 1: this file performs no I/O.
Rule 2: status and title come from ``coalmine.errors.CODES`` alone; a reply of a route's own (an injected fault)
    may have another status than its code.
Rule 3: ``type`` is the relative reference ``/problems/<code>`` (RFC 9457 section 3.1.1 allows one): it names the
    section of docs/problems.md and needs no host that would have to live as long as the code.
"""

from __future__ import annotations

import json

from pydantic import JsonValue

from coalmine.errors import CODES
from coalmine.routing.decision import Reply
from coalmine.routing.snapshot import ServedDestination, ServedRoute

PROBLEM_TYPE = "application/problem+json"
# A stored problem that is only a warning has no status of its own; whoever answers with it is unavailable.
_UNAVAILABLE = 503
# Made once: json.dumps makes one each time, which costs more than what it writes.
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def problem_reply(
    code: str,
    detail: str,
    *,
    route: ServedRoute | None = None,
    destination: ServedDestination | None = None,
    members: tuple[tuple[str, JsonValue], ...] = (),
) -> Reply:
    """The reply that ``code`` stands for."""
    status = CODES[code].status or _UNAVAILABLE
    return Reply(status, code, detail, members=members, route=route, destination=destination)


def problem_body(reply: Reply, instance: str) -> bytes:
    """The problem+json of ``reply``, which has a code; ``instance`` is the path that was asked for."""
    assert reply.code is not None
    content: dict[str, JsonValue] = {
        "type": f"/problems/{reply.code}",
        "title": CODES[reply.code].title,
        "status": reply.status,
        "code": reply.code,
        "detail": reply.detail,
        "instance": instance,
    }
    # An extension member never hides a standard one (RFC 9457 section 3.2).
    content.update({name: value for name, value in reply.members if name not in content})
    return _encode(content).encode()
