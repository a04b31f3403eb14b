"""Documents: which function is which, and what is said of those that came and went."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from coalmine.differences import DocumentDifference, compare_documents
from coalmine.model import Function
from tests.coalmine.differences.support import NONE, components, function, holding, ref

GONE = {"state": "removed"}


def compare(old: list[Function], new: list[Function]) -> DocumentDifference:
    return compare_documents(old, new, old_components=NONE, new_components=NONE)


ROWS: list[tuple[str, list[Function], list[Function], list[tuple[str, str, str]]]] = [
    ("nothing changed", [function("a"), function("b", path="/b")], [function("b", path="/b"), function("a")], []),
    ("one came", [], [function("a")], [("function-added", "info", "a")]),
    ("one went", [function("a")], [], [("function-removed", "breaking", "a")]),
    ("one is marked as removed", [function("a")], [function("a", **GONE)], [("function-removed", "breaking", "a")]),
    ("one that was removed before", [function("a", **GONE)], [], []),
    ("one came back", [function("a", **GONE)], [function("a")], [("function-added", "info", "a")]),
    ("one was renamed", [function("a")], [function("b")], [("function-renamed", "warning", "a")]),
    (
        "one was renamed, and so was its parameter",
        [function("a", path="/{x}")],
        [function("b", path="/{y}")],
        [("function-renamed", "warning", "a")],
    ),
    ("one moved", [function("a")], [function("a", path="/b")], [("path-changed", "breaking", "a")]),
    (
        "one moved to where another one was",
        [function("a"), function("b", path="/b")],
        [function("a", path="/b")],
        [("function-removed", "breaking", "b"), ("path-changed", "breaking", "a")],
    ),
    (
        "another one is called like one that went",
        [function("a"), function("b", path="/b")],
        [function("c"), function("b", method="PUT", path="/b")],
        [("function-renamed", "warning", "a"), ("method-changed", "breaking", "b")],
    ),
]


@pytest.mark.parametrize(("sentence", "old", "new", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_functions_of_a_document(
    sentence: str, old: list[Function], new: list[Function], expected: list[tuple[str, str, str]]
) -> None:
    found = compare(old, new)
    assert [(one.rule, one.severity, one.function) for one in found.differences] == expected
    severities = {severity for _, severity, _ in expected}
    assert found.severity == next((one for one in ("breaking", "warning", "info") if one in severities), None)


def test_all_are_sorted_by_name() -> None:
    old = [function(name, path=f"/{name}") for name in "dbca"]
    new = [function(name, path=f"/{name}", deprecated=name in "ab") for name in "feab"]
    found = compare(old, new)
    assert [one.name for one in found.added] == ["e", "f"]
    assert [one.name for one in found.removed] == ["c", "d"]
    assert [(one.old.name, one.new.deprecated, one.severity) for one in found.changed] == [
        ("a", True, "info"),
        ("b", True, "info"),
    ]
    assert found.differences[0].detail == "the function c (GET /c) is gone"


def test_a_schema_that_changed_is_told_for_each_function_that_uses_it() -> None:
    using = [holding(ref("P"), "response").model_copy(update={"name": name, "path": f"/{name}"}) for name in "ab"]
    schemas: dict[str, Any] = {
        "P": {"properties": {"same": ref("S"), "q": ref("Q")}},
        "Q": {"properties": {"v": ref("V"), "p": ref("P"), "w": {"type": "string"}}},
        "S": {"type": "string"},
    }
    before = components(**schemas, V={"type": "integer"})
    after = components(**copy.deepcopy(schemas), V={"type": "number"})
    found = compare_documents(using, using, old_components=before, new_components=after)
    assert [(one.function, one.where) for one in found.differences] == [
        (name, "/responses/200/schema/properties/q/properties/v/type") for name in "ab"
    ]
    assert compare_documents(using, using, old_components=before, new_components=before) == DocumentDifference()
