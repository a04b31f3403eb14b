"""What a route does with a request it takes, compiled once per snapshot.

Rule 1: this file performs no I/O; chance is the parameter ``draw``.
Rule 2: a route pays for what it uses: CORS and faults are wrapped round the action only where they are configured.
Rule 3: chance is drawn in this order, and only where it decides something: fault (percent below 100), destination
    or sticky cookie, mirror (percent below 100).
Rule 4: order of precedence: preflight answer, rate limit (``decide`` asks for it), fault, the action itself; CORS
    headers are added to whatever comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coalmine.model import FaultInjection, Mirror
from coalmine.routing.cors import CorsPolicy, is_preflight
from coalmine.routing.decision import Decision, Forward, ReadBody, Reply, RequestHead
from coalmine.routing.destination import Send, compile_destination
from coalmine.routing.limit import Limit
from coalmine.routing.problem import problem_reply
from coalmine.routing.redirect import compile_direct, compile_redirect
from coalmine.routing.snapshot import ServedRoute
from coalmine.routing.steer import Choice, Chooser, Draw, Headers, Spread, compile_spread, compile_steering

if TYPE_CHECKING:
    from coalmine.routing.table import Matched

# The decision for a request that the route takes; the last argument bounds a body that has to be read.
Act = Callable[[RequestHead, "Matched", Draw, int], Decision]
Answered = Forward | Reply


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """``act`` is all that serving needs; the parts are for preflights and for explaining.

    ``sends`` has one entry per destination, in their order. ``choose`` is None where nothing is sent to anyone.
    ``spread`` stands where chance alone chooses among them and nothing else is to be done.
    """

    served: ServedRoute
    act: Act
    cors: CorsPolicy | None = None
    sends: tuple[Send, ...] = ()
    choose: Chooser | None = None
    copy: Send | None = None
    limit: Limit | None = None
    spread: Spread | None = None


def compile_action(served: ServedRoute) -> CompiledAction:
    """The action of a served route; never raises: what cannot be compiled answers with its problem."""
    definition = served.definition
    cors = None if definition.cors is None else CorsPolicy(definition.cors)
    made = _compile_sending(served) if _sends(served) else CompiledAction(served, _compile_answer(served))
    act = made.act
    if definition.fault is not None and served.problem is None:
        act = _with_fault(act, definition.fault, served)
    if cors is not None:
        act = _with_cors(act, cors, served)
    limit = None if definition.rate_limit is None else Limit(definition.rate_limit, served)
    spread = made.spread if act is made.act and limit is None else None
    return replace(made, act=act, cors=cors, limit=limit, spread=spread)


def _sends(served: ServedRoute) -> bool:
    return served.problem is None and any(destination.weight for destination in served.destinations)


def _compile_answer(served: ServedRoute) -> Act:
    if served.problem is not None:
        return _refuse(served.problem, served.detail, served)
    definition = served.definition
    try:
        if definition.redirect is not None:
            answer = compile_redirect(definition.redirect, served)
            return lambda head, matched, draw, limit: answer(head, matched)
        if definition.direct_response is not None:
            direct = compile_direct(definition.direct_response, served)
            return lambda head, matched, draw, limit: direct(head, matched)
    except ValueError as error:
        return _refuse("route_invalid", str(error), served)
    return _refuse("route_invalid", "no destination of the route has a weight above 0", served)


def _refuse(code: str, detail: str, served: ServedRoute) -> Act:
    return lambda head, matched, draw, limit: problem_reply(code, detail, route=served)


def _compile_sending(served: ServedRoute) -> CompiledAction:
    sends = tuple(compile_destination(destination, served) for destination in served.destinations)
    choose = compile_steering(served.destinations, served.definition.sticky)
    spread = compile_spread(served.destinations) if served.definition.sticky is None else None
    copy = None if served.mirror is None else compile_destination(served.mirror, served)
    mirror = served.definition.mirror
    if copy is not None and mirror is not None:
        act, spread = _mirrored(served, choose, sends, copy, mirror), None
    elif len(sends) == 1 and served.definition.sticky is None:
        act = _compile_single(served, sends[0])
    else:
        act = _compile_steered(served, choose, sends)
    return CompiledAction(served, act, None, sends, choose, copy, spread=spread)


def _compile_steered(served: ServedRoute, choose: Chooser, sends: tuple[Send, ...]) -> Act:
    def act(head: RequestHead, matched: Matched, draw: Draw, limit: int) -> Decision:
        return _deliver(sends, choose(head, draw), None, served, head, matched, limit)

    return act


def _compile_single(served: ServedRoute, send: Send) -> Act:
    """Nothing to choose and nothing to add: the commonest route, and the one that has to be quick."""
    here = Choice(0)

    def act(head: RequestHead, matched: Matched, draw: Draw, limit: int) -> Decision:
        decided = send(head, matched, None)
        return _deliver((send,), here, None, served, head, matched, limit) if decided is None else decided

    return act


def _mirrored(served: ServedRoute, choose: Chooser, sends: tuple[Send, ...], send_copy: Send, mirror: Mirror) -> Act:
    def act(head: RequestHead, matched: Matched, draw: Draw, limit: int) -> Decision:
        choice = choose(head, draw)
        copy = send_copy if _happens(mirror.percent, draw) else None
        return _deliver(sends, choice, copy, served, head, matched, limit)

    return act


def _deliver(
    sends: tuple[Send, ...],
    choice: Choice,
    copy: Send | None,
    served: ServedRoute,
    head: RequestHead,
    matched: Matched,
    limit: int,
) -> Decision:
    def finish(data: bytes | None) -> Answered | None:
        decided = sends[choice.position](head, matched, data)
        if not isinstance(decided, Forward):
            return decided
        decided.response_headers = choice.headers
        if copy is not None:
            decided.mirror = _make_mirror(decided, copy(head, matched, data))
        return decided

    decided = finish(None)
    if decided is not None:
        return decided

    def resume(data: bytes) -> Answered:
        if len(data) > limit:
            detail = f"the call depends on what is in the body, and no more than {limit} bytes are read for that"
            return problem_reply(
                "body_too_large", detail, route=served, destination=served.destinations[choice.position]
            )
        answered = finish(data)
        assert answered is not None  # the body was all that was missing
        return answered

    return ReadBody(limit, resume, served)


def _make_mirror(forward: Forward, copied: Answered | None) -> Forward | None:
    """The copy to send. It gets no body but the one that the request itself sends, and never asks for one."""
    if not isinstance(copied, Forward):
        return None
    if copied.body != "none":
        copied.body = forward.body
    return copied


def _happens(percent: float, draw: Draw) -> bool:
    return percent >= 100 or draw() * 100 < percent


def _with_fault(act: Act, fault: FaultInjection, served: ServedRoute) -> Act:
    delay = fault.delay_seconds or 0.0

    def delayed(answered: Answered) -> Answered:
        answered.delay_seconds = delay
        return answered

    def faulty(head: RequestHead, matched: Matched, draw: Draw, limit: int) -> Decision:
        if not _happens(fault.percent, draw):
            return act(head, matched, draw, limit)
        if fault.abort_status is None:
            return _change(act(head, matched, draw, limit), delayed)
        detail = f"route {served.name} answers {fault.percent:g} % of its requests with a fault"
        return Reply(fault.abort_status, "fault_injected", detail, route=served, delay_seconds=delay)

    return faulty


def _with_cors(act: Act, cors: CorsPolicy, served: ServedRoute) -> Act:
    def shared(head: RequestHead, matched: Matched, draw: Draw, limit: int) -> Decision:
        if is_preflight(head):
            reply = cors.preflight(head)
            reply.route = served
            return reply
        headers = cors.headers(head)
        decision = _change(act(head, matched, draw, limit), lambda answered: _add_headers(answered, headers))
        if isinstance(decision, ReadBody):
            decision.headers = headers
        return decision

    return shared


def _add_headers(answered: Answered, headers: Headers) -> Answered:
    if isinstance(answered, Forward):
        answered.response_headers = (*answered.response_headers, *headers)
    else:
        answered.headers = (*answered.headers, *headers)
    return answered


def _change(decision: Decision, change: Callable[[Answered], Answered]) -> Decision:
    """``change`` applied to what is answered in the end, after a body was read if need be."""
    if not isinstance(decision, ReadBody):
        return change(decision)
    resume = decision.resume
    return ReadBody(decision.limit, lambda data: change(resume(data)), decision.route)
