"""What upstreams published: revisions, and what changed between two of them."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.model import Document, Parameter
from tests.admin_api.support import NOW, V1, Api, make_function, petstore_functions

URL = "http://127.0.0.1:9001/swagger.json"
PATH = f"/api/v1/upstreams/{V1}"


def publish(api: Api, content: str, *functions: Any, text: bytes = b"{}") -> None:
    document = Document(
        upstream=V1, url=URL, content_hash=content, version="swagger 2.0", title="Pets", fetched_at=NOW, size_bytes=2
    )
    with api.catalog.write() as writer:
        writer.keep_documents(V1, [document], functions, {URL: text})


@pytest.fixture
def published(petstore: Api) -> Api:
    """Two revisions: a parameter became required, a function went and one came."""
    find, add, by_id, _ = petstore_functions(V1)
    publish(petstore, "one", find, add, text=b'{"one": "\xe9"}')
    owner = Parameter(name="owner", place="query", required=True)
    changed = find.model_copy(update={"parameters": (*find.parameters, owner)})
    publish(petstore, "two", changed, by_id)
    return petstore


def test_revisions_are_listed_newest_first(published: Api) -> None:
    listed = published.get(f"{PATH}/documents").json()
    assert (listed["total"], [item["number"] for item in listed["items"]]) == (2, [2, 1])
    assert listed["items"][0] == {
        "upstream": V1,
        "number": 2,
        "fetched_at": "2026-01-02T03:04:05Z",
        "function_count": 2,
        "documents": [{"url": URL, "content_hash": "two", "version": "swagger 2.0", "title": "Pets", "size_bytes": 2}],
    }
    page = published.get(f"{PATH}/documents?limit=1").json()
    rest = published.get(f"{PATH}/documents?limit=1&cursor={page['next_cursor']}").json()
    assert [item["number"] for item in rest["items"]] == [1]


def test_a_revision_has_its_functions_and_the_text_where_it_is_asked_for(published: Api) -> None:
    found = published.get(f"{PATH}/documents/1").json()
    assert [function["name"] for function in found["functions"]] == ["findPets", "addPet"]
    assert (found["components"], found["texts"]) == ({URL: {}}, None)
    raw = published.get(f"{PATH}/documents/1?raw=true").json()
    assert raw["texts"] == [{"url": URL, "text": '{"one": "\N{REPLACEMENT CHARACTER}"}'}]


@pytest.mark.parametrize("path", ["diff", "diff?from=1", "diff?to=2", "diff?from=1&to=2", "documents/diff"])
def test_what_changed_is_told_with_severity_and_rule(published: Api, path: str) -> None:
    found = published.get(f"{PATH}/{path}").json()
    assert (found["from"], found["to"], found["severity"]) == (1, 2, "breaking")
    assert [(one["function"], one["severity"]) for one in found["added"]] == [("findPetById", "info")]
    assert [(one["function"], one["severity"]) for one in found["removed"]] == [("addPet", "breaking")]
    (changed,) = found["changed"]
    assert (changed["function"], changed["renamed_to"], changed["severity"]) == ("findPets", None, "breaking")
    assert [one["rule"] for one in changed["differences"]] == ["new-required-request-parameter"]


def test_the_way_back_is_told_too_and_a_renamed_function_with_its_new_name(published: Api) -> None:
    back = published.get(f"{PATH}/diff?from=2&to=1").json()
    assert [one["function"] for one in back["added"]] == ["addPet"]
    publish(published, "three", make_function(V1, "listPets", "/api/pets"))
    renamed = published.get(f"{PATH}/diff").json()["changed"]
    assert [(one["function"], one["renamed_to"]) for one in renamed] == [("findPets", "listPets")]


def test_the_same_revision_twice_has_no_difference(published: Api) -> None:
    found = published.get(f"{PATH}/diff?from=1&to=1").json()
    assert (found["severity"], found["added"], found["removed"], found["changed"]) == (None, [], [], [])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("documents/9", 404, "not_found"),
        ("documents/0", 400, "invalid_query"),
        ("documents/x", 400, "invalid_query"),
        ("diff?from=9", 404, "not_found"),
        ("diff?to=1", 404, "not_found"),
        ("diff?since=1", 400, "invalid_query"),
        ("documents?cursor=x", 400, "invalid_query"),
    ],
)
def test_what_is_not_there_is_told(published: Api, path: str, status: int, code: str) -> None:
    answer = published.get(f"{PATH}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("path", ["documents", "documents/1", "diff"])
def test_an_upstream_that_does_not_exist_is_told(api: Api, path: str) -> None:
    assert api.get(f"/api/v1/upstreams/nobody/{path}").status_code == 404


def test_an_upstream_whose_document_was_never_read_has_none(petstore: Api) -> None:
    assert petstore.get(f"{PATH}/documents").json()["items"] == []
    answer = petstore.get(f"{PATH}/diff")
    assert (answer.status_code, answer.json()["hint"]) == (404, f"coalmine discover {V1}")
