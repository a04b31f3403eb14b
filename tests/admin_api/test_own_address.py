"""No upstream leads to the admin API itself, however its address is spelled."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin_api.own_address import Address, leads_to
from admin_api.security import is_proxied
from coalmine.settings import Settings
from tests.admin_api.support import Api, open_api

PORT = 18_081

ENDPOINTS = [
    pytest.param(f"http://127.0.0.1:{PORT}", 422, id="the address itself"),
    pytest.param(f"http://localhost:{PORT}", 422, id="by name"),
    pytest.param(f"http://LOCALHOST:{PORT}", 422, id="in capitals"),
    pytest.param(f"http://0.0.0.0:{PORT}", 422, id="this machine, without an address"),
    pytest.param(f"http://[::1]:{PORT}", 422, id="loopback of IPv6"),
    pytest.param(f"http://[::ffff:127.0.0.1]:{PORT}", 422, id="IPv4 in IPv6"),
    pytest.param(f"http://2130706433:{PORT}", 422, id="as one number"),
    pytest.param(f"http://0x7f.1:{PORT}", 422, id="hexadecimal and short"),
    pytest.param(f"https://127.0.0.1:{PORT}", 422, id="by another scheme"),
    pytest.param("http://127.0.0.1:9", 200, id="another port"),
    pytest.param(f"http://192.0.2.1:{PORT}", 200, id="another machine"),
    pytest.param(f"http://no-such-name.invalid:{PORT}", 200, id="a name that nobody has"),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with open_api(tmp_path_factory.mktemp("own"), Settings(admin=f"127.0.0.1:{PORT}")) as api:
        yield api


def fault_of(answer: object) -> tuple[str, str]:
    fault = answer.json()["errors"][0]  # type: ignore[attr-defined]
    return fault["pointer"], fault["detail"]


@pytest.mark.parametrize(("endpoint", "status"), ENDPOINTS)
def test_an_endpoint_that_is_the_admin_api_is_refused(api: Api, endpoint: str, status: int) -> None:
    api.put("/api/v1/upstreams/u", {"endpoints": ["http://127.0.0.1:9"]})
    answer = api.put("/api/v1/upstreams/u", {"endpoints": [endpoint]})
    assert answer.status_code == status, answer.text
    if status == 422:
        assert fault_of(answer) == ("/endpoints/0", f"{endpoint.lower()} is the admin API of this gateway")
        assert api.get("/api/v1/upstreams/u").json()["endpoints"] == ["http://127.0.0.1:9"]


def test_no_way_of_writing_takes_one(api: Api) -> None:
    ours = f"http://localhost:{PORT}"
    detail = f"{ours} is the admin API of this gateway"
    api.put("/api/v1/upstreams/u", {"endpoints": ["http://127.0.0.1:9"]})
    upstream = {"name": "v", "endpoints": ["http://127.0.0.1:9", ours]}
    assert fault_of(api.post("/api/v1/upstreams", upstream)) == ("/endpoints/1", detail)
    assert fault_of(api.patch("/api/v1/upstreams/u", {"endpoints": [ours]})) == ("/endpoints/0", detail)
    for write in (api.put("/api/v1/config", {"upstreams": [upstream]}), apply(api, upstream)):
        assert fault_of(write) == ("/upstreams/0/endpoints/1", detail)


def apply(api: Api, upstream: object) -> object:
    return api.post("/api/v1/config/apply", {"upstreams": [upstream]})


def test_the_setting_allows_it(tmp_path: Path) -> None:
    with open_api(tmp_path, Settings(admin=f"127.0.0.1:{PORT}", admin_through_proxy=True)) as api:
        assert api.put("/api/v1/upstreams/u", {"endpoints": [f"http://127.0.0.1:{PORT}"]}).status_code == 201
        assert api.get("/api/v1/upstreams", headers={"via": "1.1 coalmine"}).status_code == 200


LISTENING = [
    pytest.param("0.0.0.0", "127.0.0.1", True, id="everywhere is on loopback, too"),
    pytest.param("::", "::1", True, id="everywhere of IPv6"),
    pytest.param("0.0.0.0", "203.0.113.9", False, id="everywhere is not on other machines"),
    pytest.param("192.0.2.7", "192.0.2.7", True, id="one address"),
    pytest.param("192.0.2.7", "127.0.0.1", False, id="one address, and not loopback"),
]


@pytest.mark.parametrize(("listening", "address", "leads"), LISTENING)
def test_where_it_listens_decides(listening: str, address: str, leads: bool) -> None:
    def resolve(host: str) -> set[Address]:
        return {ipaddress.ip_address(address if host == "service" else host)}

    admin = f"[{listening}]:80" if ":" in listening else f"{listening}:80"
    assert leads_to("http://service", admin, resolve) is leads


VIAS = [
    pytest.param("1.1 coalmine", True, id="our proxy"),
    pytest.param("1.0 front, 1.1 Coalmine (comment)", True, id="among others"),
    pytest.param("1.1 coalmine.example", False, id="a name that begins like it"),
    pytest.param(",, 1.1", False, id="nothing that has a name"),
]


@pytest.mark.parametrize(("via", "proxied"), VIAS)
def test_what_has_come_through_the_proxy_is_refused(api: Api, via: str, proxied: bool) -> None:
    assert is_proxied(via) is proxied
    answer = api.get("/api/v1/upstreams", headers={"via": via})
    assert answer.status_code == (403 if proxied else 200)
