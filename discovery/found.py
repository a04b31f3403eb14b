"""What reading one document gives: operations found, problems, and the parts that schemas refer to.

These values cross from the parsing process as JSON. This file performs no I/O.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from coalmine.errors import Problem
from coalmine.model import Response, Signature
from coalmine.model.base import Definition


class Found(Signature):
    """One operation of a document, before it gets the name it has as a function."""

    operation_id: str | None = None
    responses: tuple[Response, ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    extensions: dict[str, Any] = Field(default_factory=dict)
    document_url: str | None = None


class Reading(Definition):
    """One document, read. The ``where`` of its problems is a JSON pointer into it, as a URI fragment."""

    version: str = Field(description="such as 'swagger 2.0' or 'openapi 3.1.0'")
    title: str | None = None
    found: tuple[Found, ...] = ()
    problems: tuple[Problem, ...] = ()
    components: dict[str, Any] = Field(default_factory=dict)


class NotADocumentError(Exception):
    """The bytes are no API document of a known version; the text says why, for people."""


class TooManyError(Exception):
    """The document is beyond the bounds of what is read, which are refused whole and never cut silently."""
