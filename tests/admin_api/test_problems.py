"""Everything that is not a success is problem+json."""

from __future__ import annotations

from typing import Any

import pytest

from admin_api.bodies import MAX_BODY_BYTES
from tests.admin_api.support import Api

UPSTREAMS = "/api/v1/upstreams"
JSON = {"content-type": "application/json"}
YAML = {"content-type": "application/yaml"}

ANSWERS = [
    pytest.param("GET", "/nonsense", None, {}, 404, "not_found", id="no such path"),
    pytest.param("GET", f"{UPSTREAMS}/", None, {}, 404, "not_found", id="a slash too many"),
    pytest.param("GET", f"{UPSTREAMS}/%00%ff", None, {}, 404, "not_found", id="a name of control characters"),
    pytest.param("DELETE", UPSTREAMS, None, {}, 405, "method_not_allowed", id="a method that the path does not take"),
    pytest.param("TRACE", UPSTREAMS, None, {}, 405, "method_not_allowed", id="a method that nobody takes"),
    pytest.param("POST", UPSTREAMS, b"{", JSON, 400, "malformed_body", id="broken JSON"),
    pytest.param("POST", UPSTREAMS, b"", JSON, 400, "malformed_body", id="an empty body"),
    pytest.param("POST", UPSTREAMS, b" \n", JSON, 400, "malformed_body", id="a blank body"),
    pytest.param("POST", UPSTREAMS, b"a: b: c", YAML, 400, "malformed_body", id="broken YAML"),
    pytest.param("POST", UPSTREAMS, b"\xff\xfe\x00", JSON, 400, "malformed_body", id="no text at all"),
    pytest.param("POST", UPSTREAMS, b"[" * 100_000, JSON, 400, "malformed_body", id="bottomless JSON"),
    pytest.param("POST", UPSTREAMS, b"[" * 100_000, YAML, 400, "malformed_body", id="bottomless YAML"),
    pytest.param("POST", UPSTREAMS, b"a: 1\n---\nb: 2", YAML, 400, "malformed_body", id="two documents for one object"),
    pytest.param("POST", UPSTREAMS, b"not json", JSON, 422, "invalid_definition", id="a text for an object"),
    pytest.param("POST", UPSTREAMS, b"[]", JSON, 422, "invalid_definition", id="a list where an object should be"),
    pytest.param("PATCH", f"{UPSTREAMS}/x", b"5", JSON, 422, "invalid_definition", id="a patch that is no object"),
    pytest.param("POST", UPSTREAMS, b"x" * (MAX_BODY_BYTES + 1), JSON, 413, "body_too_large", id="a huge body"),
    pytest.param("GET", f"{UPSTREAMS}?limit=0", None, {}, 400, "invalid_query", id="a limit below"),
    pytest.param("GET", f"{UPSTREAMS}?limit=1001", None, {}, 400, "invalid_query", id="a limit above"),
    pytest.param("GET", f"{UPSTREAMS}?limit=many", None, {}, 400, "invalid_query", id="a limit that is no number"),
    pytest.param("GET", f"{UPSTREAMS}?cursor=!", None, {}, 400, "invalid_query", id="a cursor of our own making"),
    pytest.param("GET", "/api/v1/routes?cursor=!", None, {}, 400, "invalid_query", id="such a cursor of routes"),
    pytest.param("GET", "/api/v1/routes?cursor=NQ", None, {}, 400, "invalid_query", id="a cursor that is a number"),
    pytest.param("GET", "/api/v1/routes?cursor=WzEsMl0", None, {}, 200, None, id="a cursor of other things"),
    pytest.param("GET", "/api/v1/functions?state=gone", None, {}, 400, "invalid_query", id="a state that is none"),
    pytest.param("GET", f"{UPSTREAMS}?limit=1&limit=2", None, {}, 400, "invalid_query", id="a parameter twice"),
    pytest.param("GET", "/problems/nonsense", None, {}, 404, "not_found", id="a problem that is none"),
    pytest.param("GET", "/docs/nonsense", None, {}, 404, "not_found", id="an asset that is none"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "code"), ANSWERS)
def test_what_went_wrong_has_a_stable_code(
    api: Api, method: str, path: str, body: Any, headers: dict[str, str], status: int, code: str | None
) -> None:
    api.http.post(UPSTREAMS, json={"name": "x", "endpoints": ["http://127.0.0.1:1"]})
    answer = api.http.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if code is None:
        return
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "errors"} <= set(problem)
    assert (problem["code"], problem["status"], problem["type"]) == (code, status, f"/problems/{code}")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        pytest.param(UPSTREAMS, "GET, HEAD, POST", id="a list"),
        pytest.param(f"{UPSTREAMS}/x", "DELETE, GET, HEAD, PATCH, PUT", id="an object"),
        pytest.param(f"{UPSTREAMS}/x/probe", "POST", id="something that is done"),
    ],
)
def test_405_lists_all_that_the_path_takes(api: Api, path: str, allowed: str) -> None:
    assert api.http.request("OPTIONS", path).headers["allow"] == allowed


UNKNOWN = [
    pytest.param(f"{UPSTREAMS}?dryrun=true", "POST", "did you mean dry_run?", id="nearly a known one"),
    pytest.param("/healthz?x=1", "GET", "known here: none", id="where there are none"),
    pytest.param("/api/v1/problems?zzz=1", "GET", "known here: code, cursor, limit, severity", id="far from all"),
]


@pytest.mark.parametrize(("path", "method", "hint"), UNKNOWN)
def test_an_unknown_query_parameter_is_refused_with_a_hint(api: Api, path: str, method: str, hint: str) -> None:
    answer = api.http.request(method, path)
    assert (answer.status_code, answer.json()["hint"]) == (400, hint)


def test_the_type_of_a_problem_leads_somewhere(api: Api) -> None:
    problem = api.get("/nonsense").json()
    assert api.get(problem["type"]).json()["title"] == problem["title"]


def test_a_mistake_of_ours_tells_nothing_of_our_insides(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(api.catalog, "read", fail)
    # The server drops a connection on which it failed; a client that reuses it meanwhile is reset.
    answer = api.get(UPSTREAMS, headers={"connection": "close"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text and "Traceback" not in answer.text


def test_a_catalog_that_cannot_be_used_is_503_with_words(api: Api) -> None:
    path = api.catalog.path
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        answer = api.post(UPSTREAMS, {"name": "y", "endpoints": ["http://127.0.0.1:1"]})
    finally:
        hidden.rename(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "catalog_unavailable")
    assert answer.json()["hint"]
