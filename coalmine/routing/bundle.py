"""What calls of a function are checked against: schemas that are complete in themselves.

Rule 1: this file performs no I/O.
Rule 2: each schema is draft 2020-12 and brings what it refers to under ``$defs``, and nothing else of its document.
    Cycles stay references.
Rule 3: a schema that says nothing, or that is not about what will be read, is left out.
"""

from __future__ import annotations

from typing import Any

from coalmine.model import Document, Function, Parameter, RequestBody
from coalmine.routing.convert import find_types
from coalmine.routing.dialect import Schema, Translator
from coalmine.routing.plan import find_shape
from coalmine.routing.references import find_target, name_component
from coalmine.routing.snapshot import CallSchemas, ParameterSchema
from coalmine.routing.values import is_json


def make_call_schemas(function: Function, document: Document | None) -> CallSchemas:
    """The schemas of ``function``; without ``document`` references lead nowhere."""
    found = (_make_parameter_schema(parameter, document) for parameter in function.parameters)
    body = function.request_body
    return CallSchemas(
        parameters=tuple(one for one in found if one is not None),
        body=None if body is None else _make_body_schema(body, document),
        body_required=body is not None and body.required,
    )


def _make_parameter_schema(parameter: Parameter, document: Document | None) -> ParameterSchema | None:
    if parameter.content_type is not None and not is_json(parameter.content_type):
        return None
    schema = bundle_schema(parameter.schema_, document)
    if schema is True or schema == {}:
        return None
    if parameter.content_type is None and _is_hidden(parameter, find_types(schema)):
        return None
    return ParameterSchema(parameter.place, parameter.name, schema, parameter.content_type is not None)


def _is_hidden(parameter: Parameter, types: frozenset[str]) -> bool:
    """Lists and objects whose shape is hidden behind references are passed on as texts that nobody splits."""
    looks_single = find_shape(parameter.schema_) == "primitive"
    return looks_single and bool(types) and types <= {"array", "object", "null"}


def _make_body_schema(body: RequestBody, document: Document | None) -> Schema | None:
    """What bodies of JSON are checked against: where several types of JSON have schemas, one of these must take it."""
    types = [name for name in body.content_types if is_json(name)]
    types = types or [name for name in body.content_types if "*" in name]
    if body.content_types and not types:
        return None
    schemas: list[Any] = [body.schema_]
    for schema in map(body.schema_of, types):
        if schema not in schemas[1:]:
            schemas.append(schema)
    schemas = schemas[1:] or schemas
    if None in schemas:
        return None
    schema = bundle_schema(schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, document)
    return None if schema is True or schema == {} else schema


def bundle_schema(schema: Any, document: Document | None) -> Schema:
    """``schema`` of ``document`` in draft 2020-12, with all that it refers to."""
    return _Bundle(document).make(schema)


class _Bundle:
    def __init__(self, document: Document | None) -> None:
        self._document = document
        self._names: dict[str, str] = {}  # by pointer
        self._taken: set[str] = set()
        self._pending: list[tuple[str, Any]] = []
        siblings = document is not None and not document.version.startswith(("swagger", "openapi 3.0"))
        self._translator = Translator(self._refer, siblings=siblings, annotations=False)

    def make(self, schema: Any) -> Schema:
        made = self._translator.translate(schema)
        definitions: dict[str, Schema] = {}
        while self._pending:
            name, target = self._pending.pop()
            definitions[name] = self._translator.translate(target)
        if isinstance(made, bool) or not definitions:
            return made
        return {**made, "$defs": dict(sorted(definitions.items()))}

    def _refer(self, reference: str) -> str | None:
        found = None if self._document is None else find_target(self._document, reference)
        if found is None:
            return None
        pointer, target = found
        if pointer not in self._names:
            self._names[pointer] = self._choose_name(pointer)
            self._pending.append((self._names[pointer], target))
        return f"#/$defs/{self._names[pointer]}"

    def _choose_name(self, pointer: str) -> str:
        name = wanted = name_component(pointer)
        number = 1
        while name in self._taken:
            number += 1
            name = f"{wanted}.{number}"
        self._taken.add(name)
        return name
