"""Request bodies and responses of one operation, in both generations of the specification.

This file performs no I/O.
"""

from __future__ import annotations

import re
from typing import Any

from coalmine.model import RequestBody, Response
from discovery.parameters import Parameters
from discovery.reader import Reader
from discovery.references import Resolved, escape
from discovery.schemas import Schema, as_schema, inline_schema
from discovery.text import clean_name

_STATUS = re.compile(r"[1-5](?:[0-9]{2}|XX)|default", re.IGNORECASE)
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_JSON = "application/json"


def find_body(reader: Reader, operation: dict[str, Any], parameters: Parameters, pointer: str) -> RequestBody | None:
    """The body an operation takes, or None."""
    if "requestBody" in operation and not reader.document.is_swagger:
        return _request_body(reader, operation["requestBody"], f"{pointer}/requestBody")
    consumes = media_types(operation.get("consumes", reader.document.root.get("consumes")))
    if parameters.body is not None:
        return _swagger_body(reader, parameters.body, consumes)
    if parameters.form:
        return _form_body(reader, parameters.form, consumes)
    return None


def media_types(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list | dict) else ()
    return tuple(dict.fromkeys(name for name in map(clean_name, names) if name))


def _request_body(reader: Reader, raw: Any, pointer: str) -> RequestBody | None:
    if raw is None:
        return None
    resolved = reader.resolve(raw, pointer, "the request body")
    if resolved is None:
        return RequestBody()  # there is one, and that is all that is known
    content, pointer = resolved.value.get("content"), f"{resolved.pointer}/content"
    first = first_schema(reader, content, pointer)
    return RequestBody(
        required=resolved.value.get("required") is True,
        content_types=media_types(content),
        schema_=first,
        other_schemas=_other_schemas(reader, content, pointer, first),
    )


def _other_schemas(reader: Reader, content: Any, pointer: str, first: Schema | None) -> dict[str, Schema]:
    """Those of the content types that have another one than the first; where nothing is said, anything goes."""
    if not isinstance(content, dict):
        return {}
    found: dict[str, Schema] = {}
    for name, raw in list(content.items())[1:]:
        media = reader.resolve(raw, f"{pointer}/{escape(name)}", "the media type")
        schema = as_schema(reader, media.value.get("schema")) if media else None
        if schema != first and clean_name(name):
            found[clean_name(name)] = {} if schema is None else schema
    return found


def first_schema(reader: Reader, content: Any, pointer: str) -> Schema | None:
    """The schema of the first content type, references kept (OpenAPI 3.2 lets media types be references too)."""
    if not isinstance(content, dict) or not content:
        return None
    media = reader.resolve(next(iter(content.values())), pointer, "the media type")
    return as_schema(reader, media.value.get("schema")) if media else None


def _swagger_body(reader: Reader, body: Resolved, consumes: tuple[str, ...]) -> RequestBody:
    raw = body.value
    return RequestBody(
        required=raw.get("required") is True,
        content_types=consumes or (_JSON,),
        schema_=as_schema(reader, raw.get("schema")),
    )


def _form_body(reader: Reader, form: list[Resolved], consumes: tuple[str, ...]) -> RequestBody:
    """Form fields become an object schema, as the converter of OpenAPI 3 has them."""
    properties = {str(field.value["name"]): inline_schema(reader, field.value) for field in form}
    required = [str(field.value["name"]) for field in form if field.value.get("required") is True]
    has_file = any(schema.get("type") == "file" for schema in properties.values())
    types = tuple(name for name in consumes if name.split(";")[0].strip().lower() in (_URLENCODED, _MULTIPART))
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return RequestBody(
        required=bool(required), content_types=types or ((_MULTIPART,) if has_file else (_URLENCODED,)), schema_=schema
    )


def list_responses(reader: Reader, operation: dict[str, Any], pointer: str) -> tuple[Response, ...]:
    """What the operation says it answers; entries that are no responses are left out."""
    responses = operation.get("responses")
    if not isinstance(responses, dict):
        return ()
    reader.count_parts(len(responses))
    return tuple(
        _response(reader, operation, str(status), raw, f"{pointer}/responses/{status}")
        for status, raw in responses.items()
        if _STATUS.fullmatch(str(status))
    )


def _response(reader: Reader, operation: dict[str, Any], status: str, raw: Any, pointer: str) -> Response:
    resolved = reader.resolve(raw, pointer, "the response")
    value = resolved.value if resolved else {}
    schema: Schema | None
    if reader.document.is_swagger:
        schema = as_schema(reader, value.get("schema"))
        produces = media_types(operation.get("produces", reader.document.root.get("produces")))
        types = produces if schema is not None else ()
    else:
        types = media_types(value.get("content"))
        schema = first_schema(reader, value.get("content"), f"{pointer}/content")
    status = status if status == "default" else status.upper()
    return Response(
        status=status, content_types=types, schema_=schema, description=reader.prose(value.get("description"))
    )
