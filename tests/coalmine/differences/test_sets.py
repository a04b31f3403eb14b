"""What an upstream published at two times, in one document or in several."""

from __future__ import annotations

from typing import Any

from coalmine.differences import DocumentDifference
from coalmine.differences.sets import Components, compare_sets
from coalmine.model import Function
from tests.coalmine.catalog.support import function

PET = {"components": {"schemas": {"Pet": {"type": "object"}}}}
STRICT = {"components": {"schemas": {"Pet": {"type": "object", "required": ["name"]}}}}


def one(name: str, url: str, **more: Any) -> Function:
    body = {"content_types": ["application/json"], "schema": {"$ref": "#/components/schemas/Pet"}}
    return function(name, path=f"/{name}", document_url=url, request_body=body, **more)


def compare(old: list[Function], new: list[Function], before: Components, after: Components) -> DocumentDifference:
    return compare_sets(old, new, old_components=before, new_components=after)


def names(found: DocumentDifference) -> tuple[list[str], list[str], list[str]]:
    return (
        [each.name for each in found.added],
        [each.name for each in found.removed],
        [each.old.name for each in found.changed],
    )


def test_a_single_document_is_the_same_wherever_it_is_now() -> None:
    found = compare([one("f", "/a")], [one("f", "/b")], {"/a": PET}, {"/b": STRICT})
    assert names(found) == ([], [], ["f"])
    assert found.severity == "breaking"


def test_each_function_is_compared_with_the_components_of_its_own_document() -> None:
    old = [one("f", "/a"), one("g", "/b")]
    found = compare(old, old, {"/a": PET, "/b": STRICT}, {"/a": PET, "/b": PET})
    assert names(found) == ([], [], ["g"])


def test_a_function_that_went_to_another_document_is_compared() -> None:
    old, new = [one("f", "/a"), one("g", "/b")], [one("f", "/b"), one("g", "/b"), one("h", "/a")]
    assert names(compare(old, new, {"/a": PET, "/b": PET}, {"/a": PET, "/b": PET})) == (["h"], [], [])
    assert names(compare(old, new, {"/a": PET, "/b": STRICT}, {"/a": PET, "/b": STRICT})) == (["h"], [], ["f"])


def test_a_document_that_is_gone_takes_its_functions_with_it() -> None:
    found = compare([one("f", "/a"), one("g", "/b")], [one("f", "/a")], {"/a": PET, "/b": PET}, {"/a": PET})
    assert names(found) == ([], ["g"], [])


def test_functions_of_no_known_document_are_compared_all_the_same() -> None:
    old, new = [function("f")], [function("f", method="PUT"), function("g", path="/g")]
    assert names(compare(old, new, {}, {})) == (["g"], [], ["f"])
