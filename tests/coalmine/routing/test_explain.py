"""Explanations: the same outcome as serving, with the reasons beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from coalmine.model import VirtualService
from coalmine.routing.build import build_snapshot
from coalmine.routing.decision import Forward, Reply, RequestHead
from coalmine.routing.explain import Explanation, Outcome, explain, make_head
from coalmine.routing.table import RouteTable
from tests.support.case import Case, ask, define, function, get, param, route, to
from tests.support.cases import CASES
from tests.support.dry import make_head as make_real_head
from tests.support.dry import run

TABLE = RouteTable.compile(
    build_snapshot(
        define(
            route("find-pets", "/findPets", to("v1", "findPets", 90), to("v2", "findPets", 10)),
            route(
                "canary",
                "/findPets",
                to("v2", "findPets"),
                headers=[{"name": "x-canary", "exact": "true"}],
                source_cidrs=["127.0.0.0/8"],
            ),
            route("beta", "/findPets", to("v2"), methods=["GET"], query=[{"name": "beta", "exact": "yes"}]),
            route("post", "/findPets", to("v1", "addPet"), methods=["POST"]),
            route("pet", "/pet", to("v1", "findPetById"), to("v2", "findPetById", 0)),
            route("user", "/user", to("v1"), to("v2"), sticky={"header": "x-user"}),
            route("other-host", "/other-host", to("v1"), host="other.test"),
            route("own-host", "/own-host", to("v1"), host="upstream"),
            route(
                "edited",
                "/edited",
                to("v1", "tagged"),
                request_headers={"set": {"x-set": "1"}, "add": {"x-add": "2"}, "remove": ["x-gone"]},
                fault={"percent": 10, "abort_status": 503, "delay_seconds": 2},
                mirror={"upstream": "v2", "percent": 5},
                cors={"allow_origins": ["*"]},
                sticky={"source_address": True},
            ),
            route("slow", "/slow", to("v1"), fault={"delay_seconds": 1}, mirror={"upstream": "gone"}),
            route("moved", "/moved", redirect={"host": "new.test"}, fault={"abort_status": 500}),
            route("mirrored", "/mirrored", to("v1"), mirror={"upstream": "v2", "function": "findPetById"}),
            route(
                "mirrored-call",
                "/mirrored-call",
                to("v1", "findPetById"),
                mirror={"upstream": "v2", "function": "findPetById"},
            ),
            functions=(function("tagged", "GET", "/tagged", param("x-tag", "header", default="t")),),
            services=(VirtualService(name="main", domains=("gateway.test",)),),
        )
    )
)


def ask_table(
    method: str, target: str, body: bytes | None = None, source: str = "127.0.0.1", **headers: str
) -> Explanation:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return explain(TABLE, make_head(method, target, "Gateway.test:8080", pairs, source), body=body)


def reasons(explanation: Explanation) -> dict[str, str]:
    return {one.name: one.reason for one in explanation.candidates}


def only(explanation: Explanation) -> Outcome:
    (outcome,) = explanation.destinations
    return outcome


def test_every_route_has_a_reason_in_effective_order() -> None:
    explanation = ask_table("GET", "/findPets?beta=no", x_canary="false")
    assert (explanation.virtual_service, explanation.route) == ("main", "find-pets")
    assert [one.order for one in explanation.candidates] == list(range(1, len(explanation.candidates) + 1))
    assert [one.name for one in explanation.candidates if one.taken] == ["find-pets"]
    told = reasons(explanation)
    assert told["canary"] == "asks that header x-canary is 'true'; it is 'false'"
    assert told["beta"] == "asks that query parameter beta is 'yes'; it is 'no'"
    assert told["post"] == "asks that method is POST; it is GET"
    assert told["find-pets"] == "every condition holds, and no earlier route matches"
    assert told["pet"] == "asks that path starts with /pet; it is /findPets"


def test_routes_behind_the_one_taken_say_so() -> None:
    explanation = ask_table("GET", "/findPets?beta=yes", x_canary="true")
    assert explanation.route in ("canary", "beta")
    assert reasons(explanation)["find-pets"] == f"comes after {explanation.route}, which already matches"


def test_what_is_absent_is_called_absent() -> None:
    told = reasons(ask_table("GET", "/findPets", source="10.0.0.1"))
    assert told["canary"] == "asks that header x-canary is 'true'; it is absent"
    assert told["beta"] == "asks that query parameter beta is 'yes'; it is absent"


@pytest.mark.parametrize(("source", "shown"), [("10.0.0.1", "10.0.0.1"), ("", "unknown")])
def test_a_source_outside_is_named(source: str, shown: str) -> None:
    told = reasons(ask_table("GET", "/findPets", source=source, x_canary="true"))
    assert told["canary"] == f"asks that source in 127.0.0.0/8; it is {shown}"


def test_every_destination_has_its_share_and_its_request() -> None:
    one, two = ask_table("GET", "/findPets?limit=1").destinations
    assert (one.upstream, one.function, one.weight, one.share, one.certain) == ("v1", "findPets", 90, 90.0, False)
    assert (two.upstream, two.share) == ("v2", 10.0)
    assert one.request is not None
    assert (one.request.method, one.request.url) == ("GET", "http://127.0.0.1:9001/api/pets?limit=1")
    assert (one.request.host, one.request.body) == ("Gateway.test:8080", "none")


def test_a_weight_of_zero_is_shown_with_no_share() -> None:
    one, two = ask_table("GET", "/pet/7").destinations
    assert (one.share, one.certain, two.share, two.certain) == (100.0, True, 0.0, False)


def test_a_destination_that_would_answer_shows_the_answer() -> None:
    reply = ask_table("GET", "/pet").destinations[0].reply
    assert reply is not None
    assert (reply.status, reply.code, reply.detail) == (
        400,
        "missing_parameter",
        "function findPetById needs the path parameter id",
    )


def test_a_sticky_user_is_certain_and_a_stranger_is_not() -> None:
    assert [one.certain for one in ask_table("GET", "/user", x_user="u1").destinations].count(True) == 1
    assert not any(one.certain for one in ask_table("GET", "/user").destinations)


@pytest.mark.parametrize(
    ("path", "host"), [("/other-host", "other.test"), ("/own-host", "127.0.0.1:9001"), ("/user", "Gateway.test:8080")]
)
def test_the_host_that_would_be_sent(path: str, host: str) -> None:
    request = ask_table("GET", path).destinations[0].request
    assert request is not None
    assert request.host == host


def test_what_happens_beside_is_noted() -> None:
    explanation = ask_table("GET", "/edited", origin="https://page.test")
    outcome = only(explanation)
    assert outcome.request is not None
    assert outcome.request.set_headers == (("x-tag", "t"), ("x-set", "1"))
    assert outcome.request.add_headers == (("x-add", "2"),)
    assert outcome.request.remove_headers == ("x-gone",)
    assert explanation.mirror is not None
    assert explanation.mirror.url == "http://127.0.0.1:9002/edited"
    assert explanation.response_headers == (("access-control-allow-origin", "*"),)
    assert explanation.notes == (
        "fault: 10 % of the requests wait 2 s and are answered 503",
        "mirror: 5 % of the requests go to v2, too",
        "sticky: the same user stays on the same destination",
    )


def test_a_mirror_that_cannot_be_sent_is_left_out() -> None:
    assert ask_table("GET", "/slow").mirror is None
    assert ask_table("GET", "/slow").notes[0] == "fault: 100 % of the requests wait 1 s"
    assert ask_table("POST", "/mirrored", b"id", content_type="text/plain").mirror is None


def test_a_copy_never_has_the_body_read_for_itself() -> None:
    explanation = ask_table("POST", "/mirrored", b'{"id": 7}', content_type="application/json")
    assert explanation.mirror is None
    assert "no copy of this one" in explanation.notes[-1]
    read = ask_table("POST", "/mirrored-call", b'{"id": 7}', content_type="application/json")
    assert read.mirror is not None
    assert read.mirror.url == "http://127.0.0.1:9002/api/pets/7"


def test_a_route_that_sends_nothing_shows_its_reply() -> None:
    explanation = ask_table("GET", "/moved")
    assert explanation.reply is not None
    assert (explanation.reply.status, explanation.reply.code) == (500, "fault_injected")
    assert explanation.notes == ("fault: 100 % of the requests are answered 500",)


def test_a_call_that_needs_the_body_says_so_and_takes_it() -> None:
    head = make_head("POST", "/pet", "gateway.test", [("content-type", "application/json"), ("content-length", "9")])
    outcome = explain(TABLE, head).destinations[0]
    assert (outcome.needs_body, outcome.request, outcome.reply) == (True, None, None)
    outcome = explain(TABLE, head, body=b'{"id": 7}').destinations[0]
    assert outcome.request is not None
    assert (outcome.needs_body, outcome.request.url) == (False, "http://127.0.0.1:9001/api/pets/7")


def test_a_body_that_passes_is_called_read_when_it_was_read() -> None:
    rename = function("rename", "PUT", "/pets/{id}", param("id", "path"), body="application/json")
    table = RouteTable.compile(build_snapshot(define(route("r", "/", to("v1", "rename")), functions=(rename,))))
    head = make_head("POST", "/", headers=[("content-type", "application/json")])
    outcome = explain(table, head, body=b'{"id": 7}').destinations[0]
    assert outcome.request is not None
    assert (outcome.request.url, outcome.request.body) == ("http://127.0.0.1:9001/pets/7", "read")


def test_no_virtual_service_and_no_route() -> None:
    nobody = explain(TABLE, make_head("GET", "/", "other.test"))
    assert (nobody.virtual_service, nobody.route, nobody.candidates) == (None, None, ())
    assert nobody.reply is not None
    assert nobody.reply.code == "no_virtual_service"
    nothing = ask_table("GET", "/none")
    assert nothing.reply is not None
    assert (nothing.virtual_service, nothing.route, nothing.reply.code) == ("main", None, "no_route")
    assert not any(one.taken for one in nothing.candidates)


def test_a_preflight_is_answered_by_the_route_that_it_asks_about() -> None:
    asked = {"origin": "https://page.test", "access_control_request_method": "GET"}
    explanation = ask_table("OPTIONS", "/edited", **asked)
    assert explanation.reply is not None
    assert (explanation.route, explanation.reply.status) == ("edited", 204)
    assert "preflight" in explanation.notes[0]
    assert ask_table("OPTIONS", "/own-host", **asked).destinations != ()
    moved = ask_table("OPTIONS", "/moved", **asked).reply
    assert moved is not None
    assert moved.code == "fault_injected"
    nothing = ask_table("OPTIONS", "/none", **asked).reply
    assert nothing is not None
    assert nothing.code == "no_route"


def test_a_preflight_to_a_redirect_is_a_redirect() -> None:
    table = RouteTable.compile(build_snapshot(define(route("moved", "/", redirect={"host": "new.test"}))))
    pairs = [("origin", "https://page.test"), ("access-control-request-method", "GET")]
    reply = explain(table, make_head("OPTIONS", "/", "x", pairs)).reply
    assert reply is not None
    assert reply.status == 302


def test_an_explanation_is_plain_data() -> None:
    assert json.loads(json.dumps(asdict(ask_table("GET", "/edited"))))["route"] == "edited"


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="root"):
        make_head("GET", "/../x")


def served_head(case: Case) -> RequestHead | None:
    try:
        return make_real_head(case.request)
    except ValueError:
        return None


# Faults and shares are matters of chance and limits of earlier requests, which an explanation leaves open.
SERVED = [
    case for case in CASES if case.group != "fault" and not case.draws and case.body_limit > 1_000 and not case.earlier
]


@pytest.mark.parametrize("case", SERVED, ids=[f"{case.group}: {case.name}" for case in SERVED])
def test_what_is_explained_is_what_is_served(case: Case) -> None:
    head = served_head(case)
    if head is None:
        return
    table = RouteTable.compile(build_snapshot(case.definitions))
    decided = run(case, table)
    explanation = explain(table, head, body=case.request.body or None)
    assert explanation.route == (decided.route.name if decided.route else None)
    found = outcome_of(explanation, decided)
    if isinstance(decided, Forward):
        assert found["request"]["url"].endswith(decided.target)
        assert found["request"]["method"] == decided.method
    else:
        told = found["reply"] or (explanation.reply and asdict(explanation.reply))
        assert (told["status"], told["code"]) == (decided.status, decided.code)


def outcome_of(explanation: Explanation, decided: Forward | Reply) -> dict[str, Any]:
    for outcome in explanation.destinations:
        if decided.destination is not None and outcome.upstream == decided.destination.upstream:
            return asdict(outcome)
    return {"request": None, "reply": None}


def test_a_get_and_a_real_head_agree() -> None:
    request = get("/a?b=c", x_y="z")
    assert make_head("get", "/a?b=c", request.host, request.headers, request.source) == make_real_head(request)
    assert make_real_head(ask("POST", "/", body="x")).headers[-1] == (b"content-length", b"1")
