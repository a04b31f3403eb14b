"""The whole of routing in one call: a request head in, a decision out.

Rule 1: this file performs no I/O and reads no clock; chance is the parameter ``draw``.
Rule 2: the route that matches decides. Whatever is wrong with it or its destinations is answered, never passed on to
    the next route.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coalmine.routing.cors import asked_method, is_preflight
from coalmine.routing.decision import Decision, Reply, RequestHead
from coalmine.routing.disguise import is_suspect, refuse_disguise
from coalmine.routing.problem import problem_reply
from coalmine.routing.steer import Draw

if TYPE_CHECKING:
    from coalmine.routing.limit import RateLimits
    from coalmine.routing.table import CompiledVirtualService, RouteTable

# A body that is searched for one parameter is held in memory, once per request in flight: 1 MiB takes any form people
# fill in, and a thousand of them at once a gigabyte.
BODY_LIMIT = 1_048_576


def decide(
    table: RouteTable, head: RequestHead, draw: Draw, *, body_limit: int = BODY_LIMIT, limits: RateLimits | None = None
) -> Decision:
    """What to do with a request; ``draw`` gives numbers in [0, 1), see ``coalmine.routing.action`` for their order.

    ``limits`` counts the request where its route has a rate limit; without it nothing is limited.
    """
    service = table.find_virtual_service(head.host)
    if service is None:
        return problem_reply("no_virtual_service", f"no virtual service has the domain {head.host or '(none)'}")
    if head.method == "OPTIONS":
        reply = _answer_preflight(service, head)
        if reply is not None:
            return reply
    matched = service.match(head)
    if matched is None:
        detail = f"no route of virtual service {service.name} matches {head.method} {head.path}"
        return problem_reply("no_route", detail)
    if is_suspect(head.path):
        disguised = refuse_disguise(service, head, matched)
        if disguised is not None:
            return disguised
    action = matched.route.action
    if action.limit is not None and limits is not None:
        refused = action.limit.refuse(head, limits)
        if refused is not None:
            refused.headers += () if action.cors is None else action.cors.headers(head)
            return refused
    return action.act(head, matched, draw, body_limit)


def _answer_preflight(service: CompiledVirtualService, head: RequestHead) -> Reply | None:
    """A preflight asks about another request: the route of that one answers, if it says anything about CORS."""
    if not is_preflight(head):
        return None
    matched = service.match(replace(head, method=asked_method(head)))
    if matched is None or matched.route.action.cors is None:
        return None
    reply = matched.route.action.cors.preflight(head)
    reply.route = matched.route.served
    return reply
