"""Running a row of the case table through the pure ``decide``, and comparing what comes out with what is expected."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from coalmine.routing.build import build_snapshot
from coalmine.routing.decide import decide
from coalmine.routing.decision import Forward, ReadBody, Reply, RequestHead
from coalmine.routing.edits import CONTENT
from coalmine.routing.hosts import normalize_host
from coalmine.routing.limit import RateLimits
from coalmine.routing.path import normalize_path
from coalmine.routing.problem import problem_body, problem_reply
from coalmine.routing.standing import find_standing
from coalmine.routing.table import RouteTable
from tests.support.case import Answer, Call, Case, Pairs, Request


def make_head(request: Request) -> RequestHead:
    """The head that an engine makes of the request; raises ValueError for a path that is none."""
    path, mark, query = request.target.partition("?")
    headers = [(b"host", request.host.encode())]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers]
    if request.body:
        headers.append((b"content-length", str(len(request.body)).encode()))
    return RequestHead(
        request.method,
        normalize_path(path),
        query if mark else None,
        normalize_host(request.host),
        tuple(headers),
        request.source,
    )


def run(case: Case, table: RouteTable | None = None) -> Forward | Reply:
    """The decision for the row's request, its body read where it is asked for."""
    table = table or RouteTable.compile(build_snapshot(case.definitions))
    try:
        head = make_head(case.request)
    except ValueError as error:
        return problem_reply("bad_request", str(error))
    limits = RateLimits(lambda: 0.0)
    for _ in range(case.earlier):
        decide(table, head, case.draw(), body_limit=case.body_limit, limits=limits)
    decision = decide(table, head, case.draw(), body_limit=case.body_limit, limits=limits)
    return decision.resume(case.request.body) if isinstance(decision, ReadBody) else decision


def has_standing(case: Case) -> bool:
    """Whether what becomes of the row's request holds for others, too."""
    try:
        head = make_head(case.request)
    except ValueError:
        return False
    table = RouteTable.compile(build_snapshot(case.definitions))
    return find_standing(table, head.host, head.method, head.path) is not None


def check(case: Case, decided: Forward | Reply) -> None:
    """Raises AssertionError where the decision is not what the row expects."""
    if isinstance(case.expected, Call):
        assert isinstance(decided, Forward), f"answered instead of sent: {decided}"
        _check_call(case.expected, decided, case.request)
    else:
        assert isinstance(decided, Reply), f"sent instead of answered: {decided}"
        _check_answer(case.expected, decided, urlsplit(case.request.target).path)


def _check_call(expected: Call, forward: Forward, request: Request) -> None:
    assert (forward.upstream, forward.method, forward.target) == (expected.upstream, expected.method, expected.target)
    sent = sent_headers(forward, request)
    _check_headers(sent, expected.headers, expected.absent)
    body = {"stream": request.body, "none": b""}.get(forward.body, forward.body)  # type: ignore[arg-type]
    assert body == (request.body if expected.body is None else expected.body)
    _check_headers(forward.response_headers, expected.adds, ())
    assert forward.delay_seconds == expected.delay_seconds
    copy = forward.mirror
    assert (None if copy is None else (copy.upstream, copy.method, copy.target)) == expected.mirror


def sent_headers(forward: Forward, request: Request) -> Pairs:
    """What the upstream gets before the route's header edits, without framing."""
    replaced = {name for name, _ in forward.set_headers}
    gone = replaced | (CONTENT if request.body and forward.body == "none" else frozenset())
    kept = [(name.lower(), value) for name, value in request.headers if name.lower() not in gone]
    return (("host", forward.host or request.host), *kept, *forward.set_headers)


def _check_answer(expected: Answer, reply: Reply, instance: str) -> None:
    assert (reply.status, reply.code) == (expected.status, expected.code), reply.detail
    headers = reply.headers
    body = reply.body
    if reply.code is not None:
        headers = (*headers, ("content-type", "application/problem+json"))
        body = problem_body(reply, instance)
        content = json.loads(body)
        assert {name: content.get(name) for name, _ in expected.members} == dict(expected.members)
    _check_headers(headers, expected.headers, expected.absent)
    assert expected.body is None or body == expected.body
    assert reply.delay_seconds == expected.delay_seconds


def _check_headers(found: Pairs, wanted: Pairs, absent: tuple[str, ...]) -> None:
    for name, value in wanted:
        values = [text for key, text in found if key.lower() == name.lower()]
        if value.endswith("*") and value != "*":
            assert len(values) == 1, (name, values)
            assert values[0].startswith(value[:-1]), (name, values)
        else:
            assert values == [value], (name, values)
    for name in absent:
        assert not any(key.lower() == name.lower() for key, _ in found), name
