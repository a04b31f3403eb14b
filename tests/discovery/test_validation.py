from __future__ import annotations

from typing import Any

import pytest

from discovery.document import check_document
from discovery.validation import MAX_VIOLATIONS, find_violations

INFO = {"title": "T", "version": "1"}
FINE: list[dict[str, Any]] = [
    {"swagger": "2.0", "info": INFO, "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}},
    {"openapi": "3.0.3", "info": INFO, "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}},
    {"openapi": "3.1.0", "info": INFO, "paths": {"/a": {"get": {}}}},
    {"openapi": "3.2.0", "info": INFO, "paths": {"/a": {"query": {}}}},
]


@pytest.mark.parametrize("document", FINE)
def test_documents_that_follow_their_specification(document: dict[str, Any]) -> None:
    assert list(find_violations(check_document(document))) == []


@pytest.mark.parametrize("document", FINE)
def test_a_violation_has_a_place_and_does_not_repeat_the_value(document: dict[str, Any]) -> None:
    wrong = {**document, "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}, "tags": {"secret": 1}}}}}
    violations = list(find_violations(check_document(wrong)))
    assert violations
    assert all(pointer.startswith("/paths/~1a") for pointer, _ in violations)
    assert not any("secret" in detail for _, detail in violations)


def test_the_first_ones_tell() -> None:
    paths = {f"/{number}": {"get": {"responses": {"nonsense": 1}}} for number in range(100)}
    assert (
        len(list(find_violations(check_document({"openapi": "3.0.0", "info": INFO, "paths": paths})))) == MAX_VIOLATIONS
    )


def test_references_are_not_followed() -> None:
    schema = {"$ref": "http://127.0.0.1:1/never-asked.json"}
    document = {"openapi": "3.1.0", "info": INFO, "components": {"schemas": {"A": schema}}}
    assert list(find_violations(check_document(document))) == []
