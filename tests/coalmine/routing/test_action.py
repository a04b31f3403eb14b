"""Actions: what cannot be compiled answers, and what the case table cannot show in one row."""

from __future__ import annotations

import pytest

from coalmine.model import Redirect
from coalmine.routing.action import compile_action
from coalmine.routing.build import build_snapshot
from coalmine.routing.decide import decide
from coalmine.routing.decision import Forward, ReadBody, Reply, RequestHead
from coalmine.routing.snapshot import ServedDestination, ServedRoute
from coalmine.routing.table import CompiledRoute, Matched, RouteTable
from tests.support.case import ask, define, function, param, route, to
from tests.support.dry import make_head


def act(served: ServedRoute) -> Reply:
    matched = Matched(CompiledRoute(served, 0), {}, "")
    decision = compile_action(served).act(RequestHead("GET", "/"), matched, lambda: 0.5, 1)
    assert isinstance(decision, Reply)
    return decision


def test_a_redirect_that_cannot_be_compiled_answers() -> None:
    definition = route("old", "/old", redirect={"path": "/x"}).model_copy(update={"redirect": Redirect(path="/%zz")})
    reply = act(ServedRoute(definition))
    assert (reply.status, reply.code, reply.route) == (503, "route_invalid", ServedRoute(definition))


def test_a_rewrite_that_cannot_be_compiled_answers() -> None:
    rewrite = {"regex": {"pattern": "(", "substitution": ""}}
    served = ServedRoute(route("old", "/old", to("v1"), rewrite=rewrite), (ServedDestination("v1"),))
    assert act(served).code == "route_invalid"


def test_a_route_without_any_weight_answers() -> None:
    served = ServedRoute(route("none", "/", to("v1")), (ServedDestination("v1", 0),))
    assert act(served).code == "route_invalid"


def test_the_problem_of_a_route_is_not_delayed_by_its_fault() -> None:
    definition = route("none", "/", to("v1"), fault={"delay_seconds": 5})
    reply = act(ServedRoute(definition, (), None, "upstream_missing", "it is gone"))
    assert (reply.code, reply.detail, reply.delay_seconds) == ("upstream_missing", "it is gone", 0)


RENAME = function("rename", "PUT", "/pets/{id}", param("id", "path"), body="application/json")
MIRRORS = RouteTable.compile(
    build_snapshot(
        define(
            route("a", "/a", to("v1", "rename"), mirror={"upstream": "v2"}),
            route("b", "/b", to("v1", "findPetById"), mirror={"upstream": "v2"}),
            route("c", "/c", to("v1", "rename"), mirror={"upstream": "v2", "function": "findPetById"}),
            functions=(RENAME,),
        )
    )
)


@pytest.mark.parametrize(
    ("path", "body", "copied"),
    [
        ("/a/1", "stream", "stream"),
        ("/a", b'{"id":1}', b'{"id":1}'),
        ("/b/1", "none", "none"),
        ("/c", b'{"id":1}', "none"),
    ],
    ids=["a stream", "a body that was read", "no body", "a copy that takes none"],
)
def test_a_copy_gets_no_other_body_than_the_request(path: str, body: object, copied: object) -> None:
    head = make_head(ask("POST", path, body='{"id":1}', kind="application/json"))
    decision = decide(MIRRORS, head, lambda: 0.5)
    forward = decision.resume(b'{"id":1}') if isinstance(decision, ReadBody) else decision
    assert isinstance(forward, Forward)
    assert forward.mirror is not None
    assert (forward.body, forward.mirror.body) == (body, copied)


def test_a_body_beyond_the_limit_is_refused_with_the_destination_that_wanted_it() -> None:
    head = make_head(ask("POST", "/a", body='{"id":1}', kind="application/json"))
    decision = decide(MIRRORS, head, lambda: 0.5, body_limit=7)
    assert isinstance(decision, ReadBody)
    reply = decision.resume(b'{"id":1}')
    assert isinstance(reply, Reply)
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert reply.destination is not None
