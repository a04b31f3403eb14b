"""Call plans keep what calling needs, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coalmine.model import Parameter
from coalmine.routing.plan import find_shape, make_call_parameter, make_call_plan
from tests.coalmine.routing.definitions import NOON, function

DEEP: dict[str, Any] = {"type": "array"}
for _ in range(12):
    DEEP = {"allOf": [DEEP]}


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        pytest.param({"type": "string"}, "primitive", id="a string"),
        pytest.param({"type": "array"}, "array", id="an array"),
        pytest.param({"type": "object"}, "object", id="an object"),
        pytest.param({"type": ["array", "null"]}, "array", id="an array or null"),
        pytest.param({"type": ["object", "null"]}, "object", id="an object or null"),
        pytest.param({"type": ["string", "null"]}, "primitive", id="a string or null"),
        pytest.param({"items": {}}, "array", id="items without a type"),
        pytest.param({"properties": {}}, "object", id="properties without a type"),
        pytest.param({"anyOf": [{"type": "null"}, {"type": "array"}]}, "array", id="an optional array"),
        pytest.param({"allOf": [{"$ref": "#/a"}, {"type": "object"}]}, "object", id="what can be seen of allOf"),
        pytest.param({"allOf": "nonsense"}, "primitive", id="no list of members"),
        pytest.param({"$ref": "#/components/schemas/Tags"}, "primitive", id="a reference"),
        pytest.param({}, "primitive", id="nothing"),
        pytest.param(True, "primitive", id="a boolean schema"),
        pytest.param({"type": 7}, "primitive", id="nonsense"),
        pytest.param(DEEP, "primitive", id="nesting without end"),
    ],
)
def test_the_shape_is_what_the_schema_shows(schema: Any, shape: str) -> None:
    assert find_shape(schema) == shape


def test_a_parameter_keeps_how_it_is_written() -> None:
    parameter = Parameter.model_validate(
        {
            "name": "f",
            "in": "query",
            "schema": {"type": "object", "default": {"a": 1}},
            "style": "deepObject",
            "allow_reserved": True,
        }
    )
    plan = make_call_parameter(parameter)
    assert (plan.place, plan.shape, plan.style, plan.explode) == ("query", "object", "deepObject", True)
    assert (plan.allow_reserved, plan.required, plan.has_default, plan.default) == (True, False, True, {"a": 1})


def test_path_parameters_are_required_and_null_is_no_default() -> None:
    plan = make_call_parameter(Parameter.model_validate({"name": "id", "in": "path", "schema": {"default": None}}))
    assert (plan.required, plan.has_default) == (True, False)
    plan = make_call_parameter(Parameter.model_validate({"name": "id", "in": "query", "schema": True}))
    assert not plan.has_default
    plan = make_call_parameter(Parameter.model_validate({"name": "id", "in": "query", "schema": {"default": 0}}))
    assert (plan.has_default, plan.default) == (True, 0)


def test_only_a_function_with_a_body_takes_one() -> None:
    assert not make_call_plan(function("deletePet", method="DELETE")).takes_body
    assert not make_call_plan(function("ping", method="POST")).takes_body
    plan = make_call_plan(function("addPet", method="post", request_body={"content_types": ["application/json"]}))
    assert (plan.method, plan.takes_body, plan.body_content_types) == ("POST", True, ("application/json",))


def test_times_do_not_matter() -> None:
    later = function("findPets", last_seen=NOON + timedelta(days=1), summary="All of them")
    assert make_call_plan(later) == make_call_plan(function("findPets"))


def test_a_space_in_a_documents_path_is_sent_encoded() -> None:
    assert make_call_plan(function("f", path="/a b/{id}")).path == "/a%20b/{id}"
