"""From a function to its call plan: what the document says about parameters, reduced to what calling needs.

Rule 1: this file performs no I/O.
Rule 2: schemas are the document's own, references included. Nothing is resolved here: what lies behind a ``$ref`` is
    taken for a primitive, which is what nearly all parameters are.
Rule 3: times, descriptions and responses of a function do not matter: equal calls have equal plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coalmine.model import Function, Parameter
from coalmine.routing.snapshot import CallParameter, CallPlan, Shape

# Deeper nesting of allOf in allOf than this has no meaning that anybody would miss.
_MAX_DEPTH = 8
_COMBINERS = ("allOf", "anyOf", "oneOf")


def make_call_plan(function: Function) -> CallPlan:
    """How ``function`` is called; a function without a request body, whatever its method, takes none."""
    body = function.request_body
    return CallPlan(
        function=function.name,
        method=function.method.upper(),
        path=function.path.replace(" ", "%20"),  # documents have them; people who write routes are told to encode them
        parameters=tuple(map(make_call_parameter, function.parameters)),
        takes_body=body is not None,
        body_content_types=() if body is None else body.content_types,
    )


def make_call_parameter(parameter: Parameter) -> CallParameter:
    default = _find_default(parameter.schema_)
    return CallParameter(
        name=parameter.name,
        place=parameter.place,
        required=parameter.required or parameter.place == "path",  # OpenAPI 3.1 section 4.8.12.2.1
        style=parameter.style,
        explode=parameter.explode,
        # A document in a parameter (OpenAPI's content) is one text, whatever it says inside.
        shape=find_shape(parameter.schema_) if parameter.content_type is None else "primitive",
        allow_reserved=parameter.allow_reserved,
        has_default=default is not None,
        default=default,
    )


def find_shape(schema: Any, depth: int = 0) -> Shape:
    """Whether values of ``schema`` are arrays, objects or single values.

    3.1 type lists and ``anyOf: [{type: array}, {type: null}]`` (an optional array) count as what is not null.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return "primitive"
    kinds = schema.get("type")
    if kinds is None:
        return _shape_without_type(schema, depth)
    named = kinds if isinstance(kinds, list) else [kinds]
    if "array" in named:
        return "array"
    return "object" if "object" in named else "primitive"


def _shape_without_type(schema: Mapping[str, Any], depth: int) -> Shape:
    if "items" in schema:
        return "array"
    if "properties" in schema:
        return "object"
    for combiner in _COMBINERS:
        members = schema.get(combiner)
        for member in members if isinstance(members, list) else ():
            shape = find_shape(member, depth + 1)
            if shape != "primitive":
                return shape
    return "primitive"


def _find_default(schema: Any) -> Any:
    """The default; one that is null says "absent", which needs no default."""
    return schema.get("default") if isinstance(schema, Mapping) else None
