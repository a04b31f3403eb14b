"""Documents are hostile: every comparison ends, soon, without an exception, and says what it left out."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from coalmine.differences import Difference, compare_documents
from coalmine.differences import documents as documents_module
from coalmine.differences.budget import MAX_DEPTH, MAX_DIFFERENCES, MAX_NODES, Budget
from coalmine.differences.pair import Pair
from coalmine.differences.words import join, show, show_all
from tests.coalmine.differences.support import compare, compare_schemas, components, function, holding, parameter, ref

I, N = {"type": "integer"}, {"type": "number"}  # noqa: E741


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def wide(count: int, inner: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{index}": dict(inner) for index in range(count)}}


def twins(levels: int) -> dict[str, Any]:
    """A document in which everything refers twice to the next level: 2^levels ways."""
    schemas = {f"L{n}": {"properties": {"a": ref(f"L{n + 1}"), "b": ref(f"L{n + 1}")}} for n in range(levels)}
    return components(**schemas, **{f"L{levels}": I})


def growing(schema: Any) -> dict[str, Any]:
    """Parts that hold themselves as a property: what must hold grows with each level."""
    loop = {"allOf": [ref("A"), ref("B"), {"properties": {"n": {"allOf": [ref("A"), ref("B")]}}}], "title": "x"}
    return components(A={**loop, "properties": {"n": ref("B")}}, B={**loop, "properties": {"n": ref("A"), "v": schema}})


DEEP_VALUE: Any = json.loads("[" * 150 + "]" * 150)
# before, after, components before and after, the rules that must be told all the same.
HOSTILE: list[tuple[str, Any, Any, dict[str, Any], dict[str, Any], set[str]]] = [
    ("too deep", nested(190, I), nested(190, N), {}, {}, {"comparison-incomplete"}),
    ("too wide", wide(30_000, I), wide(30_000, N), {}, {}, {"comparison-incomplete"}),
    ("too many differences", wide(400, I), wide(400, N), {}, {}, {"comparison-incomplete", "request-property-type-generalized"}),
    ("too many listed values", {"enum": list(range(60_000))}, {"enum": []}, {}, {}, {"comparison-incomplete"}),
    ("a listed value that is too deep", {"enum": [DEEP_VALUE]}, {"enum": [1]}, {}, {}, {"comparison-incomplete"}),
    ("a condition that is too deep", {"not": DEEP_VALUE}, {"not": {}}, {}, {}, {"comparison-incomplete"}),
    ("a component that is too deep to be weighed at a glance", ref("P"), ref("P"), components(P=nested(50, I)), components(P=nested(50, N)), {"request-property-type-generalized"}),
    ("2^60 ways to one change", ref("L0"), ref("L0"), twins(50), {"components": {"schemas": {**twins(50)["components"]["schemas"], "L50": N}}}, {"request-property-type-generalized"}),
    ("parts that grow", ref("A"), ref("A"), growing(I), growing(N), {"request-property-type-generalized"}),
    ("a long way of references", ref("P0"), ref("P0"), components(**{f"P{n}": ref(f"P{n + 1}") for n in range(900)}, P900=I), components(**{f"P{n}": ref(f"P{n + 1}") for n in range(900)}, P900=N), {"request-property-type-generalized"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "old", "new", "before", "after", "expected"), HOSTILE, ids=[r[0] for r in HOSTILE]
)
def test_a_comparison_ends(
    sentence: str, old: Any, new: Any, before: dict[str, Any], after: dict[str, Any], expected: set[str]
) -> None:
    started = time.process_time()
    found = compare_schemas(old, new, "request", before, after)
    assert time.process_time() - started < 5
    assert {one.rule for one in found} == expected
    assert len(found) <= MAX_DIFFERENCES + 1


def gaps(found: tuple[Difference, ...]) -> list[str]:
    return [one.detail for one in found if one.rule == "comparison-incomplete"]


def test_what_was_left_out_is_told_once_as_information_and_last() -> None:
    old = {"properties": {"a": nested(MAX_DEPTH + 5, I), "b": nested(MAX_DEPTH + 5, I), "c": I}}
    new = {"properties": {"a": nested(MAX_DEPTH + 5, N), "b": nested(MAX_DEPTH + 5, N), "c": N}}
    found = compare_schemas(old, new, "response")
    assert [one.severity for one in found] == ["breaking", "info"]
    assert gaps(found) == ["not everything was compared: the schema is too deep"]
    assert found[-1].where.startswith("/responses/200/schema/properties/b/properties/a/")


def test_the_function_itself_is_compared_whatever_its_schemas_are() -> None:
    huge = [parameter("a", schema=wide(60_000, I)), parameter("z")]
    found = compare(function(parameters=huge), function("g", "PUT", parameters=huge[:1], deprecated=True))
    assert [one.rule for one in found] == [
        "method-changed",
        "function-renamed",
        "request-parameter-removed",
        "function-deprecated",
        "comparison-incomplete",
    ]


def test_all_functions_of_a_document_share_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_module, "MAX_TOTAL_NODES", 1_000)
    old, new = (
        [holding(wide(100, inner), "request").model_copy(update={"name": f"f{n}", "path": f"/{n}"}) for n in range(5)]
        for inner in (I, N)
    )
    found = compare_documents(old, new, old_components={}, new_components={})
    assert [bool(gaps(change.differences)) for change in found.changed] == [False, True, True, True, True]


def test_a_document_that_is_too_large_to_be_weighed_at_a_glance_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(components(P=wide(10, ref("Q")), Q=I), components(P=wide(10, ref("Q")), Q=I))
    pair._budget = Budget(20)
    assert not pair.is_unchanged("#/components/schemas/P")
    assert not pair.is_unchanged("#/components/schemas/Q")


def test_what_is_known_of_components_is_remembered() -> None:
    same = {"P": {"properties": {"q": ref("Q"), "r": ref("Q")}}, "Q": I, "R": {"items": [ref("S")]}, "T": ref("R")}
    pair = Pair(components(**same, S=I), components(**same, S=N))
    known = {name: pair.is_unchanged(f"#/components/schemas/{name}") for name in ("Q", "P", "R", "T", "Q", "gone")}
    assert known == {"Q": True, "P": True, "R": False, "T": False, "gone": False}


def test_the_bound_is_on_what_is_looked_at_and_not_on_what_is_there() -> None:
    large = components(**{f"P{n}": wide(100, I) for n in range(MAX_NODES // 100)}, Q=I)
    other = {"components": {"schemas": {**large["components"]["schemas"], "Q": N}}}
    assert [one.rule for one in compare_schemas(ref("Q"), ref("Q"), "response", large, other)] == [
        "response-property-type-generalized"
    ]


SHOWN: list[tuple[str, Any, str]] = [
    ("a text", 'say "a"', r'"say \"a\""'),
    ("a long text is cut", "x" * 100, f'"{"x" * 59}…"'),
    ("control characters", "a\x1b[31m\u202e", r'"a\\u001b[31m\\u202e"'),
    ("half a character", "\ud800", r'"\\ud800"'),
    ("a huge number", 10**5000, "a huge number"),
    ("a number", -1.5, "-1.5"),
    ("null", None, "null"),
    ("a flag", True, "true"),
    ("a list", [1, 2], "a list of 2"),
    ("an empty list", [], "[]"),
    ("an object", {"a": 1}, "an object of 1"),
    ("an empty object", {}, "{}"),
]


@pytest.mark.parametrize(("sentence", "value", "expected"), SHOWN, ids=[row[0] for row in SHOWN])
def test_values_are_shown_short_and_printable(sentence: str, value: Any, expected: str) -> None:
    assert show(value) == expected
    assert show(value).encode()


def test_many_values_are_counted() -> None:
    assert show_all(range(8)) == "0, 1, 2, 3, 4 and 3 more"


def test_pointers_are_short_and_printable() -> None:
    assert join("/a", "b\n", "c" * 500) == f"/a/b\\u000a/{'c' * 119}…"
