"""Functions: single named operations of upstreams, made by discovery. This file performs no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from coalmine.model.base import Definition, Name

Place = Literal["path", "query", "header", "cookie"]
Style = Literal["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject"]
FunctionState = Literal["active", "removed"]

# OpenAPI 3.1 section 4.8.12.2, "style": the default by place; explode defaults to true for form alone.
DEFAULT_STYLES: dict[Place, Style] = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}


class Parameter(Definition):
    """One parameter of a function; ``schema`` is kept as the document has it, ``$ref``s included."""

    name: str
    place: Place = Field(alias="in")
    required: bool = False
    schema_: dict[str, Any] | bool = Field(default_factory=dict, alias="schema")
    style: Style = "form"
    explode: bool = True
    allow_reserved: bool = False
    description: str | None = None
    deprecated: bool = False
    content_type: str | None = Field(None, description="set where the value is a document of its own (content)")


class RequestBody(Definition):
    required: bool = False
    content_types: tuple[str, ...] = ()
    schema_: dict[str, Any] | bool | None = Field(None, alias="schema", description="of the first content type")
    other_schemas: dict[str, dict[str, Any] | bool] = Field(
        default_factory=dict, description="by content type, where it is another one than that of the first"
    )

    def schema_of(self, content_type: str) -> dict[str, Any] | bool | None:
        """The schema of bodies of ``content_type``, which is one of ``content_types``."""
        return self.other_schemas.get(content_type, self.schema_)


class Response(Definition):
    """What an operation says it answers; ``status`` is a code, ``4XX`` or ``default``."""

    status: str
    content_types: tuple[str, ...] = ()
    schema_: dict[str, Any] | bool | None = Field(None, alias="schema")
    description: str | None = None


class Signature(Definition):
    """What is needed to call a function: method, path template (base path included), parameters, body."""

    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    request_body: RequestBody | None = None


class Function(Signature):
    """A function as the catalog knows it; read-only for people."""

    upstream: Name
    name: str
    operation_id: str | None = None
    responses: tuple[Response, ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    extensions: dict[str, Any] = Field(default_factory=dict, description="x- keys of the operation")
    document_url: str | None = None
    state: FunctionState = "active"
    first_seen: datetime
    last_seen: datetime
