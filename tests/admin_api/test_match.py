"""The dry run of a request: the rows of the case table, and what is asked wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coalmine.settings import Settings
from tests.admin_api.support import V1, V2, Api, open_api
from tests.support.case import Call, Case
from tests.support.cases import DRY

MATCH = "/api/v1/match"


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with open_api(tmp_path_factory.mktemp("dry")) as api:
        yield api


def ask(api: Api, case: Case, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The definitions of a row come from no catalog: some of them could not be stored."""
    from coalmine.routing.build import build_snapshot

    monkeypatch.setattr(api.feed, "current", build_snapshot(case.definitions))
    request = case.request
    body = {"method": request.method, "host": request.host, "path": request.target, "source": request.source}
    body |= {"body": request.body.decode()} if request.body else {}
    answer = api.post(MATCH, body | {"headers": [list(pair) for pair in request.headers]})
    assert answer.status_code == 200, answer.text
    explanation: dict[str, Any] = answer.json()
    return explanation


def name_of(case: Case) -> str:
    return f"{case.group}: {case.name}"


@pytest.mark.parametrize("case", DRY, ids=name_of)
def test_the_dry_run_tells_what_the_gateway_does(dry: Api, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = ask(dry, case, monkeypatch)
    outcomes = explanation["destinations"]
    if isinstance(case.expected, Call):
        calls = [(one["upstream"], one["request"]) for one in outcomes if one["request"] and one["share"] > 0]
        found = [(upstream, call["method"], call["url"].split("/", 3)[3]) for upstream, call in calls]
        assert (case.expected.upstream, case.expected.method, case.expected.target[1:]) in found
    else:
        replies = [explanation["reply"], *(one["reply"] for one in outcomes)]
        told = [(reply["status"], reply["code"]) for reply in replies if reply]
        assert (case.expected.status, case.expected.code) in told or "fault" in str(explanation["notes"]), explanation


def test_there_are_rows() -> None:
    assert len(DRY) > 400


def test_losers_have_reasons(petstore: Api) -> None:
    canary = {"name": "canary", "match": {"path": {"prefix": "/a"}, "headers": [{"name": "x-canary", "exact": "true"}]}}
    plain = {"name": "plain", "match": {"path": {"prefix": "/a"}}}
    for route, upstream in ((canary, V2), (plain, V1)):
        more = {"virtual_service": "coalmine", "destinations": [{"upstream": upstream, "function": "findPets"}]}
        assert petstore.post("/api/v1/routes", route | more).status_code == 201
    explanation = petstore.post(MATCH, {"path": "/a?tags=cat"}).json()
    assert explanation["route"] == "plain"
    assert [one["taken"] for one in explanation["candidates"]] == [False, True]
    assert "x-canary" in explanation["candidates"][0]["reason"]
    (outcome,) = explanation["destinations"]
    assert (outcome["upstream"], outcome["function"], outcome["share"]) == (V1, "findPets", 100)
    assert outcome["request"]["url"].startswith("http://127.0.0.1:9001/api/pets?tags=cat")
    headers = [["X-Canary", "true"]]
    assert petstore.post(MATCH, {"path": "/a", "headers": headers}).json()["route"] == "canary"


WRONG = [
    pytest.param({"paht": "/"}, "/paht", "unknown_key", id="an unknown key"),
    pytest.param({"method": "GE T"}, "/method", "invalid_value", id="a method that is none"),
    pytest.param({"headers": {"a": "b"}}, "/headers", "wrong_type", id="headers as an object"),
    pytest.param({"headers": [["a", "b\n"]]}, "/headers/0/1", "invalid_value", id="a line break in a header"),
    pytest.param({"source": "nobody"}, "/source", "invalid_value", id="a source that is no address"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), WRONG)
def test_what_is_asked_wrongly_is_refused(api: Api, body: Any, pointer: str, code: str) -> None:
    answer = api.post(MATCH, body)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]


def test_a_path_that_is_none_is_answered_as_the_gateway_would(api: Api) -> None:
    assert api.post(MATCH, {"path": "/../x"}).json()["reply"]["code"] == "bad_request"


def test_nothing_given_asks_for_the_root(api: Api) -> None:
    assert api.post(MATCH, {}).json()["reply"]["code"] == "no_virtual_service"


def test_a_body_is_looked_at_where_it_is_given(petstore: Api) -> None:
    route = {
        "name": "by-body",
        "virtual_service": "coalmine",
        "match": {"path": {"exact": "/pet"}, "methods": ["POST"]},
        "destinations": [{"upstream": V1, "function": "findPetById", "parameters": {"id": "{body.id}"}}],
    }
    assert petstore.post("/api/v1/routes", route).status_code == 201
    asked = {"method": "POST", "path": "/pet", "headers": [["content-type", "application/json"]], "body": '{"id": 7}'}
    (outcome,) = petstore.post(MATCH, asked).json()["destinations"]
    assert outcome["request"]["url"] == "http://127.0.0.1:9001/api/pets/7"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = Settings(admin="127.0.0.1:0", trusted_proxies="127.0.0.0/8")
    with open_api(tmp_path_factory.mktemp("behind"), settings) as api:
        inside = {"name": "inside", "match": {"source_cidrs": ["10.1.0.0/16"]}, "direct_response": {"status": 200}}
        assert api.post("/api/v1/routes", inside).status_code == 201
        yield api


ADDRESSES = [
    pytest.param("127.0.0.1", "10.1.2.3", "inside", id="a trusted proxy says who asks"),
    pytest.param("127.0.0.1", "8.8.8.8, 10.1.2.3, 127.0.0.2", "inside", id="the rightmost that is no trusted proxy"),
    pytest.param("127.0.0.1", "10.1.2.3, 8.8.8.8", None, id="what stands before it is hearsay"),
    pytest.param("8.8.8.8", "10.1.2.3", None, id="others are not believed"),
]


@pytest.mark.parametrize(("source", "forwarded_for", "route"), ADDRESSES)
def test_the_address_is_the_one_that_the_gateway_would_take(
    behind: Api, source: str, forwarded_for: str, route: str | None
) -> None:
    asked = {"source": source, "headers": [["X-Forwarded-For", forwarded_for]]}
    assert behind.post(MATCH, asked).json()["route"] == route
