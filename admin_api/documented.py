"""What /openapi.json says beyond what FastAPI sees: bodies (which ``bodies`` reads itself) and problems.

This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from admin_api.problems import PROBLEM_JSON
from coalmine.errors import CODES, Fault

_REF = "#/components/schemas/{model}"
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")


class ProblemBody(BaseModel):
    """RFC 9457, with a stable ``code`` and every fault of what was sent."""

    type: str = Field(description="/problems/{code}, which the admin API serves")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    code: str
    hint: str | None = None
    errors: list[Fault] = Field(default_factory=list)


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an operation that may answer with these codes."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code].status, []).append(code)
    schema = {"$ref": _REF.format(model=ProblemBody.__name__)}
    return {
        status: {
            "description": "; ".join(f"`{name}`: {CODES[name].title}" for name in names),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        for status, names in by_status.items()
    }


WRITING = problems(
    "malformed_body",
    "invalid_query",
    "precondition_failed",
    "body_too_large",
    "unsupported_media_type",
    "invalid_definition",
    "catalog_unavailable",
)
READING = problems("invalid_query", "catalog_unavailable")
NAMED = problems("not_found")


def takes(
    model: type[BaseModel] | None, *, required: bool = True, types: tuple[str, ...] = ("application/json",)
) -> dict[str, Any]:
    """``openapi_extra`` of an operation whose body is ``model``, in JSON or YAML; None: any object."""
    schema = {"$ref": _REF.format(model=model.__name__)} if model else {"type": "object"}
    content = {kind: {"schema": schema} for kind in (*types, "application/yaml")}
    return {"requestBody": {"required": required, "content": content}}


def make_document(app: FastAPI, version: str, bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The API's OpenAPI document, with the schemas of ``bodies`` and problems in it."""
    document = get_openapi(
        title="Coalmine admin API",
        version=version,
        description="Upstreams and their functions, virtual services and routes, and what is served of them.",
        routes=app.routes,
    )
    models = [(model, "validation") for model in (*bodies, ProblemBody)]
    _, extra = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in extra.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    for item in document["paths"].values():
        for operation in item.values():
            _mend(operation["responses"])
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)
    return document


def _mend(responses: dict[str, Any]) -> None:
    """Take out what FastAPI assumes, and say what any operation may answer."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # ours is 400, by ``problems``
    for response in responses.values():
        for media in response.get("content", {}).values():
            if "itemSchema" in media:  # a word of OpenAPI 3.2 in a document of 3.1
                media["schema"] = media.pop("itemSchema")
    content = {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model=ProblemBody.__name__)}}}
    responses["default"] = {"description": "any other problem: 401, 403, 500", "content": content}
