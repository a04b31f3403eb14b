"""Every accepted write is one revision: who, when, what and with what effect; and the way back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.admin_api.support import V1, V2, Api

URL = "/api/v1/revisions"
CONFIG = "/api/v1/config"
ROUTES = "/api/v1/routes"
PETS = {"name": "pets", "endpoints": ["http://127.0.0.1:9001"]}
HELLO = {
    "name": "hello",
    "virtual_service": "coalmine",
    "match": {"path": {"prefix": "/hello"}},
    "direct_response": {"body": "hello"},
}
FIND = {
    "name": "find-pets",
    "virtual_service": "coalmine",
    "match": {"path": {"prefix": "/findPets"}},
    "destinations": [{"upstream": V1, "function": "findPets"}],
}
CANARY = {"route": "coalmine/findPets", "upstream": V2, "header": {"name": "x-canary", "exact": "true"}, "percent": 10}


def last(api: Api) -> int:
    """The newest number; the catalog is shared by all tests of this file."""
    items = api.get(f"{URL}?limit=1").json()["items"]
    return int(items[0]["number"]) if items else 0


def newest(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"{URL}/{last(api)}").json()
    return found


def everything(api: Api) -> tuple[Any, ...]:
    """Definitions with their owners, and canaries."""
    shown = [api.get(f"/api/v1/{kind}").json()["items"] for kind in ("upstreams", "virtual-services", "routes")]
    owners = {item["name"]: item["status"]["owner"] for items in shown for item in items}
    canaries = [{**item, "status": None} for item in api.get("/api/v1/canaries").json()["items"]]
    return api.get(CONFIG).json(), owners, canaries


def test_a_revision_says_who_when_and_what_key_by_key(api: Api) -> None:
    created = api.post("/api/v1/upstreams", PETS, headers={"coalmine-actor": "cli ann@here"})
    revision = newest(api)
    assert created.headers["coalmine-revision"] == str(revision["number"])
    assert (revision["actor"], revision["summary"]) == ("cli ann@here", "create upstreams/pets")
    (change,) = revision["changes"]
    assert (change["object"], change["action"], change["owner"]) == ("upstreams/pets", "add", "api")
    assert (change["before"], change["after"]["endpoints"]) == (None, PETS["endpoints"])
    api.patch("/api/v1/upstreams/pets", {"labels": {"a": "b"}})
    revision = newest(api)
    assert (revision["actor"], revision["summary"]) == ("api", "change upstreams/pets")
    assert revision["changes"][0]["keys"] == [{"pointer": "/labels/a", "before": None, "after": "b"}]
    assert abs((datetime.fromisoformat(revision["at"]) - datetime.now(UTC)).total_seconds()) < 60


def test_the_effect_tells_routes_that_are_new_other_gone_or_broken(petstore: Api) -> None:
    petstore.post(ROUTES, FIND)
    assert newest(petstore)["effect"] == {"added": ["find-pets"], "changed": [], "removed": [], "broken": []}
    petstore.delete(f"/api/v1/upstreams/{V1}?force=true")
    assert newest(petstore)["effect"] == {"added": [], "changed": [], "removed": [], "broken": ["find-pets"]}
    petstore.patch(f"{ROUTES}/find-pets", {"destinations": [{"upstream": V2, "function": "findPets"}]})
    assert newest(petstore)["effect"] == {"added": [], "changed": ["find-pets"], "removed": [], "broken": []}
    petstore.post(ROUTES, {**FIND, "name": "again"})
    assert newest(petstore)["effect"]["broken"] == []
    petstore.patch(f"{ROUTES}/find-pets", {"destinations": [{"upstream": V2, "function": "findPets"}]})
    petstore.delete(f"{ROUTES}/find-pets")
    assert newest(petstore)["effect"]["removed"] == ["find-pets"]


def start(api: Api) -> httpx.Response:
    return api.post("/api/v1/canaries", CANARY)


ONE_WRITE: list[tuple[str, Callable[[Api], httpx.Response], list[str]]] = [
    ("create", lambda api: api.post(ROUTES, HELLO), ["routes/hello"]),
    ("put", lambda api: api.put(f"{ROUTES}/hello", HELLO), ["routes/hello"]),
    ("patch", lambda api: api.patch(f"{ROUTES}/find-pets", {"timeout_seconds": 3}), ["routes/find-pets"]),
    ("delete", lambda api: api.delete(f"{ROUTES}/find-pets"), ["routes/find-pets"]),
    (
        "apply",
        lambda api: api.post(f"{CONFIG}/apply", {"upstreams": [PETS], "routes": [HELLO]}),
        ["upstreams/pets", "routes/hello"],
    ),
    (
        "replace",
        lambda api: api.put(CONFIG, {"upstreams": [PETS]}),
        ["upstreams/pets", f"upstreams/{V1}", f"upstreams/{V2}", "virtual-services/coalmine", "routes/find-pets"],
    ),
    ("a canary", start, ["routes/find-pets", "routes/find-pets-canary", "canaries/find-pets"]),
]


@pytest.mark.parametrize(("write", "objects"), [row[1:] for row in ONE_WRITE], ids=[row[0] for row in ONE_WRITE])
def test_one_write_is_one_revision_whatever_it_writes(
    petstore: Api, write: Callable[[Api], httpx.Response], objects: list[str]
) -> None:
    petstore.post(ROUTES, FIND)
    before = last(petstore)
    answer = write(petstore)
    assert answer.status_code in (200, 201, 204), answer.text
    assert (last(petstore), answer.headers["coalmine-revision"]) == (before + 1, str(before + 1))
    assert [change["object"] for change in newest(petstore)["changes"]] == objects


def test_the_virtual_service_that_a_route_needs_is_of_the_same_revision(api: Api) -> None:
    before = last(api)
    api.post(ROUTES, {"name": "r", "direct_response": {}})
    assert last(api) == before + 1
    assert [change["object"] for change in newest(api)["changes"]] == ["virtual-services/default", "routes/r"]


NO_WRITE: list[tuple[str, Callable[[Api], httpx.Response]]] = [
    ("a dry run", lambda api: api.patch(f"{ROUTES}/find-pets?dry_run=true", {"timeout_seconds": 3})),
    ("diff", lambda api: api.post(f"{CONFIG}/diff", {"upstreams": [PETS]})),
    ("a dry run of a canary", lambda api: api.post("/api/v1/canaries?dry_run=true", CANARY)),
    ("a definition that is wrong", lambda api: api.patch(f"{ROUTES}/find-pets", {"timeout_seconds": -3})),
    ("a stale If-Match", lambda api: api.delete(f"{ROUTES}/find-pets", headers={"if-match": '"0"'})),
    ("what is used", lambda api: api.delete(f"/api/v1/upstreams/{V1}")),
    ("the same again", lambda api: api.put(f"{ROUTES}/find-pets", FIND)),
    ("a patch of nothing", lambda api: api.patch(f"{ROUTES}/find-pets", {})),
]


@pytest.mark.parametrize("write", [row[1] for row in NO_WRITE], ids=[row[0] for row in NO_WRITE])
def test_what_changes_nothing_is_no_revision(petstore: Api, write: Callable[[Api], httpx.Response]) -> None:
    petstore.post(ROUTES, FIND)
    before = last(petstore)
    assert "coalmine-revision" not in write(petstore).headers
    assert last(petstore) == before


def test_applying_the_same_set_again_is_no_revision_and_another_order_is_one(petstore: Api) -> None:
    routes = [{**HELLO, "name": name} for name in ("one", "two", "three")]
    petstore.post(f"{CONFIG}/apply", {"routes": routes})
    whole = petstore.get(CONFIG).json()
    petstore.put(CONFIG, whole)
    before = last(petstore)
    assert petstore.put(CONFIG, whole).json()["revision"] is None
    moved = petstore.put(CONFIG, {**whole, "routes": whole["routes"][::-1]}).json()
    assert (moved["changes"], moved["revision"]) == ([], before + 1)
    assert newest(petstore)["reordered"] is True
    back = petstore.post(f"{URL}/{before}/rollback").json()
    assert (back["revision"], [route["name"] for route in petstore.get(CONFIG).json()["routes"]]) == (
        before + 2,
        ["one", "two", "three"],
    )


def test_listed_newest_first_by_page_object_and_actor(api: Api) -> None:
    first = last(api) + 1
    for number, actor in enumerate(("cli ann@here", "cli bob@there", "job nightly")):
        api.put("/api/v1/upstreams/listed", {**PETS, "name": "listed", "labels": {"n": str(number)}})
        api.put(f"/api/v1/upstreams/u{number}", {**PETS, "name": f"u{number}"}, headers={"coalmine-actor": actor})
    listed = api.get(f"{URL}?object=upstreams/listed").json()
    assert [item["number"] for item in listed["items"]] == [first + 4, first + 2, first]
    by_ann = api.get(URL, params={"actor": "cli ann@here"}).json()["items"]
    assert first + 1 in [item["number"] for item in by_ann]
    assert {item["actor"].split()[0] for item in api.get(f"{URL}?actor=job").json()["items"]} == {"job"}
    page = api.get(f"{URL}?object=upstreams/listed&limit=2").json()
    more = api.get(f"{URL}?object=upstreams/listed&limit=2&cursor={page['next_cursor']}").json()
    assert [len(page["items"]), len(more["items"]), more["total"]] == [2, 1, 3]
    assert more["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("/99999", 404, "not_found", id="a number that is still to come"),
        pytest.param("/0", 404, "not_found", id="before the first there is a state, and no revision"),
        pytest.param("/x", 400, "invalid_query", id="no number"),
        pytest.param("/-1", 400, "invalid_query", id="a negative one"),
        pytest.param(f"/{2**70}", 400, "invalid_query", id="one that no database holds"),
        pytest.param("/1/diff/99999", 404, "not_found", id="a difference with nothing"),
        pytest.param("?object=find-pets", 400, "invalid_query", id="an object without its kind"),
        pytest.param("?cursor=x", 400, "invalid_query", id="no cursor"),
    ],
)
def test_what_cannot_be_asked(petstore: Api, path: str, status: int, code: str) -> None:
    answer = petstore.get(URL + path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_difference_of_two_revisions_goes_key_by_key_in_either_direction(petstore: Api) -> None:
    petstore.post(ROUTES, FIND)
    one = last(petstore)
    petstore.patch(f"{ROUTES}/find-pets", {"timeout_seconds": 3})
    petstore.post(ROUTES, HELLO)
    petstore.patch(f"{ROUTES}/find-pets", {"timeout_seconds": 5})
    two = last(petstore)
    forth, back = (petstore.get(f"{URL}/{a}/diff/{b}").json() for a, b in ((one, two), (two, one)))
    assert {change["object"]: change["action"] for change in forth["changes"]} == {
        "routes/find-pets": "change",
        "routes/hello": "add",
    }
    keys = {change["object"]: change["keys"] for change in forth["changes"]}["routes/find-pets"]
    assert keys == [{"pointer": "/timeout_seconds", "before": None, "after": 5}]
    keys = {change["object"]: change["keys"] for change in back["changes"]}["routes/find-pets"]
    assert keys == [{"pointer": "/timeout_seconds", "before": 5, "after": None}]
    assert petstore.get(f"{URL}/{two}/diff/{two}").json()["changes"] == []


def test_going_back_restores_everything_and_is_a_revision_itself(petstore: Api) -> None:
    petstore.post(ROUTES, FIND)
    start(petstore)
    petstore.post(f"{CONFIG}/apply?owner=shop", {"upstreams": [PETS], "routes": [HELLO]})
    number, before = last(petstore), everything(petstore)
    petstore.post("/api/v1/canaries/find-pets/promote")
    petstore.delete(f"{ROUTES}/hello")
    petstore.put(CONFIG, {"upstreams": [PETS]})
    assert everything(petstore) != before
    answer = petstore.post(f"{URL}/{number}/rollback", headers={"coalmine-actor": "cli ann@here"}).json()
    assert everything(petstore) == before
    assert answer["revision"] == number + 4 == last(petstore)
    assert (answer["restored"], newest(petstore)["summary"]) == (number, f"rollback to {number}")
    assert "canaries/find-pets" in [change["object"] for change in answer["changes"]]
    served = {route.name for service in petstore.feed.current.virtual_services for route in service.routes}
    assert served == {"find-pets", "find-pets-canary", "hello"}
    # And the way back from there.
    petstore.post(f"{URL}/{number + 3}/rollback")
    assert petstore.get(CONFIG).json() == {"upstreams": [PETS], "virtual_services": [], "routes": []}


def test_going_back_to_where_one_is_does_nothing(petstore: Api) -> None:
    petstore.post(ROUTES, FIND)
    number = last(petstore)
    answer = petstore.post(f"{URL}/{number}/rollback").json()
    assert (answer["revision"], answer["changes"], last(petstore)) == (None, [], number)


def test_a_dry_run_of_going_back_tells_all_and_does_nothing(petstore: Api) -> None:
    number = last(petstore)
    petstore.post(ROUTES, FIND)
    before = everything(petstore)
    answer = petstore.post(f"{URL}/{number}/rollback?dry_run=true").json()
    assert (answer["dry_run"], answer["revision"]) == (True, None)
    assert [(change["object"], change["action"]) for change in answer["changes"]] == [("routes/find-pets", "remove")]
    assert (everything(petstore), last(petstore)) == (before, number + 1)


def test_a_stale_if_match_stops_going_back(petstore: Api) -> None:
    number, tag = last(petstore), petstore.get(CONFIG).headers["etag"]
    petstore.post(ROUTES, FIND)
    stale = petstore.post(f"{URL}/{number}/rollback", headers={"if-match": tag})
    assert (stale.status_code, last(petstore)) == (412, number + 1)
    fresh = petstore.post(f"{URL}/{number}/rollback", headers={"if-match": petstore.get(CONFIG).headers["etag"]})
    assert fresh.status_code == 200


def test_a_route_whose_function_is_gone_comes_back_with_its_problem(petstore: Api) -> None:
    petstore.post(ROUTES, FIND)
    number = last(petstore)
    petstore.delete(f"{ROUTES}/find-pets")
    petstore.delete(f"/api/v1/upstreams/{V1}")
    answer = petstore.post(f"{URL}/{number}/rollback")
    assert answer.status_code == 200, answer.text
    assert [problem["code"] for problem in answer.json()["problems"]] == ["function_unknown"]
    assert newest(petstore)["effect"]["broken"] == ["find-pets"]


def test_what_is_as_it_was_is_not_touched_by_going_back(petstore: Api) -> None:
    number = last(petstore)
    petstore.post(ROUTES, FIND)
    petstore.prober.woken = 0
    petstore.post(f"{URL}/{number}/rollback")
    assert petstore.get(f"/api/v1/upstreams/{V1}/functions").json()["total"] == 4
    assert petstore.prober.woken == 1


def test_writers_at_once_make_a_revision_each(api: Api) -> None:
    before = last(api)
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait()
        api.put(f"/api/v1/upstreams/at-once-{number}", {**PETS, "name": f"at-once-{number}"})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = api.get(f"{URL}?limit=8").json()["items"]
    assert [item["number"] for item in items] == list(range(before + 8, before, -1))
    assert {item["summary"] for item in items} == {f"create upstreams/at-once-{number}" for number in range(8)}
