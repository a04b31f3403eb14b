"""Standing decisions: what all requests with one method and path come to, whatever else stands in them.

Rule 1: this file performs no I/O; chance is the parameter ``draw``.
Rule 2: a standing decision is what ``decide`` would say, each time. Where that depends on a header, the query, the
    source address, a body or the time, there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from coalmine.routing.decision import Forward, RequestHead
from coalmine.routing.disguise import is_suspect
from coalmine.routing.steer import Spread

if TYPE_CHECKING:
    from coalmine.routing.table import RouteTable


class Standing(NamedTuple):
    """``forwards`` by position, without a query; ``spread`` draws the position.

    Those with ``body: none`` are for requests without a body.
    """

    forwards: list[Forward]
    spread: Spread


def find_standing(table: RouteTable, host: str, method: str, path: str) -> Standing | None:
    """What holds for all requests with these, as ``RequestHead`` has them."""
    service = table.find_virtual_service(host)
    if service is None or method == "OPTIONS" or is_suspect(path):  # it may be a preflight, or a disguise
        return None
    head = RequestHead(method, path, None, host)
    matched = service.match(head)
    if matched is None or not matched.by_path:
        return None
    action = matched.route.action
    if action.spread is None:
        return None
    forwards: list[Forward] = []
    for send in action.sends:
        forward = send(head, matched, None)
        if not isinstance(forward, Forward) or not forward.common:
            return None
        forwards.append(forward)
    return Standing(forwards, action.spread)
