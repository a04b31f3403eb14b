"""Is this an API document, and of which version? This file performs no I/O.

The version key decides, not the name of the file and not the content type. It may be text or, in YAML, a
number (``swagger: 2.0``), and stand anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from discovery.found import NotADocumentError
from discovery.text import clean_name

_OPENAPI = re.compile(r"3\.([0-2])(?:[.-].*)?")
_MARKUP = re.compile(rb"\s*(?:<!doctype\s+html|<html|<head|<body|<\?xml|<!--)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a known version. ``minor`` is of OpenAPI 3; None for Swagger 2.0."""

    root: dict[str, Any]
    version: str
    minor: int | None
    paths: dict[str, Any]

    @property
    def is_swagger(self) -> bool:
        return self.minor is None


def looks_like_markup(data: bytes) -> bool:
    """A page, as services answer on every path of a single-page application; told from its first bytes."""
    return _MARKUP.match(data.removeprefix(b"\xef\xbb\xbf")[:1024]) is not None


def check_document(value: Any) -> Document:
    """The document in ``value``; raises ``NotADocumentError``."""
    if not isinstance(value, dict):
        raise NotADocumentError(f"the top is {_kind(value)}, where an API document has an object")
    if "openapi" in value:
        version = _version(value["openapi"])
        match = _OPENAPI.fullmatch(version)
        if match is None:
            raise NotADocumentError(f"openapi is {version[:40]!r}; versions 3.0, 3.1 and 3.2 are read")
        return Document(value, f"openapi {version[:40]}", int(match[1]), _paths(value))
    if "swagger" in value:
        version = _version(value["swagger"])
        if version not in ("2.0", "2", "2.0.0"):
            raise NotADocumentError(f"swagger is {version[:40]!r}; version 2.0 is read")
        return Document(value, "swagger 2.0", None, _paths(value))
    if "swaggerVersion" in value:
        raise NotADocumentError(f"Swagger {clean_name(value['swaggerVersion'])[:20]} is older than what is read: 2.0")
    raise NotADocumentError("there is neither an openapi nor a swagger key that tells the version")


def _version(value: Any) -> str:
    return clean_name(value) or f"({_kind(value)})"


def _paths(root: dict[str, Any]) -> dict[str, Any]:
    """Absent is fine: OpenAPI 3.1 allows documents of webhooks or components alone (section 4.8.1)."""
    paths = root.get("paths")
    if paths is None:
        return {}
    if not isinstance(paths, dict):
        raise NotADocumentError(f"paths is {_kind(paths)}, where an API document has an object")
    return paths


_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")
