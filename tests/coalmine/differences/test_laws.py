"""What must hold for all schemas, whatever they are."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coalmine.differences import RULES, Difference
from coalmine.differences.aspects import ASPECTS, Scope
from coalmine.differences.budget import MAX_DIFFERENCES, MAX_NODES, Budget
from coalmine.differences.difference import Report
from coalmine.differences.functions import compare as compare_with
from coalmine.differences.pair import Pair
from coalmine.differences.rules import SCOPES
from coalmine.differences.schemas import Comparison
from tests.coalmine.differences.support import compare_schemas, holding

EXAMPLES = 40
# A kind, and what it is called when the change is taken back.
OPPOSITES = {
    "specialized": "generalized",
    "became-nullable": "became-not-nullable",
    "became-enum": "no-longer-enum",
    "added": "removed",
    "decreased": "increased",
    "tightened": "loosened",
    "unique-items-set": "unique-items-unset",
    "became-required": "became-optional",
    "property-forbidden": "property-permitted",
    "properties-forbidden": "properties-allowed",
}
NAMES = st.sampled_from("ab")
REFERENCES = st.sampled_from("PQR").map(lambda name: {"$ref": f"#/components/schemas/{name}"})
VALUES = st.sampled_from([None, True, 1, 1.0, 2, "a", "b", [1], {"a": 1}])
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(
        ["string", "integer", "number", "object", "array", ["string", "null"], ["object", "array"]]
    ),
    "format": st.sampled_from(["date", "time", "int32", "int64"]),
    "nullable": st.booleans(),
    "enum": st.lists(VALUES, max_size=3),
    "const": VALUES,
    "default": VALUES,
    "minimum": st.integers(0, 3),
    "exclusiveMinimum": st.sampled_from([True, False, 1, 2]),
    "maximum": st.integers(0, 3),
    "maxLength": st.integers(0, 3),
    "minItems": st.integers(0, 3),
    "multipleOf": st.sampled_from([0.1, 0.5, 2, 3, 4]),
    "pattern": st.sampled_from("xy"),
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=2),
    "readOnly": st.booleans(),
    "not": st.sampled_from([{}, {"type": "string"}]),
}


def deeper(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(schemas, max_size=3)
    more: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(NAMES, schemas, max_size=2),
        "additionalProperties": schemas,
        "items": schemas,
        "allOf": several,
        "oneOf": several,
        "anyOf": several,
    }
    return st.fixed_dictionaries({}, optional={**KEYWORDS, **more})


SCHEMAS = st.recursive(st.booleans() | REFERENCES | st.fixed_dictionaries({}, optional=KEYWORDS), deeper, max_leaves=6)
COMPONENTS = st.fixed_dictionaries({"P": SCHEMAS, "Q": SCHEMAS}, optional={"R": SCHEMAS}).map(
    lambda schemas: {"components": {"schemas": schemas}}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | VALUES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*KEYWORDS, "$ref", "allOf", "oneOf", "properties", "items"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)
IN_ANY_SCOPE = st.sampled_from(SCOPES)


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCHEMAS, COMPONENTS, IN_ANY_SCOPE)
def test_nothing_changed_where_nothing_changed(schema: Any, components: Any, scope: Scope) -> None:
    other, others = copy.deepcopy(schema), copy.deepcopy(components)
    assert compare_schemas(schema, other, scope, components, others) == ()
    assert compare_schemas(schema, schema, scope, components) == ()


def kinds(found: tuple[Difference, ...], scope: Scope) -> set[tuple[str, str]]:
    by_rule = {aspect.rule(scope): aspect.kind for aspect in ASPECTS.values()}
    places = (one.where.split("/schema", 1)[1] for one in found)
    return {(by_rule.get(one.rule, one.rule), where) for one, where in zip(found, places, strict=True)}


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCHEMAS, SCHEMAS, COMPONENTS, COMPONENTS)
def test_both_directions_see_the_same_changes(old: Any, new: Any, before: Any, after: Any) -> None:
    """readOnly hides properties in one direction alone, so it is left out."""
    old, new, before, after = (without(value, "readOnly") for value in (old, new, before, after))
    sent = compare_schemas(old, new, "request", before, after)
    returned = compare_schemas(old, new, "response", before, after)
    assert kinds(sent, "request") == kinds(returned, "response")


def test_what_hurts_in_one_direction_does_not_in_the_other_unless_it_says_why() -> None:
    weighed = {
        kind: {aspect.severity(scope) for scope in SCOPES}
        for kind, aspect in ASPECTS.items()
        if not aspect.because and aspect.effect != "changes"
    }
    assert [kind for kind, severities in weighed.items() if severities != {"breaking", "info"}] == []


def without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: without(one, key) for name, one in value.items() if name != key}
    return [without(one, key) for one in value] if isinstance(value, list) else value


def test_every_kind_with_a_direction_has_an_opposite() -> None:
    effects = {"narrows": "widens", "widens": "narrows"}
    assert [
        kind
        for kind, aspect in ASPECTS.items()
        if aspect.effect != "changes" and ASPECTS[opposite(kind)].effect != effects[aspect.effect]
    ] == []


def opposite(kind: str) -> str:
    if "-property-" in kind or kind.startswith(("enum-value", "variant", "union", "pattern")):
        pairs = [("added", "removed"), ("became-required", "became-optional")]
    else:
        pairs = list(OPPOSITES.items())
    for one, other in pairs:
        if kind.endswith(one):
            return kind.removesuffix(one) + other
        if kind.endswith(other):
            return kind.removesuffix(other) + one
    return kind


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCHEMAS, SCHEMAS, COMPONENTS, COMPONENTS, IN_ANY_SCOPE)
def test_taking_a_change_back_is_its_opposite(old: Any, new: Any, before: Any, after: Any, scope: Scope) -> None:
    """By place: alternatives are counted on either side, and a pair that comes again is told where it came first."""
    old, new, before, after = (without(without(value, "oneOf"), "anyOf") for value in (old, new, before, after))
    there = compare_schemas(old, new, scope, before, after)
    back = compare_schemas(new, old, scope, after, before)
    assert {(opposite(kind), where) for kind, where in kinds(there, scope)} == kinds(back, scope)


@settings(max_examples=EXAMPLES, deadline=None)
@given(JSON, JSON, JSON, IN_ANY_SCOPE)
def test_nonsense_raises_nothing_and_stays_in_its_bounds(old: Any, new: Any, component: Any, scope: Scope) -> None:
    components = {"components": {"schemas": component}}
    budget, pair = Budget(), Pair(components, components)
    Comparison(pair, Report("f"), budget).compare_schemas(old, new, "", scope, text=scope == "parameter")
    assert 0 <= budget._left <= MAX_NODES


@settings(max_examples=EXAMPLES, deadline=None)
@given(SCHEMAS, SCHEMAS, COMPONENTS, COMPONENTS, IN_ANY_SCOPE, st.integers(0, 40))
def test_a_small_budget_tells_less_and_says_so(
    old: Any, new: Any, before: Any, after: Any, scope: Scope, nodes: int
) -> None:
    whole = compare_schemas(old, new, scope, before, after)
    found = compare_with(holding(old, scope), holding(new, scope), Pair(before, after), Budget(nodes), across=False)
    assert {one for one in found if one.rule != "comparison-incomplete"} <= set(whole)
    assert found == whole or found[-1].rule == "comparison-incomplete"
    assert len(found) <= MAX_DIFFERENCES + 1
    assert {one.rule for one in found} <= RULES.keys()
