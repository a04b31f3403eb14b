"""Schemas: a row for each kind of change, looked at in all three directions and backwards."""

# ruff: noqa: E501  one row, one line

from __future__ import annotations

from typing import Any

import pytest

from coalmine.differences import RULES
from coalmine.differences.aspects import ASPECTS, Scope
from coalmine.differences.rules import SCOPES
from tests.coalmine.differences.support import compare_schemas, components, ref, rules

S, N, I, B = ({"type": name} for name in ("string", "number", "integer", "boolean"))  # noqa: E741
DOG, CAT, COW = ({"type": "object", "title": name, "properties": {name: S}} for name in ("dog", "cat", "cow"))


def obj(*required: str, more: Any = None, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    return schema if more is None else {**schema, "additionalProperties": more}


def num(**more: Any) -> dict[str, Any]:
    return {"type": "number", **more}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def arr(**more: Any) -> dict[str, Any]:
    return {"type": "array", **more}


# kind, sentence, before, after. The other way round it must be silent, unless it is a kind that has no direction.
ROWS: list[tuple[str, str, Any, Any]] = [
    ("type-specialized", "a number must be an integer", N, I),
    ("type-specialized", "one of two types is gone", {"type": ["boolean", "object"]}, B),
    ("type-specialized", "anything became an object", {}, {"type": "object"}),
    ("type-specialized", "anything became nothing", {}, False),
    (
        "type-specialized",
        "one of the alternatives' types is gone",
        {"anyOf": [B, {"type": "object"}]},
        {**B, "title": "x"},
    ),
    ("type-specialized", "no value is in both parts", S, {"allOf": [B, I]}),
    ("type-generalized", "an integer may be a number", I, N),
    ("type-generalized", "an object became anything", {"type": "object"}, True),
    ("format-specialized", "a text must be a date", S, text(format="date")),
    ("format-specialized", "a long integer must be a short one", num(format="int64"), num(format="int32")),
    ("format-generalized", "a date may be any text", text(format="date"), S),
    ("format-generalized", "a float may be a double", num(format="float"), num(format="double")),
    ("became-nullable", "by the keyword of OpenAPI 3.0", S, text(nullable=True)),
    ("became-nullable", "by the keyword of Swagger 2.0", S, {"type": "string", "x-nullable": True}),
    ("became-nullable", "by the type of OpenAPI 3.1", S, {"type": ["string", "null"]}),
    ("became-nullable", "by an alternative", S, {"oneOf": [S, {"type": "null"}]}),
    ("became-nullable", "by a listed value", {"enum": ["a"]}, {"enum": ["a", None]}),
    (
        "became-nullable",
        "one of two alternatives now, or null",
        B,
        {"oneOf": [B, {"type": "object"}, {"type": "null"}]},
    ),
    ("became-not-nullable", "null was an alternative", {"anyOf": [S, {"type": ["null"]}]}, S),
    ("became-not-nullable", "null was one beside others", {"oneOf": [B, {"type": "object"}, {"type": "null"}]}, B),
    ("became-enum", "any text, then two", S, text(enum=["a", "b"])),
    ("became-enum", "any text, then one", S, text(const="a")),
    ("no-longer-enum", "two texts, then any", text(enum=["a", "b"]), S),
    ("enum-value-removed", "one of two texts", text(enum=["a", "b"]), text(enum=["a"])),
    ("enum-value-removed", "one of two, by const", text(enum=["a", "b"]), text(const="b")),
    (
        "enum-value-removed",
        "both parts must list a value",
        text(enum=["a", "b"]),
        {"allOf": [text(enum=["a", "b"]), {"enum": ["b", "c"]}]},
    ),
    ("enum-value-added", "true is not 1", {"enum": [1, "x"]}, {"enum": [1, "x", True]}),
    ("enum-value-added", "an object beside another", {"enum": [{"a": [1]}]}, {"enum": [{"a": [1.0]}, {"a": [2]}]}),
    ("max-decreased", "from 10 to 9", num(maximum=10), num(maximum=9)),
    ("max-decreased", "from none to 9", N, num(maximum=9)),
    (
        "max-decreased",
        "10 itself is out, in the writing of 3.0",
        num(maximum=10),
        num(maximum=10, exclusiveMaximum=True),
    ),
    ("max-decreased", "10 itself is out, in the writing of 3.1", num(maximum=10), num(exclusiveMaximum=10)),
    (
        "max-decreased",
        "the tightest of several counts",
        num(maximum=10),
        {"allOf": [num(maximum=10), {"maximum": 8}, {"maximum": 9}]},
    ),
    ("max-increased", "from 10 to none", num(maximum=10), N),
    ("max-increased", "a text is no limit", num(maximum=10), num(maximum="10")),
    ("max-increased", "10 itself is in", num(exclusiveMaximum=10), num(maximum=10)),
    ("min-increased", "from 1 to 2", num(minimum=1), num(minimum=2)),
    ("min-increased", "from none to 0", N, num(minimum=0)),
    ("min-increased", "1 itself is out", num(minimum=1), num(minimum=1, exclusiveMinimum=True)),
    ("min-decreased", "from 1 to none", num(minimum=1), N),
    ("max-length-decreased", "from none to 5", S, text(maxLength=5)),
    ("max-length-increased", "from 5 to 6", text(maxLength=5), text(maxLength=6)),
    ("min-length-increased", "from 0, which is none, to 1", text(minLength=0), text(minLength=1)),
    ("min-length-decreased", "from 3 to 1", text(minLength=3), text(minLength=1)),
    ("max-items-decreased", "from 3 to 2", arr(maxItems=3), arr(maxItems=2)),
    ("max-items-increased", "from 2 to 3", arr(maxItems=2), arr(maxItems=3)),
    ("min-items-increased", "from none to 2", arr(), arr(minItems=2)),
    ("min-items-decreased", "from 2 to none", arr(minItems=2), arr()),
    ("max-properties-decreased", "from none to 2", obj(), {**obj(), "maxProperties": 2}),
    ("max-properties-increased", "from 2 to 4", {**obj(), "maxProperties": 2}, {**obj(), "maxProperties": 4}),
    ("min-properties-increased", "from none to 1", obj(), {**obj(), "minProperties": 1}),
    ("min-properties-decreased", "from 2 to 1", {**obj(), "minProperties": 2}, {**obj(), "minProperties": 1}),
    ("pattern-added", "any text, then digits", S, text(pattern="[0-9]+")),
    ("pattern-added", "one more", text(pattern="a"), {"allOf": [text(pattern="a"), {"pattern": "b"}]}),
    ("pattern-removed", "digits, then any text", text(pattern="[0-9]+"), S),
    ("multiple-of-tightened", "any number, then tens", N, num(multipleOf=10)),
    ("multiple-of-tightened", "tenths, then three tenths", num(multipleOf=0.1), num(multipleOf=0.3)),
    ("multiple-of-loosened", "tens, then fives", num(multipleOf=10), num(multipleOf=5)),
    ("multiple-of-loosened", "tens, then any number", num(multipleOf=10), num(multipleOf=0)),
    ("unique-items-set", "items must differ", arr(), arr(uniqueItems=True)),
    ("unique-items-unset", "items may repeat", arr(uniqueItems=True), arr()),
    ("required-property-added", "a new one that must be there", obj(), obj("a", a=S)),
    ("required-property-added", "one that is described nowhere", obj(), obj("a")),
    ("required-property-added", "in another part", obj(), {"allOf": [obj(), obj("a", a=S)]}),
    ("required-property-removed", "one that had to be there", obj("a", a=S), obj()),
    ("optional-property-added", "a new one", obj(), obj(a=S)),
    ("optional-property-removed", "one is gone", obj(a=S), obj()),
    ("property-became-required", "it must be there now", obj(a=S), obj("a", a=S)),
    ("property-became-optional", "it need not be there", obj("a", a=S), obj(a=S)),
    ("property-forbidden", "gone from a closed object", obj(more=False, a=S), obj(more=False)),
    ("property-permitted", "new in a closed object", obj(more=False), obj(more=False, a=S)),
    ("additional-properties-forbidden", "the object was closed", obj(), obj(more=False)),
    ("additional-properties-allowed", "the object was opened", obj(more=False), obj(more=S)),
    ("variant-removed", "a cat is out", {"oneOf": [DOG, CAT, COW]}, {"oneOf": [DOG, CAT]}),
    ("variant-removed", "of two only one is left", {"anyOf": [DOG, CAT]}, DOG),
    ("variant-added", "a cat is in", {"anyOf": [DOG, CAT]}, {"anyOf": [DOG, CAT, COW]}),
    ("variant-added", "the only alternative got company", {"anyOf": [S]}, {"anyOf": [S, B]}),
    ("variant-added", "what was alone got company", S, {"oneOf": [B, S]}),
    ("union-added", "one must hold besides", obj(), {**obj(), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    ("union-removed", "none need hold", {**obj(), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, obj()),
]
# Those without a direction, each with a pair that is next to it and silent.
BOTH_WAYS: list[tuple[str, str, tuple[Any, Any], tuple[Any, Any]]] = [
    ("type-changed", "an object became a flag, and a missing type is told by its keywords", (obj(a=S), B), ({"properties": {"a": S}}, {"type": "object", "properties": {"a": S}})),
    ("type-changed", "a list became an object, and a list is told by its items", (arr(items=S), obj()), ({"items": S}, arr(items=S))),
    ("type-changed", "one of two types is another, and their order counts for nothing", ({"type": ["object", "array"]}, {"type": ["object", "boolean"]}), ({"type": ["object", "array"]}, {"type": ["array", "object"]})),
    ("format-changed", "a date became a time, and no format is empty", (text(format="date"), text(format="time")), (text(format=""), text(format=7))),
    ("pattern-changed", "letters became digits, and none is empty", (text(pattern="[a-z]"), text(pattern="[0-9]")), (text(pattern=""), S)),
    ("multiple-of-changed", "fours became sixes, and 2 is 2.0", (num(multipleOf=4), num(multipleOf=6)), (num(multipleOf=2), num(multipleOf=2.0))),
    ("default-changed", "5 became 6, and null is none", (num(default=5), num(default=6)), (num(default=None), N)),
    ("default-changed", "there is one now, and 1 is 1.0", (N, num(default=1)), (num(default=1), num(default=1.0))),
    ("discriminator-changed", "kind became type, in both writings", ({"discriminator": "kind", **obj()}, {"discriminator": {"propertyName": "type"}, **obj()}), ({"discriminator": "kind", **obj()}, {"discriminator": {"propertyName": "kind"}, **obj()})),
    ("condition-changed", "another not, and the order of keys", ({**obj(), "not": {"required": ["a"]}}, {**obj(), "not": {"required": ["b"]}}), ({**obj(), "not": {"a": 1, "b": 2}}, {**obj(), "not": {"b": 2, "a": 1}})),
    ("condition-changed", "a condition on names came, and it stayed", (obj(), {**obj(), "propertyNames": S}), ({**obj(), "propertyNames": S}, {**obj(), "propertyNames": S})),
    ("condition-changed", "items one by one, and what they are all alike", (arr(items=[S, N]), arr(items=[S])), (arr(items=[S]), arr(items=[S]))),
]  # fmt: skip


def names(rows: list[Any]) -> list[str]:
    return [f"{row[0]}: {row[1]}" for row in rows]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("kind", "sentence", "old", "new"), ROWS, ids=names(ROWS))
def test_it_is_told_and_not_the_other_way_round(kind: str, sentence: str, old: Any, new: Any, scope: Scope) -> None:
    rule = ASPECTS[kind].rule(scope)
    found = {one.rule: one for one in compare_schemas(old, new, scope)}
    assert found[rule].severity == ASPECTS[kind].severity(scope) == RULES[rule].severity
    assert rule not in rules(compare_schemas(new, old, scope))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("kind", "sentence", "pair", "silent"), BOTH_WAYS, ids=names(BOTH_WAYS))
def test_it_is_told_both_ways(kind: str, sentence: str, pair: Any, silent: Any, scope: Scope) -> None:
    rule = ASPECTS[kind].rule(scope)
    assert rule in rules(compare_schemas(*pair, scope)) & rules(compare_schemas(*reversed(pair), scope))
    assert compare_schemas(*silent, scope) == ()


def test_every_kind_has_a_row() -> None:
    assert {row[0] for row in ROWS} | {row[0] for row in BOTH_WAYS} == ASPECTS.keys()


# What must be said about a pair, and nothing else: (rule, where).
Told = set[tuple[str, str]]
WHERE = "/requestBody/schema"
EXACT: list[tuple[str, Any, Any, Told]] = [
    ("places are escaped", obj(**{"a/b~c": I}), obj(**{"a/b~c": N}), {("request-property-type-generalized", "/properties/a~1b~0c/type")}),
    ("items of a list", arr(items=I), arr(items=B), {("request-property-type-changed", "/items/type")}),
    ("items that were anything", arr(), arr(items=B), {("request-property-type-specialized", "/items/type")}),
    ("values of a map", obj(more=I), obj(more=N), {("request-property-type-generalized", "/additionalProperties/type")}),
    ("a closed object that stays closed", obj(more=False), obj(more=False), set()),
    ("nothing beside a type that is another one", num(maximum=1), {"type": "object", "required": ["a"]}, {("request-property-type-changed", "/type")}),
    ("a file of Swagger 2.0 is a string", {"type": "file"}, S, set()),
    ("null is the only alternative", {"oneOf": [{"type": "null"}]}, {"type": "null"}, set()),
    ("one alternative is itself", {"oneOf": [S]}, S, set()),
    ("an integer is in number and integer", I, {"allOf": [N, I]}, set()),
    ("parts in another order", {"allOf": [obj(a=S), obj("b", b=N)]}, {"allOf": [obj("b", b=N), obj(a=S)]}, set()),
    ("parts written as one", {"allOf": [obj(a=S), obj("b", b=N)]}, obj("b", a=S, b=N), set()),
    ("a property in two parts", {"allOf": [obj(a=N), obj(a=num(maximum=5))]}, obj(a=num(maximum=5)), set()),
    ("an alternative that changed", {"oneOf": [CAT, {**DOG, "maxProperties": 1}]}, {"oneOf": [CAT, DOG]}, {("request-property-max-properties-increased", "/oneOf/1/maxProperties")}),
    ("alternatives in another order, and twice", {"anyOf": [CAT, DOG, DOG]}, {"oneOf": [DOG, CAT, CAT]}, set()),
    ("alternatives of nested alternatives", {"anyOf": [B, {"anyOf": [S, N]}]}, {"type": ["boolean", "string", "number"]}, {("request-property-union-removed", "/anyOf")}),
    ("alternatives too nested to look through", {"anyOf": [B, {"anyOf": [B, {"anyOf": [B, {"anyOf": [B, S]}]}]}]}, B, {("request-property-variant-removed", "/anyOf/1")}),
    ("alternatives of unknown type", {"anyOf": [{"minimum": 3}, {"maxLength": 3}]}, B, {("request-property-type-specialized", "/type"), ("request-property-union-removed", "/anyOf")}),
    ("null that alternatives decide", {"oneOf": [{"type": ["null", "boolean"]}, {"type": "object"}]}, {"type": ["boolean", "object", "null"]}, {("request-property-union-removed", "/oneOf")}),
    ("a nullable one alone and beside others", {"type": ["boolean", "null"]}, {"oneOf": [{"type": ["boolean", "null"]}, S, {"type": "null"}]}, {("request-property-variant-added", "/oneOf/1")}),
    ("mistakes cost their keyword alone", {"type": "object", "properties": 3, "required": "a", "enum": "x", "allOf": 1, "oneOf": {}, "items": 3}, {"type": ["object", 7], "required": [1], "enum": []}, set()),
    ("an alternative that takes anything", {"oneOf": [DOG, CAT]}, {"oneOf": [DOG, CAT, True]}, {("request-property-variant-added", "/oneOf/2"), ("request-property-type-generalized", "/type")}),
    ("types that are none", {"type": 7}, {"type": [{}]}, set()),
    ("many keywords", {f"x-{n}": n for n in range(20)}, {f"x-{n}": n for n in range(20)}, set()),
    ("true is not 1", num(default=1), num(default=True), {("request-property-default-changed", "/default")}),
    ("a schema that is no schema", obj(a=3), obj(a="x"), set()),
    ("only null is listed", {"enum": [None]}, {"const": None}, set()),
    ("a list, a flag and a number are listed", {"enum": [[1], True, 1.5, {"a": 1}]}, {"type": ["array", "boolean", "number", "object"], "enum": [[1], True, 1.5, {"a": 1}]}, set()),
    ("nothing is taken, still", False, {"allOf": [S, False]}, set()),
    ("what is read only is not sent", obj("a", a={**S, "readOnly": True}), obj(), set()),
    ("what became read only is not sent any more", obj(a=S), obj(a={**S, "readOnly": True}), {("request-optional-property-removed", "/properties/a")}),
    ("what is write only is sent", obj(a={**I, "writeOnly": True}), obj(a={**N, "writeOnly": True}), {("request-property-type-generalized", "/properties/a/type")}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "old", "new", "expected"), EXACT, ids=[row[0] for row in EXACT])
def test_this_is_told_and_nothing_else(sentence: str, old: Any, new: Any, expected: Told) -> None:
    found = {(one.rule, one.where) for one in compare_schemas(old, new)}
    assert found == {(rule, WHERE + where) for rule, where in expected}


def test_what_is_write_only_does_not_come_back() -> None:
    assert compare_schemas(obj("a", a={**S, "writeOnly": True}), obj(), "response") == ()


AS_TEXT: list[tuple[str, Any, Any, str]] = [
    ("a number is a text", N, S, "request-parameter-type-generalized"),
    ("a text is no number", S, I, "request-parameter-type-specialized"),
    ("a list is no text", arr(items=S), S, "request-parameter-type-changed"),
    ("a property of a parameter", obj("a", a=S), obj(a=S), "request-parameter-property-became-optional"),
]


@pytest.mark.parametrize(("sentence", "old", "new", "rule"), AS_TEXT, ids=[row[0] for row in AS_TEXT])
def test_parameters_are_written_as_text(sentence: str, old: Any, new: Any, rule: str) -> None:
    assert rules(compare_schemas(old, new, "parameter")) == {rule}


def test_details_are_sentences_with_old_and_new() -> None:
    found = compare_schemas(obj(a=num(maximum=10, enum=[1, 2])), obj(a=num(exclusiveMaximum=8, enum=[1])))
    assert [one.detail for one in found] == ["not listed any more: 2", "maximum was 10 and is 8 (exclusive)"]


REFERENCES: list[tuple[str, Any, Any, dict[str, Any], dict[str, Any], set[str]]] = [
    ("to what changed", ref("P"), ref("P"), components(P=I), components(P=N), {"request-property-type-generalized"}),
    ("to what did not", ref("P"), ref("P"), components(P=I), components(P=I), set()),
    ("to something that refers to what changed", ref("P"), ref("P"), components(P=obj(a=ref("Q")), Q=I), components(P=obj(a=ref("Q")), Q=N), {"request-property-type-generalized"}),
    ("to another name", ref("P"), ref("Q"), components(P=obj(a=S)), components(Q=obj(a=S)), set()),
    ("or written out", ref("P"), obj(a=S), components(P=obj(a=S)), {}, set()),
    ("with keywords beside it", {**ref("P"), "maxProperties": 1}, ref("P"), components(P=obj(a=S)), components(P=obj(a=S)), {"request-property-max-properties-increased"}),
    ("into definitions of Swagger 2.0", {"$ref": "#/definitions/P"}, ref("P"), {"definitions": {"P": N}}, components(P=I), {"request-property-type-specialized"}),
    ("into a list, escaped", {"$ref": "#/definitions/a%20~1b/allOf/1"}, N, {"definitions": {"a /b": {"allOf": [S, I]}}}, {}, {"request-property-type-generalized"}),
    ("to itself", ref("P"), I, components(P=ref("P")), {}, {"request-property-type-specialized"}),
    ("in a circle", ref("P"), ref("P"), components(P=obj(n=ref("P"), v=I)), components(P=obj(n=ref("P"), v=N)), {"request-property-type-generalized"}),
    ("in a circle through parts", ref("P"), ref("P"), components(P={"allOf": [ref("P"), obj(n=ref("P"))]}), components(P={"allOf": [ref("P"), obj(n=ref("P"), m=ref("P"))]}), {"request-optional-property-added"}),
    ("in circles of different length", ref("P"), ref("P"), components(P=obj(n=ref("P"))), components(P=obj(n=ref("Q")), Q=obj(n=ref("P"))), set()),
    ("that lead nowhere on both sides", ref("P"), ref("P"), {}, components(Q=S), set()),
    ("that lead nowhere on one side", ref("P"), ref("P"), {}, components(P=S), {"comparison-incomplete"}),
    ("to another document", {"$ref": "other.json#/P"}, S, {}, {}, {"comparison-incomplete"}),
    ("past the end of a list", {"$ref": "#/a/7"}, S, {"a": [S]}, {}, {"comparison-incomplete"}),
    ("to a value that is no schema", {"$ref": "#/a"}, S, {"a": 3}, {}, {"comparison-incomplete"}),
    ("to true, which takes anything", {"$ref": "#/a"}, {}, {"a": True}, {}, set()),
    ("that are no text", {"$ref": 7}, {}, {}, {}, set()),
    ("among alternatives", {"oneOf": [ref("P"), ref("Q")]}, {"oneOf": [ref("Q"), ref("P")]}, components(P=I, Q=B), components(P=N, Q=B), {"request-property-type-generalized"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "old", "new", "before", "after", "expected"), REFERENCES, ids=[row[0] for row in REFERENCES]
)
def test_references(
    sentence: str, old: Any, new: Any, before: dict[str, Any], after: dict[str, Any], expected: set[str]
) -> None:
    assert rules(compare_schemas(old, new, "request", before, after)) == expected
