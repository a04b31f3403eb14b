"""Functions and schemas to compare, as short as rows need them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coalmine.differences import Difference, compare_across, compare_functions
from coalmine.differences.aspects import Scope
from coalmine.model import Function

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NONE: Mapping[str, Any] = {}


def function(name: str = "f", method: str = "GET", path: str = "/a", **rest: Any) -> Function:
    values = {"upstream": "u", "first_seen": NOW, "last_seen": NOW, "operation_id": name, **rest}
    return Function.model_validate({"name": name, "method": method, "path": path, **values})


def parameter(name: str = "p", place: str = "query", schema: Any = None, **rest: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {"type": "string"} if schema is None else schema, **rest}


def holding(schema: Any, scope: Scope) -> Function:
    """A function with ``schema`` as that of its one parameter, its body or its one response."""
    if scope == "parameter":
        return function(parameters=[parameter(schema=schema)])
    if scope == "request":
        return function(method="POST", request_body={"content_types": ["application/json"], "schema": schema})
    return function(responses=[{"status": "200", "content_types": ["application/json"], "schema": schema}])


def compare(
    old: Function, new: Function, components: Mapping[str, Any] = NONE, other: Mapping[str, Any] | None = None
) -> tuple[Difference, ...]:
    after = components if other is None else other
    return compare_functions(old, new, old_components=components, new_components=after)


def across(old: Function, new: Function) -> tuple[Difference, ...]:
    return compare_across(old, new, old_components=NONE, new_components=NONE)


def compare_schemas(
    old: Any,
    new: Any,
    scope: Scope = "request",
    components: Mapping[str, Any] = NONE,
    other: Mapping[str, Any] | None = None,
) -> tuple[Difference, ...]:
    return compare(holding(old, scope), holding(new, scope), components, other)


def rules(differences: tuple[Difference, ...]) -> set[str]:
    return {difference.rule for difference in differences}


def components(**schemas: Any) -> dict[str, Any]:
    return {"components": {"schemas": schemas}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
