"""What is served, told to people and machines: snapshot, problems, events, health, metrics, pages."""

from __future__ import annotations

import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from admin_api import docs_page
from admin_api.served_pages import list_urls, reach
from coalmine.errors import CatalogError
from coalmine.feed import WorkerState
from coalmine.settings import Settings
from tests.admin_api.support import V1, Api, break_catalog

DIRECT = {"name": "r", "direct_response": {}}


def test_the_snapshot_is_what_the_engines_are_told(petstore: Api) -> None:
    snapshot = petstore.get("/api/v1/snapshot").json()
    assert snapshot["version"] == petstore.feed.current.version
    assert snapshot["upstreams"][0]["name"] == V1


def test_problems_are_listed_by_severity_and_code(petstore: Api) -> None:
    petstore.post("/api/v1/routes", {**DIRECT, "virtual_service": "coalmine"})
    petstore.delete("/api/v1/virtual-services/coalmine?force=true")
    (problem,) = petstore.get("/api/v1/problems").json()["items"]
    assert (problem["code"], problem["where"]) == ("virtual_service_missing", "routes/r")
    assert petstore.get("/api/v1/problems?severity=warning").json()["total"] == 0
    assert petstore.get("/api/v1/problems?code=virtual_service_missing").json()["total"] == 1


PROXIES = [
    pytest.param("127.0.0.1:8080", "http://127.0.0.1:8080", id="an address"),
    pytest.param("0.0.0.0:80", "http://127.0.0.1:80", id="every interface"),
    pytest.param("[::]:80", "http://[::1]:80", id="every interface of IPv6"),
    pytest.param("gateway.local:80", "http://gateway.local:80", id="a name"),
]


@pytest.mark.parametrize(("address", "url"), PROXIES)
def test_where_the_proxy_is_reached(address: str, url: str) -> None:
    assert reach(address) == url


def test_the_proxy_has_a_url(api: Api) -> None:
    assert api.get("/api/v1/proxy").json() == {"url": "http://127.0.0.1:8080"}


def test_the_safest_url_of_the_proxy_comes_first() -> None:
    settings = Settings(proxy="0.0.0.0:80", proxy_tls="[::]:443")
    assert list_urls(settings) == ["https://[::1]:443", "http://127.0.0.1:80"]


def read_event(lines: Any) -> dict[str, str]:
    event: dict[str, str] = {}
    for line in lines:
        if line == "" and event:
            return event
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
    raise AssertionError("the stream ended")


