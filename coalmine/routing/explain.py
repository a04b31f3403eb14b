"""Explaining a request: which route takes it, why each other one does not, and what every destination would get.

Rule 1: this file performs no I/O, and nothing is sent.
Rule 2: it asks the very table, matchers and calls that serve requests; nothing is worked out a second time.
Rule 3: chance is not drawn. Every destination is shown with its share; what only happens to some requests (faults,
    mirrors) is said beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NoReturn

from coalmine.routing.conditions import HeaderCondition, QueryCondition, parse_query
from coalmine.routing.cors import Headers, is_preflight
from coalmine.routing.decide import BODY_LIMIT, decide
from coalmine.routing.decision import Forward, Reply, RequestHead
from coalmine.routing.destination import Send
from coalmine.routing.disguise import refuse_disguise
from coalmine.routing.edits import CONTENT
from coalmine.routing.hosts import normalize_host
from coalmine.routing.limit import describe_limit
from coalmine.routing.path import normalize_path
from coalmine.routing.steer import shares

if TYPE_CHECKING:
    from coalmine.routing.action import CompiledAction
    from coalmine.routing.table import CompiledRoute, CompiledVirtualService, Matched, RouteTable

# A draw that is in no share but that of 100 percent, and in the last destination's.
_LAST = 1 - 2**-53


@dataclass(frozen=True, slots=True)
class Candidate:
    """One route of the virtual service; ``order`` counts from 1 in effective order."""

    name: str
    order: int
    taken: bool
    reason: str


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What would be sent, to the first endpoint. ``body``: the client's, none, or read (and passed on) already."""

    method: str
    url: str
    host: str
    set_headers: Headers = ()
    add_headers: Headers = ()
    remove_headers: tuple[str, ...] = ()
    body: Literal["stream", "none", "read"] = "stream"


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """What the gateway would answer itself."""

    status: int
    code: str | None = None
    detail: str = ""
    headers: Headers = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One destination. ``share`` is its part of the route's requests in percent.

    ``certain`` says that this very request would go there, whatever chance says. Without ``request`` and ``reply`` the
    call needs the request's body (``needs_body``).
    """

    upstream: str
    function: str | None
    weight: int
    share: float
    certain: bool
    request: UpstreamRequest | None = None
    reply: GatewayReply | None = None
    needs_body: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """``route`` is the one taken. Either ``destinations`` or ``reply`` says what becomes of the request."""

    virtual_service: str | None
    route: str | None
    candidates: tuple[Candidate, ...] = ()
    destinations: tuple[Outcome, ...] = ()
    reply: GatewayReply | None = None
    mirror: UpstreamRequest | None = None
    response_headers: Headers = ()
    notes: tuple[str, ...] = ()


class _Chance(Exception):
    """Something would be left to chance."""


def make_head(
    method: str, target: str, host: str = "", headers: Sequence[tuple[str, str]] = (), source: str = ""
) -> RequestHead:
    """The head that a request with this target (path and query) has; raises ValueError for a path that is none."""
    path, mark, query = target.partition("?")
    pairs = [(b"host", host.encode("utf-8", "replace"))]
    pairs += [(name.lower().encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers]
    return RequestHead(
        method.upper(), normalize_path(path), query if mark else None, normalize_host(host), tuple(pairs), source
    )


def explain(table: RouteTable, head: RequestHead, *, body: bytes | None = None) -> Explanation:
    """What would become of a request; ``body`` is only looked at where a call needs it."""
    service = table.find_virtual_service(head.host)
    if service is None:
        return Explanation(None, None, reply=_ask_decide(table, head))
    if body:
        head = _announce(head, body)
    matched = service.match(head)
    candidates = tuple(_explain_routes(service, matched, head))
    preflight = _find_preflight(table, head)
    if preflight is not None:
        note = "a preflight is answered by the route of the request that it asks about"
        name = None if preflight.route is None else preflight.route.name
        return Explanation(service.name, name, candidates, reply=_show_reply(preflight), notes=(note,))
    if matched is None:
        return Explanation(service.name, None, candidates, reply=_ask_decide(table, head))
    disguised = refuse_disguise(service, head, matched)
    if disguised is not None:
        note = "the path is refused because it would be a way round an earlier route"
        return Explanation(service.name, None, candidates, reply=_show_reply(disguised), notes=(note,))
    asked = _Asked(table, head, matched, body)
    return _explain_action(asked, Explanation(service.name, matched.route.name, candidates))


def _announce(head: RequestHead, body: bytes) -> RequestHead:
    headers = [pair for pair in head.headers if pair[0] not in (b"content-length", b"transfer-encoding")]
    headers.append((b"content-length", str(len(body)).encode()))
    return RequestHead(head.method, head.path, head.query, head.host, tuple(headers), head.source, head.scheme)


def _ask_decide(table: RouteTable, head: RequestHead) -> GatewayReply:
    decision = decide(table, head, lambda: _LAST)
    assert isinstance(decision, Reply)  # nothing matched, so nothing can be sent or read
    return _show_reply(decision)


def _find_preflight(table: RouteTable, head: RequestHead) -> Reply | None:
    if not is_preflight(head):
        return None
    decision = decide(table, head, lambda: _LAST)
    if not isinstance(decision, Reply) or decision.code is not None or decision.route is None:
        return None
    return decision if decision.route.definition.cors is not None else None


# Routes.


def _explain_routes(service: CompiledVirtualService, matched: Matched | None, head: RequestHead) -> list[Candidate]:
    winner = None if matched is None else matched.route
    return [
        Candidate(route.name, number, route is winner, _find_reason(route, winner, head))
        for number, route in enumerate(service.routes, 1)
    ]


def _find_reason(route: CompiledRoute, winner: CompiledRoute | None, head: RequestHead) -> str:
    if route is winner:
        return "every condition holds, and no earlier route matches"
    needed = route.match.refusal(head)
    if needed is not None:
        return f"asks that {needed}; {_find_actual(route, needed, head)}"
    assert winner is not None  # a route without a refusal matches, so there is one
    return f"comes after {winner.name}, which already matches"


def _find_actual(route: CompiledRoute, needed: str, head: RequestHead) -> str:
    for condition in route.match.conditions:
        if condition.text != needed:
            continue
        if isinstance(condition, HeaderCondition):
            return _show_values(head.values(condition.name))
        if isinstance(condition, QueryCondition):
            return _show_values(parse_query(head.query).get(condition.name, []))
        return f"it is {head.source or 'unknown'}"
    return f"it is {head.method if needed.startswith('method') else head.path}"


def _show_values(values: Sequence[str]) -> str:
    return f"it is {' and '.join(map(repr, values))}" if values else "it is absent"


# What becomes of it.


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request and the route that takes it."""

    table: RouteTable
    head: RequestHead
    matched: Matched
    body: bytes | None

    def send(self, send: Send) -> Forward | Reply | None:
        """What a destination makes of it; None where the body is needed and not given."""
        decided = send(self.head, self.matched, None)
        return send(self.head, self.matched, self.body) if decided is None and self.body is not None else decided


