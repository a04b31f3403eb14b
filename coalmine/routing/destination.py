"""A destination compiled: from a matched request to the request that its upstream gets.

Rule 1: this file performs no I/O.
Rule 2: a destination that has a problem answers with it. It never passes its share on to the others: that would send
    canary traffic elsewhere without a word.
Rule 3: what cannot be compiled answers ``route_invalid``; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coalmine.routing.call import Call
from coalmine.routing.decision import Forward, Reply, RequestHead
from coalmine.routing.problem import problem_reply
from coalmine.routing.rewrite import compile_rewrite
from coalmine.routing.snapshot import ServedDestination, ServedRoute

if TYPE_CHECKING:
    from coalmine.routing.table import Matched

# What becomes of a request at this destination; None asks for the body, to be given as the third argument.
Send = Callable[[RequestHead, "Matched", bytes | None], Forward | Reply | None]


def compile_destination(destination: ServedDestination, served: ServedRoute) -> Send:
    """How requests of a route are sent to one of its destinations."""
    if destination.problem is not None:
        return _refuse(destination.problem, destination.detail, destination, served)
    try:
        return _compile_call(destination, served) if destination.call else _compile_plain(destination, served)
    except ValueError as error:
        return _refuse("route_invalid", str(error), destination, served)


def find_host(served: ServedRoute) -> str | None:
    """The Host to send; None for the client's own and for the upstream's, which the engine knows."""
    host = served.definition.host
    return None if host in ("preserve", "upstream") else host


def _refuse(code: str, detail: str, destination: ServedDestination, served: ServedRoute) -> Send:
    return lambda head, matched, data: problem_reply(code, detail, route=served, destination=destination)


def _compile_call(destination: ServedDestination, served: ServedRoute) -> Send:
    prepare = Call(destination).prepare
    host = find_host(served)

    def send(head: RequestHead, matched: Matched, data: bytes | None) -> Forward | Reply | None:
        prepared = prepare(head, matched, data)
        if prepared is None:
            return None
        if isinstance(prepared, Reply):
            prepared.route = served
            return prepared
        method, target, headers, body, common = prepared
        return Forward(served, destination, method, target, host, headers, body, common=common)

    return send


def _compile_plain(destination: ServedDestination, served: ServedRoute) -> Send:
    rewrite = compile_rewrite(served.definition.rewrite)
    host = find_host(served)

    def send(head: RequestHead, matched: Matched, data: bytes | None) -> Forward | Reply | None:
        path = rewrite(head, matched)
        if isinstance(path, Reply):
            path.route, path.destination = served, destination
            return path
        target = path if head.query is None else f"{path}?{head.query}"
        return Forward(served, destination, head.method, target, host, common=True)

    return send
