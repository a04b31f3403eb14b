"""From texts to the JSON values that schemas speak of."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.routing.convert import convert, find_types

ROOT: dict[str, Any] = {
    "$defs": {
        "Size": {"type": "integer"},
        "Circle": {"$ref": "#/$defs/Circle"},
        "Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
    }
}
INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}

VALUES: list[Any] = [
    pytest.param("7", INTEGER, 7, id="an integer"),
    pytest.param("-0", INTEGER, 0, id="minus nothing"),
    pytest.param("+7", INTEGER, "+7", id="a plus is not JSON"),
    pytest.param("07", INTEGER, "07", id="a leading zero is not JSON"),
    pytest.param("7_0", INTEGER, "7_0", id="what Python would take"),
    pytest.param("٧", INTEGER, "٧", id="digits of other scripts"),
    pytest.param("1.0", INTEGER, "1.0", id="a fraction is no integer"),
    pytest.param("9" * 1001, INTEGER, "9" * 1001, id="too many digits"),
    pytest.param("1.5", NUMBER, 1.5, id="a number"),
    pytest.param("7", NUMBER, 7, id="an integer is a number"),
    pytest.param("1e3", NUMBER, 1000.0, id="an exponent"),
    pytest.param("NaN", NUMBER, "NaN", id="not a number"),
    pytest.param("true", {"type": "boolean"}, True, id="true"),
    pytest.param("True", {"type": "boolean"}, "True", id="what is true elsewhere"),
    pytest.param("null", {"type": ["integer", "null"]}, None, id="null"),
    pytest.param("null", STRING, "null", id="the word null"),
    pytest.param("7", STRING, "7", id="a text of digits"),
    pytest.param("7", {}, "7", id="a schema without a type"),
    pytest.param("7", {"enum": [7, "a"]}, 7, id="the types of an enum"),
    pytest.param("false", {"const": False}, False, id="the type of a const"),
    pytest.param("7", {"$ref": "#/$defs/Size"}, 7, id="through a reference"),
    pytest.param("7", {"$ref": "#/$defs/Circle"}, "7", id="through a circle"),
    pytest.param("7", {"$ref": "#/$defs/Nowhere"}, "7", id="through nothing"),
    pytest.param("7", {"anyOf": [INTEGER, {"type": "null"}]}, 7, id="through anyOf"),
    pytest.param(["7", "x"], {"items": INTEGER}, [7, "x"], id="items"),
    pytest.param(["7"], {"type": "array"}, ["7"], id="items that nothing is said of"),
    pytest.param("7", {"type": "array", "items": INTEGER}, [7], id="a list of one"),
    pytest.param("7", {"$ref": "#/$defs/Tree"}, ["7"], id="a list of lists without end"),
    pytest.param({"a": "7"}, {"properties": {"a": INTEGER}}, {"a": 7}, id="properties"),
    pytest.param({"b": "7"}, {"allOf": [{"properties": {"a": {}}}]}, {"b": "7"}, id="properties nobody knows"),
    pytest.param({"b": "7"}, {"additionalProperties": INTEGER}, {"b": 7}, id="additional properties"),
]


@pytest.mark.parametrize(("value", "schema", "converted"), VALUES)
def test_conversion(value: Any, schema: Any, converted: Any) -> None:
    found = convert(value, schema, ROOT)
    assert (found, type(found)) == (converted, type(converted))


def test_both_readings_are_offered() -> None:
    either = {"type": ["integer", "string"]}
    assert (convert("7", either, ROOT), convert("7", either, ROOT, texts=True)) == (7, "7")
    assert convert("7", INTEGER, ROOT, texts=True) == 7


def test_types_of_a_boolean_schema() -> None:
    assert find_types(True) == frozenset()
