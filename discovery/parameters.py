"""The parameters of one operation: the path item's, overridden by its own (OpenAPI 3.1 section 4.8.10.1).

What cannot be used costs itself only and is reported. Bodies of Swagger 2.0 stand among the parameters and are
handed on as they are. This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from coalmine.model import DEFAULT_STYLES, Parameter, Place, Style
from discovery.reader import Reader
from discovery.references import Resolved
from discovery.schemas import Schema, inline_schema, shaped_schema
from discovery.text import has_control

_PLACES = frozenset(DEFAULT_STYLES)
# Styles that make sense in a place (OpenAPI 3.1, "Style Values").
_STYLES: dict[str, frozenset[str]] = {
    "path": frozenset({"matrix", "label", "simple"}),
    "query": frozenset({"form", "spaceDelimited", "pipeDelimited", "deepObject"}),
    "header": frozenset({"simple"}),
    "cookie": frozenset({"form"}),
}
# collectionFormat of Swagger 2.0 -> (style, explode). Tabs have no style of their own: commas come nearest.
_COLLECTIONS: dict[str, tuple[Style, bool]] = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("form", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
# OpenAPI 3.1 section 4.8.12.2.1: header parameters of these names shall be ignored.
_NOT_HEADERS = frozenset({"accept", "content-type", "authorization"})
_TEMPLATE_NAME = re.compile(r"\{([^{}/]+)\}")

Key = tuple[str, str]


@dataclass(slots=True)
class Parameters:
    listed: list[Parameter] = field(default_factory=list)
    body: Resolved | None = None
    form: list[Resolved] = field(default_factory=list)


def list_parameters(reader: Reader, sources: list[tuple[Any, str]], path: str, where: str) -> Parameters:
    """``sources`` are the lists of the path item and of the operation with their pointers, in this order."""
    merged: dict[Key, Resolved] = {}
    for raw, pointer in sources:
        for resolved in _entries(reader, raw, pointer):
            merged[_key(resolved.value)] = resolved
    reader.count_parts(len(merged))
    parameters = Parameters()
    for (place, _), resolved in merged.items():
        _take(reader, parameters, place, resolved)
    parameters.listed = _fit_to_path(reader, parameters.listed, path, where)
    return parameters


def _entries(reader: Reader, raw: Any, pointer: str) -> Iterator[Resolved]:
    if raw is None:
        return
    if not isinstance(raw, list):
        reader.report("document_invalid", pointer, "parameters is not a list")
        return
    for index, entry in enumerate(raw):
        resolved = reader.resolve(entry, f"{pointer}/{index}", "the parameter")
        if resolved is None:
            continue
        if not isinstance(resolved.value.get("in"), str) or not _name(resolved.value):
            reader.report("document_invalid", f"{pointer}/{index}", "the parameter has no name or no place (in)")
            continue
        yield resolved


def _name(raw: dict[str, Any]) -> str:
    """The name byte for byte, as it is sent; a body of Swagger 2.0 needs none."""
    name = raw.get("name")
    if raw.get("in") == "body":
        return "body"
    return str(name) if isinstance(name, str | int | float) and not isinstance(name, bool) else ""


def _key(raw: dict[str, Any]) -> Key:
    place, name = raw["in"], _name(raw)
    return (place, name.lower() if place == "header" else name)


def _take(reader: Reader, parameters: Parameters, place: str, resolved: Resolved) -> None:
    if place == "body":
        parameters.body = resolved
    elif place == "formData":
        parameters.form.append(resolved)
    elif place == "querystring" and (reader.document.minor or 0) >= 2:
        pass  # OpenAPI 3.2: the whole query as one value; the client's is passed on as it comes
    elif place not in _PLACES:
        reader.report("document_invalid", resolved.pointer, f"there is no place {place[:40]!r} for a parameter")
    elif has_control(_name(resolved.value)):
        reader.report("document_invalid", resolved.pointer, "the name of the parameter has control characters")
    elif not (place == "header" and not reader.document.is_swagger and _name(resolved.value).lower() in _NOT_HEADERS):
        parameters.listed.append(_parse(reader, resolved, place))


def _parse(reader: Reader, resolved: Resolved, place: Place) -> Parameter:
    raw = resolved.value
    schema, content_type = _schema(reader, resolved)
    style, explode = _style(reader, resolved, place)
    return Parameter(
        name=_name(raw),
        place=place,
        required=place == "path" or raw.get("required") is True,
        schema_=schema,
        style=style,
        explode=explode,
        allow_reserved=raw.get("allowReserved") is True,
        description=reader.prose(raw.get("description")),
        deprecated=raw.get("deprecated") is True,
        content_type=content_type,
    )


def _schema(reader: Reader, resolved: Resolved) -> tuple[Schema, str | None]:
    """The schema, and the media type of a parameter that is a document of its own (``content``)."""
    raw = resolved.value
    if "schema" in raw:
        return shaped_schema(reader, raw["schema"], f"{resolved.pointer}/schema"), None
    content = raw.get("content")
    if isinstance(content, dict) and content:
        media_type, value = next(iter(content.items()))
        return shaped_schema(
            reader, value.get("schema") if isinstance(value, dict) else None, resolved.pointer
        ), media_type
    return inline_schema(reader, raw), None


def _style(reader: Reader, resolved: Resolved, place: Place) -> tuple[Style, bool]:
    raw, default = resolved.value, DEFAULT_STYLES[place]
    if reader.document.is_swagger:
        if place == "query":
            return _COLLECTIONS.get(str(raw.get("collectionFormat")), _COLLECTIONS["csv"])
        return default, False
    style = raw.get("style", default)
    if style == place == "cookie":  # OpenAPI 3.2: form, but for what is encoded
        style = default
    if not isinstance(style, str) or style not in _STYLES[place]:
        reader.report("document_invalid", resolved.pointer, f"{str(style)[:40]!r} is no style of {place} parameters")
        style = default
    explode = raw.get("explode")
    return cast(Style, style), explode if isinstance(explode, bool) else style == "form"


def _fit_to_path(reader: Reader, listed: list[Parameter], path: str, where: str) -> list[Parameter]:
    """Exactly the path parameters that the template has: one more could never be sent, one less never be filled."""
    names = list(dict.fromkeys(_TEMPLATE_NAME.findall(path)))
    declared = {parameter.name for parameter in listed if parameter.place == "path"}
    kept = []
    for parameter in listed:
        if parameter.place != "path" or parameter.name in names:
            kept.append(parameter)
        else:
            reader.report(
                "document_invalid", where, f"the path has no {{{parameter.name[:80]}}}, the parameter is left out"
            )
    for name in names:
        if name not in declared:
            reader.report(
                "document_invalid", where, f"{{{name[:80]}}} of the path is not declared; it is taken as text"
            )
            kept.append(
                Parameter(
                    name=name, place="path", required=True, schema_={"type": "string"}, style="simple", explode=False
                )
            )
    return kept
