"""Two tokens: one may do everything, the other may read and sees no credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from admin_api.roles import QUESTIONS
from admin_api.secrets import MASK, is_secret, mask_secrets
from coalmine.errors import StartupError
from coalmine.serve.gateway import check_admin
from coalmine.settings import Settings
from tests.admin_api.support import Api, open_api

ADMIN, READ = "admin-token-0123456789", "read-token-0123456789"
SECRET = "Bearer very-s3cret"
ROUTE: dict[str, Any] = {
    "match": {"path": {"prefix": "/"}, "headers": [{"name": "x-api-key", "exact": "k3y-of-a-client"}]},
    "direct_response": {"status": 200, "body": "hello"},
    "request_headers": {"set": {"authorization": SECRET, "x-plain": "plain"}},
}


def by(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = Settings(admin="127.0.0.1:0", admin_token=ADMIN, admin_read_token=READ)
    with open_api(tmp_path_factory.mktemp("roles"), settings) as api:
        made = api.put("/api/v1/routes/r", ROUTE, headers=by(ADMIN) | {"coalmine-actor": "cli ann"})
        assert made.status_code == 201, made.text
        yield api


def operations(api: Api) -> list[tuple[str, str]]:
    """Every method of every path that the API documents about itself, with something in place of each parameter."""
    paths = api.get("/openapi.json", headers=by(ADMIN)).json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return [(method, re.sub(r"\{[^}]+\}", "1", path)) for method, path in found]


def ask(api: Api, method: str, path: str, headers: dict[str, str]) -> int:
    if path.endswith("/events"):  # its answer has no end
        with api.http.stream(method, path, headers=headers) as answer:
            return answer.status_code
    body = {} if method in ("GET", "DELETE") else {"json": {}}
    return api.http.request(method, path, headers=headers, **body).status_code


@pytest.mark.parametrize(
    "headers", [{}, by("wrong"), by(ADMIN[:-1]), by(READ + "x")], ids=["none", "wrong", "cut", "longer"]
)
def test_every_operation_wants_a_token(api: Api, headers: dict[str, str]) -> None:
    listed = operations(api)
    assert len(listed) > 40
    entered = [one for one in listed if ask(api, *one, headers) != 401]
    assert entered == [("GET", "/healthz"), ("GET", "/readyz")]


def test_the_read_token_reads_and_writes_nothing(api: Api) -> None:
    before = api.get("/api/v1/config", headers=by(ADMIN)).json()
    for method, path in operations(api):
        status = ask(api, method, path, by(READ))
        writes = method != "GET" and path not in QUESTIONS
        assert (status == 403) is writes, (method, path, status)
    assert api.get("/api/v1/config", headers=by(ADMIN)).json() == before


def test_a_write_is_refused_with_words(api: Api) -> None:
    problem = api.delete("/api/v1/routes/r", headers=by(READ)).json()
    assert (problem["code"], problem["detail"]) == (
        "read_only_token",
        "the token may read, and DELETE /api/v1/routes/r writes",
    )


SHOWING = ["routes/r", "routes", "config", "snapshot", "revisions/1", "revisions/0/diff/1"]


@pytest.mark.parametrize("path", SHOWING)
def test_a_reader_sees_no_credentials(api: Api, path: str) -> None:
    for kind in ("application/json", "application/yaml"):
        text = api.get(f"/api/v1/{path}", headers=by(READ) | {"accept": kind}).text
        assert "s3cret" not in text and "k3y" not in text
    seen = api.get(f"/api/v1/{path}", headers=by(ADMIN)).text
    assert ("s3cret" in seen) is (not path.startswith("revisions"))


def test_an_explanation_for_a_reader_has_no_credentials(api: Api) -> None:
    wanted = {"path": "/", "headers": [["x-api-key", "k3y-of-a-client"]]}
    text = api.post("/api/v1/match", wanted, headers=by(READ)).text
    assert '"r"' in text and "k3y" not in text and "s3cret" not in text


def test_the_history_tells_who_when_before_and_after_without_credentials(api: Api) -> None:
    changed = {**ROUTE, "request_headers": {"set": {"authorization": "Bearer n3xt", "x-plain": "other"}}}
    headers = by(ADMIN) | {"coalmine-actor": "cli bob"}
    preview = api.put("/api/v1/routes/r?dry_run=true", changed, headers=headers)
    number = api.put("/api/v1/routes/r", changed, headers=headers).headers["coalmine-revision"]
    revision = api.get(f"/api/v1/revisions/{number}", headers=by(ADMIN)).json()
    api.put("/api/v1/routes/r", ROUTE, headers=headers)
    assert (revision["actor"], revision["at"][:2]) == ("cli bob", "20")
    keys = {key["pointer"]: (key["before"], key["after"]) for key in revision["changes"][0]["keys"]}
    assert keys == {
        "/request_headers/set/authorization": (MASK, MASK),
        "/request_headers/set/x-plain": ("plain", "other"),
    }
    assert "n3xt" not in str(preview.json()["changes"])


NAMES = [
    ("Authorization", True),
    ("cookie", True),
    ("X-API-Key", True),
    ("x-session-token", True),
    ("client_secret", True),
    ("x-tokenizer", False),
    ("x-canary", False),
    ("accept", False),
]


@pytest.mark.parametrize(("name", "secret"), NAMES)
def test_the_name_of_a_header_tells(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
    expected = MASK if secret else "v"
    assert mask_secrets({"set": {name: "v"}}) == {"set": {name: expected}}
    assert mask_secrets([[name, "v"]]) == [[name, expected]]
    assert mask_secrets([{"name": name, "exact": "v"}]) == [{"name": name, "exact": expected}]


@pytest.mark.parametrize(("admin", "why"), [(None, "no admin token"), (READ, "whoever may read may write")])
def test_a_read_token_that_guards_nothing_is_refused(admin: str | None, why: str) -> None:
    with pytest.raises(StartupError, match=why):
        check_admin(Settings(admin_token=admin, admin_read_token=READ))
