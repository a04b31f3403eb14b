"""Whatever is sent: never a 500, always problem+json, and what was refused changed nothing."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.admin_api.support import V1, Api

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)

# Whole and right; the tests put nonsense somewhere into it.
ROUTE: dict[str, Any] = {
    "name": "r",
    "virtual_service": "coalmine",
    "match": {
        "path": {"prefix": "/findPets"},
        "methods": ["GET"],
        "headers": [{"name": "x", "regex": "a.*"}],
        "query": [{"name": "y", "present": True}],
        "source_cidrs": ["10.0.0.0/8"],
    },
    "destinations": [{"upstream": V1, "function": "findPets", "weight": 1, "parameters": {"tags": "{query.tags}"}}],
    "sticky": {"cookie": {"name": "c"}},
    "retries": {"attempts": 2, "on": ["5xx"]},
    "request_headers": {"set": {"a": "b"}, "remove": ["c"]},
    "cors": {"allow_origins": ["*"]},
    "mirror": {"upstream": V1, "percent": 5},
    "fault": {"abort_status": 503},
}


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [found for key, inner in steps for found in paths_of(inner, (*path, key))]


def put_at(value: Any, path: tuple[Any, ...], what: Any) -> Any:
    if not path:
        return what
    changed = copy.deepcopy(value)
    here = changed
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = what
    return changed


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["code"] and body["detail"]


def test_the_route_of_these_tests_is_right(petstore: Api) -> None:
    answer = petstore.post("/api/v1/routes?dry_run=true", ROUTE)
    assert answer.status_code == 200, answer.text


def test_nonsense_anywhere_in_a_route(petstore: Api) -> None:
    @SETTINGS
    @given(st.sampled_from(paths_of(ROUTE)), VALUES)
    def run(path: tuple[Any, ...], nonsense: Any) -> None:
        answer = petstore.post("/api/v1/routes?dry_run=true", put_at(ROUTE, path, nonsense))
        check(answer)
        for fault in answer.json().get("errors", ()):
            assert fault["pointer"] == "" or fault["pointer"].startswith("/")

    run()


def test_nonsense_as_merge_patch_and_configuration(petstore: Api) -> None:
    petstore.post("/api/v1/routes", ROUTE)
    keys = st.sampled_from([*ROUTE, "upstreams", "virtual_services", "routes", "kind", "apiVersion", "spec", "items"])

    @SETTINGS
    @given(st.dictionaries(keys, VALUES, max_size=4))
    def run(nonsense: dict[str, Any]) -> None:
        check(petstore.patch("/api/v1/routes/r?dry_run=true", nonsense))
        check(petstore.post("/api/v1/config/validate", nonsense))
        check(petstore.post("/api/v1/upstreams?dry_run=true", nonsense))

    run()


def test_bytes_as_bodies(petstore: Api) -> None:
    @SETTINGS
    @given(st.binary(max_size=200), st.sampled_from(["application/json", "application/yaml", "text/plain", "a/b;c=d"]))
    def run(body: bytes, kind: str) -> None:
        for path in ("/api/v1/routes", "/api/v1/config/apply", "/api/v1/match"):
            answer = petstore.http.post(
                f"{path}?dry_run=true" if "match" not in path else path, content=body, headers={"content-type": kind}
            )
            check(answer)

    run()


def test_anything_as_names_queries_and_conditions(petstore: Api) -> None:
    printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)

    @SETTINGS
    @given(st.text(min_size=1, max_size=20), st.text(max_size=20), printable)
    def run(name: str, value: str, header: str) -> None:
        for path in ("upstreams", "virtual-services", "routes", f"functions/{V1}"):
            check(petstore.http.get(f"/api/v1/{path}/{json.dumps(name)}"))
        for query in ("q", "upstream", "cursor", "limit", "tag", "state", name):
            check(petstore.http.get("/api/v1/functions", params={query: value}))
        check(petstore.http.get("/api/v1/routes", params={"cursor": value}, headers={"if-none-match": header}))
        check(petstore.put("/api/v1/upstreams/x?dry_run=true", {}, headers={"if-match": header}))

    run()
