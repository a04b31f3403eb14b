"""Who may talk to the admin API."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from admin_api.security import Guard, is_same_origin, split_host
from coalmine.settings import Settings
from tests.admin_api.support import Api, open_api

UPSTREAMS = "/api/v1/upstreams"
TOKEN = "s3cret-töken"
ROUTE = '{"name": "u", "endpoints": ["http://127.0.0.1:1"]}'

HOSTS = [
    pytest.param("127.0.0.1:{port}", 200, id="the listening address"),
    pytest.param("127.0.0.1", 200, id="without a port"),
    pytest.param("localhost:{port}", 200, id="localhost"),
    pytest.param("LOCALHOST.:1", 200, id="in any case, with the root's dot"),
    pytest.param("[::1]:{port}", 200, id="IPv6 loopback"),
    pytest.param("gateway.example:80", 200, id="a name that the settings list"),
    pytest.param("evil.test", 403, id="a foreign name"),
    pytest.param("evil.test:{port}", 403, id="a foreign name with our port"),
    pytest.param("127.0.0.1.evil.test", 403, id="a name that begins like ours"),
    pytest.param("10.0.0.1", 403, id="another address"),
    pytest.param("", 403, id="an empty one"),
    pytest.param("[", 403, id="half a bracket"),
]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = Settings(admin="127.0.0.1:0", admin_hosts=" Gateway.example , [fd00::1]")
    with open_api(tmp_path_factory.mktemp("listed"), settings) as api:
        yield api


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_host_has_to_be_ours(listed: Api, host: str, status: int) -> None:
    answer = listed.get(UPSTREAMS, headers={"host": host.format(port=listed.port)})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "forbidden_origin"


def test_a_request_without_host_is_refused(listed: Api) -> None:
    with socket.create_connection(("127.0.0.1", listed.port), timeout=5) as client:
        client.sendall(b"GET /api/v1/upstreams HTTP/1.0\r\n\r\n")
        assert b" 403 " in client.recv(65536)


PAGES = [
    pytest.param({"origin": "http://127.0.0.1:{port}"}, 201, id="our own page"),
    pytest.param({"sec-fetch-site": "same-origin"}, 201, id="our own page by fetch metadata"),
    pytest.param({"sec-fetch-site": "none"}, 201, id="typed by the user"),
    pytest.param({"origin": "http://evil.test"}, 403, id="a foreign page"),
    pytest.param({"origin": "null"}, 403, id="a page without origin"),
    pytest.param({"origin": "http://127.0.0.1:8080"}, 403, id="another port of this machine"),
    pytest.param({"sec-fetch-site": "cross-site"}, 403, id="cross-site"),
    pytest.param({"sec-fetch-site": "same-site"}, 403, id="same-site: another port of localhost"),
    pytest.param({"sec-fetch-site": "same-origin", "origin": "http://evil.test"}, 403, id="both have to hold"),
]


@pytest.mark.parametrize(("headers", "status"), PAGES)
def test_no_foreign_page_changes_anything(api: Api, headers: dict[str, str], status: int) -> None:
    headers = {name: value.format(port=api.port) for name, value in headers.items()}
    answer = api.post(UPSTREAMS, ROUTE, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status
    assert api.get(UPSTREAMS).json()["total"] == (status == 201)
    assert "access-control-allow-origin" not in answer.headers


READS = [
    pytest.param({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403, id="not as an image of a page"),
    pytest.param({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200, id="but by following a link"),
    pytest.param({"origin": "http://evil.test"}, 200, id="readable to nobody: no CORS header"),
]


@pytest.mark.parametrize(("headers", "status"), READS)
def test_foreign_pages_cannot_look(api: Api, headers: dict[str, str], status: int) -> None:
    answer = api.get(UPSTREAMS, headers=headers)
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (status, False)


def test_a_preflight_gets_no_permission(api: Api) -> None:
    headers = {"origin": "http://evil.test", "access-control-request-method": "PUT"}
    answer = api.http.request("OPTIONS", UPSTREAMS, headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


TYPES = [
    pytest.param("text/plain", 415, id="what a form can send as text"),
    pytest.param("application/x-www-form-urlencoded", 415, id="what a form sends"),
    pytest.param("multipart/form-data; boundary=x", 415, id="what a form with files sends"),
    pytest.param(None, 415, id="nothing"),
    pytest.param("application/json; charset=utf-8", 201, id="JSON with a parameter"),
    pytest.param("Application/YAML", 201, id="YAML in any case"),
    pytest.param("application/x-yaml", 201, id="YAML by an old name"),
]


@pytest.mark.parametrize(("kind", "status"), TYPES)
def test_bodies_are_json_or_yaml(api: Api, kind: str | None, status: int) -> None:
    answer = api.post(UPSTREAMS, ROUTE, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status, answer.text


def test_a_chunked_body_needs_a_type_too(api: Api) -> None:
    answer = api.http.post(UPSTREAMS, content=iter([ROUTE.encode()]), headers={"content-type": "text/plain"})
    assert answer.status_code == 415


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = Settings(admin="127.0.0.1:0", admin_token=TOKEN)
    with open_api(tmp_path_factory.mktemp("guarded"), settings) as api:
        yield api


CREDENTIALS = [
    pytest.param(None, 401, "the admin token is missing", id="none"),
    pytest.param(b"Bearer wrong", 401, "the admin token is wrong", id="a wrong one"),
    pytest.param(b"Bearer", 401, "the admin token is wrong", id="an empty one"),
    pytest.param(b"Basic " + TOKEN.encode(), 401, "the admin token is wrong", id="another scheme"),
    pytest.param(b"Bearer " + TOKEN.encode(), 200, "", id="the right one, as UTF-8"),
    pytest.param(b"bearer  " + TOKEN.encode(), 200, "", id="the right one, scheme in any case"),
    pytest.param(b"Bearer \xff\xfe", 401, "the admin token is wrong", id="bytes that are no text"),
]


@pytest.mark.parametrize(("credentials", "status", "detail"), CREDENTIALS)
def test_the_token(guarded: Api, credentials: bytes | None, status: int, detail: str) -> None:
    headers = [(b"authorization", credentials)] if credentials else []
    answer = guarded.get(UPSTREAMS, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == 'Bearer realm="coalmine"'
        assert (answer.json()["code"], answer.json()["detail"]) == ("unauthorized", detail)


def test_every_path_wants_the_token_but_health(guarded: Api) -> None:
    headers = [(b"authorization", b"Bearer " + TOKEN.encode())]
    paths = list(guarded.get("/openapi.json", headers=headers).json()["paths"])
    paths += ["/", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/nonsense", "/healthz/"]
    open_paths = [path for path in paths if guarded.get(path).status_code != 401]
    assert sorted(open_paths) == ["/healthz", "/readyz"]


def test_no_answer_and_no_file_has_the_token(guarded: Api) -> None:
    headers = [(b"authorization", b"Bearer " + TOKEN.encode())]
    for path in ("/api/v1/config", "/api/v1/snapshot", "/metrics", "/readyz", "/openapi.json"):
        assert TOKEN.encode() not in guarded.get(path, headers=headers).content
    assert TOKEN.encode() not in Path(guarded.catalog.path).read_bytes()


def test_a_wildcard_address_answers_to_addresses_and_not_to_names() -> None:
    guard = Guard(lambda *_: None, Settings(admin="0.0.0.0:8081", admin_token="x"))  # type: ignore[arg-type,return-value]

    def refuses(host: str) -> bool:
        return guard._check_host(Headers({"host": host})) is not None

    assert [refuses(host) for host in ("192.0.2.1:8081", "[2001:db8::1]", "localhost", "evil.test")] == [
        False,
        False,
        False,
        True,
    ]


ORIGINS = [
    pytest.param("http://localhost", "localhost:80", True, id="the default port is no port"),
    pytest.param("https://admin.example", "admin.example", True, id="behind something that speaks TLS"),
    pytest.param("http://localhost:1", "localhost:2", False, id="another port"),
    pytest.param("null", "null", False, id="null is nobody"),
    pytest.param("file://", "", False, id="a file is nobody"),
    pytest.param("", "", False, id="nothing is nobody"),
]


@pytest.mark.parametrize(("origin", "host", "same"), ORIGINS)
def test_origins_are_compared_with_the_host(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) is same


@pytest.mark.parametrize(("text", "host"), [("[::1]:80", "::1"), ("A.b:1", "a.b"), ("[", ""), (":80", "")])
def test_the_host_of_a_host_header(text: str, host: str) -> None:
    assert split_host(text) == host


def test_every_answer_carries_the_headers_that_browsers_heed(api: Api) -> None:
    for path in (UPSTREAMS, "/nonsense", "/healthz"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