def test_events_tell_the_version_now_and_then_each_new_one(api: Api) -> None:
    with api.http.stream("GET", "/api/v1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = read_event(lines)
        assert (first["event"], first["id"]) == ("snapshot", api.feed.current.version)
        threading.Thread(target=api.feed.publish).start()  # an equal one, which nobody hears of
        api.post("/api/v1/routes", DIRECT)
        second = read_event(lines)
        assert json.loads(second["data"]) == {"version": api.feed.current.version, "routes": 1, "problems": 0}


def test_a_listener_that_comes_back_is_told_only_news(api: Api) -> None:
    headers = {"last-event-id": api.feed.current.version}
    with api.http.stream("GET", "/api/v1/events", headers=headers) as stream:
        lines = stream.iter_lines()
        api.post("/api/v1/routes", DIRECT)
        assert json.loads(read_event(lines)["data"])["routes"] == 1


def test_health_is_open_and_readiness_tells_the_truth(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    answer = api.get("/readyz")
    assert (answer.status_code, [one["ok"] for one in answer.json()["checks"]]) == (503, [True, False])
    old = WorkerState(pid=1, index=0, version="old")
    current = WorkerState(pid=2, index=1, version=api.feed.current.version)
    monkeypatch.setattr(api.feed, "workers", lambda: [old])
    assert api.get("/readyz").status_code == 503
    silent = WorkerState(pid=2, index=1, version=api.feed.current.version, hung=True)
    monkeypatch.setattr(api.feed, "workers", lambda: [silent])
    assert api.get("/readyz").json()["checks"][1]["detail"] == "0 of 2 serve the current snapshot"
    monkeypatch.setattr(api.feed, "workers", lambda: [old, current])
    assert api.get("/readyz").json() == {
        "ready": True,
        "checks": [
            {"name": "catalog", "ok": True, "detail": "readable"},
            {"name": "workers", "ok": True, "detail": "1 of 2 serve the current snapshot"},
        ],
    }


def test_without_a_catalog_nothing_is_ready_and_no_path_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    break_catalog(api, monkeypatch)
    answer = api.get("/readyz")
    assert answer.json()["checks"][0] == {
        "name": "catalog",
        "ok": False,
        "detail": f"catalog_unavailable: {api.catalog.path.name} is damaged",
    }


def test_a_write_that_failed_is_told_until_one_goes_well(api: Api) -> None:
    with pytest.raises(CatalogError), api.catalog.write():
        raise CatalogError(f"the disk of {api.catalog.path} is full")
    answer = api.get("/readyz")
    detail = f"readable; the last write failed: the disk of {api.catalog.path.name} is full"
    assert (answer.json()["checks"][0]["ok"], answer.json()["checks"][0]["detail"]) == (True, detail)
    assert api.post("/api/v1/routes", DIRECT).status_code == 201
    assert api.get("/readyz").json()["checks"][0]["detail"] == "readable"


def test_a_database_that_is_no_more_is_noticed_although_sqlite_goes_on_reading_it(api: Api) -> None:
    elsewhere = api.catalog.path.with_name("elsewhere")
    api.catalog.path.rename(elsewhere)
    detail = api.get("/readyz").json()["checks"][0]["detail"]
    elsewhere.rename(api.catalog.path)
    assert detail == f"catalog_unavailable: the database {api.catalog.path.name} was deleted or replaced while in use"
    assert api.get("/readyz").json()["checks"][0]["ok"]


def test_the_page_of_the_documentation_needs_nobody_else(api: Api) -> None:
    page = api.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert all(asset.startswith("/docs/") or asset == "data:," for asset in assets)
    for asset in (asset for asset in assets if asset.startswith("/")):
        answer = api.get(asset)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] in ("text/css", "text/javascript")
    assert "http://" not in page.text and "https://" not in page.text


def test_vendored_assets_come_with_their_licence() -> None:
    folder = Path(docs_page.__file__).parent / "static" / "swagger_ui"
    assert {path.name for path in folder.iterdir()} >= {"LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui.css"}


def test_every_link_of_the_index_leads_somewhere(api: Api) -> None:
    links = re.findall(r'href="(/[^"]*)"', api.get("/").text)
    statuses = {link: api.get(link).status_code for link in links}
    assert len(links) > 10
    assert {link for link, status in statuses.items() if status != 200} <= {"/readyz"}


def test_head_is_get_without_the_body(api: Api) -> None:
    got, headed = api.get("/api/v1/upstreams"), api.http.head("/api/v1/upstreams")
    assert (headed.status_code, headed.content) == (200, b"")
    assert (headed.headers["etag"], headed.headers["content-length"]) == (
        got.headers["etag"],
        got.headers["content-length"],
    )
    assert api.http.head("/api/v1/events").status_code == 405


def test_a_client_that_goes_away_in_the_middle_of_a_body_hurts_nobody(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as client:
        client.sendall(
            b"POST /api/v1/upstreams HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b'content-length: 100\r\n\r\n{"name":'
        )
    assert api.get("/healthz").status_code == 200


YAML_ANSWERS = [
    pytest.param("application/yaml", "application/yaml", id="YAML"),
    pytest.param("text/yaml;q=0.9", "text/yaml", id="YAML by another name"),
    pytest.param("application/json, application/yaml", "application/json", id="JSON where both will do"),
    pytest.param("*/*", "application/json", id="JSON where anything will do"),
]


@pytest.mark.parametrize(("accept", "kind"), YAML_ANSWERS)
def test_answers_come_as_they_are_wanted(api: Api, accept: str, kind: str) -> None:
    given = api.get("/api/v1/upstreams", headers={"accept": accept}).headers["content-type"]
    assert given.partition(";")[0] == kind