def _explain_action(asked: _Asked, found: Explanation) -> Explanation:
    action = asked.matched.route.action
    notes = _find_notes(action)
    if action.choose is None:
        decision = action.act(asked.head, asked.matched, lambda: _LAST, BODY_LIMIT)
        assert isinstance(decision, Reply)  # nothing is chosen, so nothing is sent
        return replace(found, reply=_show_reply(decision), notes=notes)
    certain = _find_certain(action, asked.head)
    outcomes = tuple(
        _explain_destination(asked, position, share, certain)
        for position, share in enumerate(shares(action.served.destinations))
    )
    headers = () if action.cors is None else action.cors.headers(asked.head)
    mirror = _explain_mirror(asked, action.copy)
    if mirror is None and action.copy is not None:
        notes = (*notes, "mirror: no copy of this one, because its call cannot be made of what is read of the request")
    return replace(found, destinations=outcomes, mirror=mirror, response_headers=headers, notes=notes)


def _find_certain(action: CompiledAction, head: RequestHead) -> int | None:
    def refuse() -> NoReturn:
        raise _Chance

    assert action.choose is not None
    try:
        return action.choose(head, refuse).position
    except _Chance:
        return None


def _explain_destination(asked: _Asked, position: int, share: float, certain: int | None) -> Outcome:
    action = asked.matched.route.action
    destination = action.served.destinations[position]
    decided = asked.send(action.sends[position])
    return Outcome(
        destination.upstream,
        destination.function,
        destination.weight,
        round(share, 2),
        position == certain,
        _show_request(asked, decided) if isinstance(decided, Forward) else None,
        _show_reply(decided) if isinstance(decided, Reply) else None,
        needs_body=decided is None,
    )


def _explain_mirror(asked: _Asked, copy: Send | None) -> UpstreamRequest | None:
    """A copy never asks for a body: it sees one only where the request's own call reads it."""
    head, matched = asked.head, asked.matched
    read = any(send(head, matched, None) is None for send in matched.route.action.sends)
    decided = None if copy is None else copy(head, matched, asked.body if read else None)
    return _show_request(asked, decided) if isinstance(decided, Forward) else None


def _show_request(asked: _Asked, forward: Forward) -> UpstreamRequest:
    endpoint = next(one.endpoints[0] for one in asked.table.snapshot.upstreams if one.name == forward.upstream)
    definition = forward.route.definition
    edits = definition.request_headers
    client_host = next(iter(asked.head.values(b"host")), asked.head.host)
    upstream_host = endpoint.partition("://")[2]
    dropped = sorted(CONTENT) if forward.body == "none" and asked.head.has_body else ()
    return UpstreamRequest(
        forward.method,
        endpoint + forward.target,
        forward.host or (upstream_host if definition.host == "upstream" else client_host),
        (*forward.set_headers, *edits.set.items()),
        tuple(edits.add.items()),
        (*dropped, *edits.remove),
        forward.body if isinstance(forward.body, str) else "read",
    )


def _show_reply(reply: Reply) -> GatewayReply:
    return GatewayReply(reply.status, reply.code, reply.detail, reply.headers, reply.body.decode("utf-8", "replace"))


def _find_notes(action: CompiledAction) -> tuple[str, ...]:
    definition = action.served.definition
    notes = []
    if definition.fault is not None:
        fault = definition.fault
        what = [f"wait {fault.delay_seconds:g} s"] if fault.delay_seconds else []
        what += [f"are answered {fault.abort_status}"] if fault.abort_status else []
        notes.append(f"fault: {fault.percent:g} % of the requests {' and '.join(what)}")
    if definition.mirror is not None:
        notes.append(f"mirror: {definition.mirror.percent:g} % of the requests go to {definition.mirror.upstream}, too")
    if definition.rate_limit is not None:
        notes.append(f"rate limit: {describe_limit(definition.rate_limit)}; beyond that 429")
    if definition.sticky is not None:
        notes.append("sticky: the same user stays on the same destination")
    return tuple(notes)
