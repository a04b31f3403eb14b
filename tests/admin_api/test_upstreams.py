"""Upstreams over the wire; what holds for every kind of definition is tested here, on this one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin_api.support import V1, Api

UPSTREAMS = "/api/v1/upstreams"
URL = f"{UPSTREAMS}/pets"
PETS: dict[str, Any] = {"name": "pets", "endpoints": ["http://127.0.0.1:9001"]}
OTHER = ["http://127.0.0.1:9002"]


def served(api: Api) -> dict[str, tuple[str, ...]]:
    return {one.name: one.endpoints for one in api.feed.current.upstreams}


def test_post_creates_and_says_where(api: Api) -> None:
    answer = api.post(UPSTREAMS, PETS)
    assert (answer.status_code, answer.headers["location"]) == (201, URL)
    assert answer.json()["status"] == {
        "state": "accepted",
        "problems": [],
        "owner": "api",
        "drifted": False,
        "discovery": "pending",
        "functions": 0,
        "last_success_at": None,
    }
    assert api.get(URL).json() == answer.json()


def test_a_write_is_served_when_it_is_answered_and_wakes_discovery(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    assert served(api) == {"pets": ("http://127.0.0.1:9001",)}
    assert api.prober.woken == 1


def test_post_of_a_taken_name_changes_nothing_and_names_the_way_out(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    answer = api.post(UPSTREAMS, PETS | {"endpoints": OTHER})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert answer.json()["hint"] == "PUT /api/v1/upstreams/pets replaces it"
    assert served(api)["pets"] == ("http://127.0.0.1:9001",)


def test_put_creates_then_replaces_then_changes_nothing(api: Api) -> None:
    body = {"endpoints": OTHER}
    first, second, third = api.put(URL, body), api.put(URL, PETS), api.put(URL, PETS)
    assert [first.status_code, second.status_code, third.status_code] == [201, 200, 200]
    assert second.headers["etag"] == third.headers["etag"]
    assert served(api)["pets"] == ("http://127.0.0.1:9001",)


def test_put_with_another_name_in_the_body_is_refused(api: Api) -> None:
    answer = api.put(URL, PETS | {"name": "cats"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/name"


def test_what_get_shows_put_takes(petstore: Api) -> None:
    shown = petstore.get(f"{UPSTREAMS}/{V1}").json()
    assert shown["status"]["functions"] == 4
    assert petstore.put(f"{UPSTREAMS}/{V1}", shown).json() == shown


def test_patch_merges_and_null_takes_away(api: Api) -> None:
    api.post(UPSTREAMS, PETS | {"labels": {"app": "pets", "team": "a"}})
    answer = api.patch(URL, {"labels": {"team": None}, "discovery": {"enabled": False}})
    assert answer.json()["labels"] == {"app": "pets"}
    assert answer.json()["endpoints"] == PETS["endpoints"]
    assert answer.json()["status"]["discovery"] == "disabled"


def test_patch_takes_the_merge_patch_media_type(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    headers = {"content-type": "application/merge-patch+json"}
    assert api.patch(URL, '{"labels": {"a": "b"}}', headers=headers).json()["labels"] == {"a": "b"}


def test_delete_takes_it_away(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    assert api.delete(URL).status_code == 204
    assert api.get(URL).status_code == 404
    assert served(api) == {}


def test_a_missing_one_comes_with_the_nearest_name(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    answer = api.get(f"{UPSTREAMS}/petz")
    assert (answer.status_code, answer.json()["hint"]) == (404, "did you mean pets?")


def test_deleting_one_in_use_is_refused_unless_forced(petstore: Api) -> None:
    route = {"virtual_service": "coalmine", "destinations": [{"upstream": V1, "function": "findPets"}]}
    assert petstore.post("/api/v1/routes", route | {"name": "r"}).status_code == 201
    answer = petstore.delete(f"{UPSTREAMS}/{V1}")
    assert (answer.status_code, answer.json()["code"], answer.json()["used_by"]) == (409, "in_use", ["routes/r"])
    assert petstore.delete(f"{UPSTREAMS}/{V1}?force=true").status_code == 204
    status = petstore.get("/api/v1/routes/r").json()["status"]
    assert (status["state"], status["order"], status["problems"][0]["code"]) == ("rejected", 0, "upstream_missing")


CONDITIONS = [
    pytest.param("put", {"if-match": '"nonsense"'}, 412, id="PUT with a stale If-Match is refused"),
    pytest.param("patch", {"if-match": '"nonsense"'}, 412, id="PATCH with a stale If-Match is refused"),
    pytest.param("delete", {"if-match": '"nonsense"'}, 412, id="DELETE with a stale If-Match is refused"),
    pytest.param("put", {"if-match": "*"}, 200, id="If-Match: * asks only that it is there"),
    pytest.param("put", {"if-none-match": "*"}, 412, id="If-None-Match: * asks that it is not there"),
]


@pytest.mark.parametrize(("method", "headers", "status"), CONDITIONS)
def test_conditions_of_a_write(api: Api, method: str, headers: dict[str, str], status: int) -> None:
    api.post(UPSTREAMS, PETS)
    body = {} if method == "delete" else {"json": {"endpoints": OTHER}}
    answer = api.http.request(method.upper(), URL, headers=headers, **body)
    assert answer.status_code == status
    assert (served(api)["pets"] == tuple(OTHER)) is (status == 200)


def test_if_match_on_nothing_does_not_create(api: Api) -> None:
    answer = api.put(URL, PETS, headers={"if-match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert served(api) == {}


def test_the_etag_of_a_get_lets_one_writer_through_and_not_the_next(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    headers = {"if-match": api.get(URL).headers["etag"]}
    assert api.put(URL, {"endpoints": OTHER}, headers=headers).status_code == 200
    assert api.put(URL, PETS, headers=headers).status_code == 412


def test_a_probe_in_between_is_no_reason_to_refuse_a_write_but_news_to_a_reader(petstore: Api) -> None:
    url = f"{UPSTREAMS}/{V1}"
    tag = petstore.get(url).headers["etag"]
    assert petstore.get(url, headers={"if-none-match": tag}).status_code == 304
    petstore.discover(V1)
    assert petstore.get(url, headers={"if-none-match": tag}).status_code == 200
    assert petstore.patch(url, {"labels": {}}, headers={"if-match": tag}).status_code == 200


DRY = [
    pytest.param("post", UPSTREAMS, PETS | {"name": "new"}, "add", id="POST"),
    pytest.param("put", f"{UPSTREAMS}/new", {"endpoints": OTHER}, "add", id="PUT of a new one"),
    pytest.param("put", URL, {"endpoints": OTHER}, "change", id="PUT of one that is there"),
    pytest.param("patch", URL, {"labels": {"a": "b"}}, "change", id="PATCH"),
    pytest.param("delete", URL, None, "remove", id="DELETE"),
]


@pytest.mark.parametrize(("method", "url", "body", "action"), DRY)
def test_a_dry_run_tells_all_and_changes_nothing(api: Api, method: str, url: str, body: Any, action: str) -> None:
    api.post(UPSTREAMS, PETS)
    before, woken = api.get("/api/v1/config").content, api.prober.woken
    answer = api.http.request(method.upper(), f"{url}?dry_run=true", **({"json": body} if body else {}))
    assert answer.status_code == 200, answer.text
    assert answer.json()["dry_run"] is True
    assert [change["action"] for change in answer.json()["changes"]] == [action]
    assert (answer.json()["object"] is None) is (action == "remove")
    assert (api.get("/api/v1/config").content, api.prober.woken) == (before, woken)


def test_a_dry_run_finds_the_faults_that_the_write_would(api: Api) -> None:
    assert api.post(f"{UPSTREAMS}?dry_run=true", {"name": "x"}).status_code == 422


def test_the_changes_of_a_dry_run_go_key_by_key(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    changes = api.put(f"{URL}?dry_run=true", {"endpoints": OTHER}).json()["changes"]
    keys = [{"pointer": "/endpoints/0", "before": PETS["endpoints"][0], "after": OTHER[0]}]
    assert changes == [{"object": "upstreams/pets", "action": "change", "owner": "api", "keys": keys}]


def test_probing_asks_discovery_now(petstore: Api) -> None:
    answer = petstore.post(f"{UPSTREAMS}/{V1}/probe")
    assert (answer.status_code, answer.json()["state"], petstore.prober.probed) == (200, "discovered", [V1])


def test_probing_what_is_not_there_asks_nobody(api: Api) -> None:
    assert (api.post(f"{UPSTREAMS}/nope/probe").status_code, api.prober.probed) == (404, [])


def test_a_probe_that_takes_too_long_is_told_as_such(petstore: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(upstream: str) -> None:
        raise TimeoutError

    monkeypatch.setattr(petstore.prober, "probe", never)
    answer = petstore.post(f"{UPSTREAMS}/{V1}/probe")
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


def test_the_report_is_there_before_the_first_probe(api: Api) -> None:
    api.post(UPSTREAMS, PETS)
    assert api.get(f"{URL}/report").json()["state"] == "pending"
    assert api.get(f"{UPSTREAMS}/nope/report").status_code == 404


def test_lists_filter_by_label_and_words(petstore: Api) -> None:
    petstore.post(UPSTREAMS, PETS)

    def names(query: str) -> list[str]:
        return [one["name"] for one in petstore.get(f"{UPSTREAMS}?{query}").json()["items"]]

    assert names("label=app%3Dpetstore&limit=1") == [V1]
    assert names("q=9001") == [V1, "pets"]
    assert names("") == [V1, V1.replace("v1", "v2"), "pets"]


def test_pages_follow_one_another_until_null(petstore: Api) -> None:
    first = petstore.get(f"{UPSTREAMS}?limit=1").json()
    second = petstore.get(f"{UPSTREAMS}?limit=1&cursor={first['next_cursor']}").json()
    assert [len(first["items"]), len(second["items"]), first["total"], second["next_cursor"]] == [1, 1, 2, None]
    assert first["items"] != second["items"]
