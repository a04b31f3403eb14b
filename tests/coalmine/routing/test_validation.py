"""Checking values: what is wrong with them and where, and what hostile ones cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from coalmine.routing.findings import MAX_FINDINGS, Finder
from coalmine.routing.snapshot import CallSchemas, ParameterSchema
from coalmine.routing.sources import BrokenBody
from coalmine.routing.validation import Checks, compile_schema, keep_usable, list_errors, parse_strictly

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
TREE: dict[str, Any] = {
    "$ref": "#/$defs/Tree",
    "$defs": {
        "Tree": {"anyOf": [STRING, {"$ref": "#/$defs/Branch"}, {"$ref": "#/$defs/Other"}]},
        "Branch": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        "Other": {"type": "array", "items": {"$ref": "#/$defs/Tree"}, "minItems": 1},
    },
}

CAT: dict[str, Any] = {"type": "object", "properties": {"lives": INTEGER}, "required": ["lives"]}
DOG: dict[str, Any] = {"type": "object", "properties": {"barks": {"type": "boolean"}}, "required": ["barks"]}
PETS: dict[str, Any] = {
    "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
    "discriminator": {"propertyName": "ki/nd", "mapping": {"hound": "#/$defs/Dog"}},
    "$defs": {"Cat": CAT, "Dog": DOG},
}
TYPED: dict[str, Any] = {
    "anyOf": [
        {**CAT, "properties": {"kind": {"const": "cat"}, **CAT["properties"]}},
        {"$ref": "#/$defs/Dog"},
        {"type": "array"},
    ],
    "$defs": {"Dog": {**DOG, "properties": {"kind": {"enum": ["dog"]}, **DOG["properties"]}}},
}

FINDINGS: list[Any] = [
    pytest.param(
        PETS, {"ki/nd": "Cat", "lives": "x"}, "/lives", '"x" is not of type "integer"', id="a discriminator by name"
    ),
    pytest.param(PETS, {"ki/nd": "hound"}, "", '"barks" is a required property', id="a discriminator by mapping"),
    pytest.param(PETS, {"ki/nd": "fish"}, "/ki~1nd", "is none of Cat, Dog, hound", id="an unknown discriminator"),
    pytest.param(PETS, {"ki/nd": 3}, "/ki~1nd", "is none of Cat, Dog, hound", id="a discriminator that is no text"),
    pytest.param(
        PETS, {}, "", '"ki/nd" is a required property: it tells which alternative is meant', id="no discriminator"
    ),
    pytest.param(
        PETS,
        {"ki/nd": "Cat", "lives": 1, "barks": True},
        "",
        "does not fit exactly one of the alternatives (oneOf)",
        id="a discriminator, and fits two",
    ),
    pytest.param(
        {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "kind"}},
        {"kind": "Cat"},
        "",
        "does not fit exactly one of the alternatives (oneOf)",
        id="a discriminator without names",
    ),
    pytest.param(
        {
            **PETS,
            "discriminator": {"propertyName": "k", "mapping": {"bird": "#/$defs/Bird"}},
            "$defs": {**PETS["$defs"], "Bird": {"required": ["wings"]}},
        },
        {"k": "bird"},
        "",
        '"wings" is a required property',
        id="a discriminator that leads elsewhere",
    ),
    pytest.param(TYPED, {"kind": "cat", "lives": "x"}, "/lives", '"x" is not of type "integer"', id="a constant"),
    pytest.param(TYPED, {"kind": "dog"}, "", '"barks" is a required property', id="a constant behind a reference"),
    pytest.param(TYPED, {"kind": "x"}, "", "fits none of the alternatives (anyOf)", id="no constant"),
    pytest.param(INTEGER, "a", "", '"a" is not of type "integer"', id="a type"),
    pytest.param(False, 1, "", "is not allowed here", id="false"),
    pytest.param({"items": INTEGER}, [1, "a"], "/1", '"a" is not of type "integer"', id="an item"),
    pytest.param({"prefixItems": [INTEGER]}, ["a", "b"], "/0", '"a" is not of type "integer"', id="a tuple"),
    pytest.param(
        {"properties": {"a/b": INTEGER}}, {"a/b": "x"}, "/a~1b", '"x" is not of type "integer"', id="a property"
    ),
    pytest.param(
        {"additionalProperties": INTEGER}, {"x": "y"}, "/x", '"y" is not of type "integer"', id="another property"
    ),
    pytest.param({"allOf": [INTEGER]}, "a", "", '"a" is not of type "integer"', id="allOf"),
    pytest.param(
        {"anyOf": [INTEGER, {"type": "null"}]}, "a", "", '"a" is not of type "integer"', id="an alternative to null"
    ),
    pytest.param({"anyOf": [INTEGER, STRING]}, [], "", "fits none of the alternatives (anyOf)", id="anyOf"),
    pytest.param(
        {"oneOf": [INTEGER, {"minimum": 1}]},
        5,
        "",
        "does not fit exactly one of the alternatives (oneOf)",
        id="oneOf",
    ),
    pytest.param({"not": INTEGER}, 5, "", "is what it must not be (not)", id="not"),
    pytest.param(
        {"if": INTEGER, "then": {"minimum": 6}},
        5,
        "",
        "does not fit what its other parts ask for (if, then, else)",
        id="if",
    ),
    pytest.param({"contains": INTEGER}, [], "", "does not contain what it should (contains)", id="contains"),
    pytest.param(
        {"patternProperties": {"^a": INTEGER}, "additionalProperties": False},
        {"a": "x"},
        "",
        "has a property that does not fit (patternProperties)",
        id="patternProperties",
    ),
    pytest.param(
        {"patternProperties": {"^a": INTEGER}, "additionalProperties": False},
        {"b": "x"},
        "",
        "does not fit the schema",
        id="what only the whole knows",
    ),
    pytest.param(
        {"properties": {"a": {}}, "unevaluatedProperties": False},
        {"b": 1},
        "",
        "has something that nothing in the schema speaks of (unevaluated)",
        id="unevaluated",
    ),
    pytest.param({"const": "a" * 300}, 1, "", "does not fit const", id="a message without end"),
    pytest.param({"pattern": "^(?=a)b"}, "c", "", '"c" does not match "^(?=a)b"', id="a pattern with a look-ahead"),
]


@pytest.mark.parametrize(("schema", "value", "pointer", "detail"), FINDINGS)
def test_where_and_why_a_value_does_not_fit(schema: Any, value: Any, pointer: str, detail: str) -> None:
    assert not compile_schema(schema).is_valid(value)
    (found,) = Finder(schema, compile_schema).find(value)
    assert (found.pointer, found.detail) == (pointer, detail)


def test_a_value_without_end_has_few_findings_and_costs_little() -> None:
    finder = Finder({"items": INTEGER}, compile_schema)
    start = time.process_time()
    assert len(finder.find(["x"] * 300_000)) == MAX_FINDINGS
    assert len(finder.find([1] * 300_000)) == 1  # the steps came to their end
    assert time.process_time() - start < 2


def test_alternatives_of_alternatives_cost_no_more_than_a_look() -> None:
    value: Any = 5
    for _ in range(60):
        value = [value]
    checks = Checks(CallSchemas(body=TREE))
    start = time.process_time()
    assert len(checks.check_body(json.dumps(value).encode())) == 1
    assert time.process_time() - start < 2


def test_a_pattern_that_backtracks_gives_up() -> None:
    checks = Checks(CallSchemas(body={"pattern": "(?=a)(a|aa)+$"}))
    start = time.process_time()
    assert checks.check_body(json.dumps("a" * 10_000 + "b").encode())
    assert time.process_time() - start < 2


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/x", "file:///etc/passwd", "other.json"])
def test_nothing_is_ever_fetched(reference: str) -> None:
    with pytest.raises(ValueError):
        compile_schema({"$ref": reference})


def test_schemas_that_cannot_be_compiled_are_named_and_left_out() -> None:
    good = ParameterSchema("query", "good", INTEGER)
    bad = ParameterSchema("query", "bad", {"pattern": "["})
    kept, reasons = keep_usable(CallSchemas((good, bad), {"pattern": "(" * 200}, True))
    assert kept == CallSchemas((good,), None, True)
    assert reasons[0].startswith("query parameter bad: ")
    assert reasons[1].startswith("body: ")
    assert all(len(reason) < 250 for reason in reasons)
    assert keep_usable(kept) == (kept, ())


DOCUMENTS: list[Any] = [
    pytest.param(b'{"a": 1, "a": 2}', "the JSON has the name 'a' twice in one object", id="twins"),
    pytest.param(b"1e999", "the JSON has a number that is too large: 1e999", id="a number beyond all"),
    pytest.param(b"NaN", "the JSON cannot be read: ", id="not a number"),
    pytest.param(b"[" * 100_000, "the JSON cannot be read: ", id="depth without end"),
    pytest.param(b'"\xff"', "the JSON ", id="no UTF-8"),
    pytest.param(b'"\\ud800"', "the JSON cannot be read: ", id="half a character"),
    pytest.param(b"", "the JSON cannot be read: ", id="nothing"),
    pytest.param(b"1 2", "the JSON cannot be read: ", id="two documents"),
    pytest.param(b"9" * 5000, "the JSON cannot be read: ", id="an integer without end"),
    pytest.param("{}".encode("utf-16"), "the JSON ", id="UTF-16"),
]


@pytest.mark.parametrize(("data", "reason"), DOCUMENTS)
def test_json_with_more_than_one_meaning_is_none(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_strictly(data)
    assert str(caught.value).startswith(reason)


def test_json_with_one_meaning() -> None:
    assert parse_strictly(b'\xef\xbb\xbf {"a": [1, 1.5, null, "\\u00e4"]} ') == {"a": [1, 1.5, None, "ä"]}


def test_parameters() -> None:
    schemas = (
        ParameterSchema("query", "a", INTEGER),
        ParameterSchema("header", "doc", {"required": ["x"]}, is_json=True),
        ParameterSchema("path", "text", {"type": ["integer", "string"], "enum": ["7"]}),
        ParameterSchema("query", "box", {"type": "object"}),
    )
    checks = Checks(CallSchemas(schemas))
    assert not checks.reads_body
    assert checks.check_parameter("query", "unknown", ["x"]) == []
    assert checks.check_parameter("path", "text", ["7"]) == []
    assert checks.check_parameter("header", "doc", ['{"x": 1}', {"from": "a body"}]) == []
    assert [one.pointer for one in checks.check_parameter("header", "doc", ["{", "{}"])] == ["/header/doc"] * 2
    broken = [["\udcff"], {"\udcff": "a"}, {"a": "\udcff"}]
    assert [one.detail for one in checks.check_parameter("query", "box", broken)] == ["is not UTF-8"] * 3


def test_errors_are_few() -> None:
    found = Finder(False, compile_schema).find(1) * 100
    assert list_errors(found) == [{"pointer": "", "detail": "is not allowed here"}] * MAX_FINDINGS


def test_a_body_that_is_no_json_is_broken() -> None:
    with pytest.raises(BrokenBody):
        Checks(CallSchemas(body=INTEGER)).check_body(b"{")


def test_who_does_not_validate_never_loads_the_validator() -> None:
    code = (
        "import sys; from tests.support.case import *; from coalmine.routing.build import build_snapshot;"
        "from coalmine.routing.table import RouteTable;"
        "RouteTable.compile(build_snapshot(define(route('r', '/', to('v1', 'findPets')))));"
        "assert 'jsonschema_rs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
