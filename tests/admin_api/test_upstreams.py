"""Upstreams over the wire."""

from __future__ import annotations

from tests.admin_api.conftest import Api

UPSTREAM = {"name": "pets", "endpoints": ["http://127.0.0.1:9001"]}
URL = "/api/v1/upstreams/pets"


def test_post_creates_and_says_where(api: Api) -> None:
    answer = api.post("/api/v1/upstreams", UPSTREAM)
    assert (answer.status_code, answer.headers["location"]) == (201, URL)
    assert answer.json()["status"] == {
        "state": "accepted", "problems": [], "discovery": "pending", "functions": 0, "last_success_at": None,
    }  # fmt: skip
    assert api.get(URL).json() == answer.json()
    assert api.prober.woken == 1
    assert [one.name for one in api.feed.current.upstreams] == ["pets"]
