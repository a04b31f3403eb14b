"""Header fields that no route can set, add or remove: what a message means would come apart.

Rule 1: this file performs no I/O.
Rule 2: the door refuses them; an engine that meets them all the same (stored by an older version) leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coalmine.errors import Fault
from coalmine.model import HeaderEdits, Route

# Each belongs to one connection or says where a message ends (RFC 9110 section 7.6.1, RFC 9112 section 6).
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# What speaks of content that is not sent on: services refuse a JSON body that is announced and missing. All of RFC 9110
# section 8, and those of RFC 9530 section 2.
CONTENT = frozenset({"content-type", "content-encoding", "content-language", "content-location", "content-digest"})


def find_edit_faults(route: Route) -> Iterator[Fault]:
    """Faults of header edits, with pointers relative to the route."""
    yield from _edit_faults("/request_headers", route.request_headers)
    yield from _edit_faults("/response_headers", route.response_headers)
    if route.direct_response is not None:
        yield from _name_faults("/direct_response/headers", route.direct_response.headers)


def _edit_faults(pointer: str, edits: HeaderEdits) -> Iterator[Fault]:
    yield from _name_faults(f"{pointer}/set", edits.set)
    yield from _name_faults(f"{pointer}/add", edits.add)
    for index, name in enumerate(edits.remove):
        yield from _judge(f"{pointer}/remove/{index}", name, None)


def _name_faults(pointer: str, headers: dict[str, str]) -> Iterator[Fault]:
    for name, value in headers.items():
        yield from _judge(f"{pointer}/{name.replace('~', '~0')}", name, value)  # RFC 6901 section 3


def _judge(pointer: str, name: str, value: str | None) -> Iterable[Fault]:
    lowered = name.lower()
    if lowered == "host" and pointer.startswith("/request_headers"):
        hint = f"write host: {value or 'upstream'} beside destinations"
        yield Fault(pointer, "invalid_value", "the Host header is chosen by the route's own key host", hint)
    elif lowered in FRAMING:
        detail = f"{name} belongs to the connection or says where the message ends; the gateway writes it itself"
        yield Fault(pointer, "invalid_value", detail, "leave it out")
