"""Standing decisions: what all requests with one method and path come to, whatever else stands in them.

Rule 1: this file performs no I/O; chance is the parameter ``draw``.
Rule 2: a standing decision is what ``decide`` would say, each time. Where that depends on a header, the query, the
    source address, a body or the time, there is none.
Rule 3: where the last segment of a path leads nowhere of its own and goes into the target as it stands, the decision
    for one path is that for its siblings. Paths that differ in an id are nearly all that a gateway sees.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from coalmine.routing.call import PATH_KEY
from coalmine.routing.decision import Forward, RequestHead
from coalmine.routing.disguise import is_suspect
from coalmine.routing.steer import Spread

if TYPE_CHECKING:
    from coalmine.routing.table import CompiledVirtualService, RouteTable


class Standing(NamedTuple):
    """``forwards`` by position, without a query; ``spread`` draws the position; ``rank`` is that of the route.

    Those with ``body: none`` are for requests without a body.
    """

    forwards: list[Forward]
    spread: Spread
    rank: int


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
    return Standing(forwards, action.spread, matched.route.rank)


# A segment that is taken for no other: by no template, and on its way into a target it stays what it is.
PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_ANY = "-any-segment-"


class Siblings(NamedTuple):
    """What requests come to whose paths differ in their last segment alone, where that is a PLAIN_SEGMENT.

    ``targets``: what stands before and behind it in the target of each of ``forwards``; None behind: it goes nowhere.
    ``service`` and ``names`` tell for which segments this does not hold (``leads_elsewhere``).
    """

    standing: Standing
    targets: list[tuple[str, str | None]]
    directory: str
    names: Collection[str]
    service: CompiledVirtualService

    def leads_elsewhere(self, segment: str) -> bool:
        return segment in self.names or self.service.has_path(f"{self.directory}/{segment}")


def find_siblings(table: RouteTable, host: str, method: str, directory: str) -> Siblings | None:
    """``directory`` is a path up to its last slash, without it."""
    service = table.find_virtual_service(host)
    standing = find_standing(table, host, method, f"{directory}/{_ANY}")
    if service is None or standing is None or not all(map(_keeps_segments, standing.forwards)):
        return None
    names = service.names_under(directory.split("/")[1:], standing.rank)
    targets = [_split_target(forward.target) for forward in standing.forwards]
    if names is None or None in targets:
        return None
    siblings = Siblings(standing, [target for target in targets if target], directory, names, service)
    return None if siblings.leads_elsewhere(_ANY) else siblings


def _keeps_segments(forward: Forward) -> bool:
    """Whether the target is made by putting texts together, whatever they are."""
    if forward.destination.call is not None:
        return all(name != PATH_KEY for name, _ in forward.destination.parameters)
    rewrite = forward.route.definition.rewrite
    return rewrite is None or rewrite.regex is None


def _split_target(target: str) -> tuple[str, str | None] | None:
    before, found, behind = target.partition(_ANY)
    return None if _ANY in behind else (before, behind if found else None)
