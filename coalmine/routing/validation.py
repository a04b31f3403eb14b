"""Checking calls against the documents of their functions, by jsonschema-rs.

Rule 1: this file performs no I/O: validators are made offline, so no reference is ever fetched.
Rule 2: nobody imports it who has no route that validates (docs/decisions/0005-validation-in-routing.md).
Rule 3: what a client sends costs bounded time: regular expressions give up, and what is wrong is looked for in bounds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pydantic_core
from jsonschema_rs import Draft202012Validator, FancyRegexOptions
from pydantic import JsonValue

from coalmine.model import Place
from coalmine.routing.convert import convert
from coalmine.routing.findings import MAX_FINDINGS, Finder, Finding, Validator
from coalmine.routing.pointers import escape
from coalmine.routing.snapshot import CallSchemas, ParameterSchema
from coalmine.routing.sources import BrokenBody
from coalmine.routing.values import Value

# Patterns with look-around and back-references are tried by backtracking, everything else in linear time. What people
# write (several look-aheads in front of a password) needs a few hundred steps.
_BACKTRACKING = FancyRegexOptions(backtrack_limit=2_000)


def compile_schema(schema: dict[str, Any] | bool) -> Validator:
    """The validator of a bundled schema; raises ValueError with the reason."""
    try:
        # A cast for those who type the library: it takes booleans, too.
        whole: dict[str, Any] = schema if isinstance(schema, dict) else {"allOf": [schema]}
        return Draft202012Validator(whole, offline=True, validate_formats=True, pattern_options=_BACKTRACKING)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(reason if len(reason) <= 200 else reason[:197] + "...") from None


def keep_usable(schemas: CallSchemas) -> tuple[CallSchemas, tuple[str, ...]]:
    """The schemas that can be compiled, and for each other one what it is about and why it cannot."""
    reasons: list[str] = []
    kept = []
    for parameter in schemas.parameters:
        reason = _find_fault(parameter.schema)
        if reason is None:
            kept.append(parameter)
        else:
            reasons.append(f"{parameter.place} parameter {parameter.name}: {reason}")
    body = schemas.body
    if body is not None and (reason := _find_fault(body)) is not None:
        reasons.append(f"body: {reason}")
        body = None
    return replace(schemas, parameters=tuple(kept), body=body), tuple(reasons)


def _find_fault(schema: dict[str, Any] | bool) -> str | None:
    try:
        compile_schema(schema)
    except ValueError as error:
        return str(error)
    return None


class _Check:
    """One schema, compiled. ``where`` is the pointer of what it is about."""

    def __init__(self, schema: dict[str, Any] | bool, where: str) -> None:
        self._schema = schema
        self._where = where
        self._validator = compile_schema(schema)
        self._finder = Finder(schema, compile_schema)

    def find(self, value: JsonValue) -> list[Finding]:
        if self._validator.is_valid(value):
            return []
        return [Finding(self._where + found.pointer, found.detail) for found in self._finder.find(value)]

    def refuse(self, detail: str) -> list[Finding]:
        return [Finding(self._where, detail)]

    def find_in_text(self, value: Value) -> list[Finding]:
        """Texts are read as the schema wants them; where it allows both, one reading that fits is enough."""
        if not _is_unicode(value):
            return self.refuse("is not UTF-8")
        found = self.find(convert(value, self._schema, self._schema))
        if found and not self.find(convert(value, self._schema, self._schema, texts=True)):
            return []
        return found


class Checks:
    """What calls of one function are checked against. Raises ValueError for schemas that cannot be compiled."""

    def __init__(self, schemas: CallSchemas) -> None:
        self._parameters: dict[tuple[Place, str], tuple[_Check, ParameterSchema]] = {
            (one.place, one.name): (_Check(one.schema, f"/{one.place}/{escape(one.name)}"), one)
            for one in schemas.parameters
        }
        self._body = None if schemas.body is None else _Check(schemas.body, "/body")
        self.reads_body = self._body is not None
        self.needs_body = schemas.body_required

    def check_parameter(self, place: Place, name: str, values: list[Value]) -> list[Finding]:
        """What is wrong with the values of a parameter, all of which are sent."""
        check, schema = self._parameters.get((place, name), (None, None))
        if check is None or schema is None:
            return []
        return [
            finding
            for value in values
            for finding in (_find_in_document(check, value) if schema.is_json else check.find_in_text(value))
        ]

    def check_body(self, data: bytes) -> list[Finding]:
        """What is wrong with a body of JSON; raises BrokenBody for one that is none."""
        assert self._body is not None
        try:
            return self._body.find(parse_strictly(data))
        except ValueError as error:
            raise BrokenBody(str(error)) from None


def _find_in_document(check: _Check, value: Value) -> list[Finding]:
    if not isinstance(value, str):
        return []  # it came from a body's field, and is written as no document at all
    try:
        return check.find(parse_strictly(value.encode("utf-8", "surrogateescape")))
    except ValueError as error:
        return check.refuse(str(error))


def parse_strictly(data: bytes) -> JsonValue:
    """JSON with one meaning alone: another reader must not see another value than was checked. Raises ValueError."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        # First with bounds: it refuses more than 200 levels, which the validator could not stand.
        pydantic_core.from_json(data, allow_inf_nan=False)
        value: JsonValue = json.loads(data, object_pairs_hook=_refuse_twins, parse_float=_read_float)
    except _Ambiguous:
        raise
    except ValueError as error:
        raise ValueError(f"the JSON cannot be read: {error}") from None
    return value


class _Ambiguous(ValueError):
    """What readers of JSON disagree on (RFC 8259 sections 4 and 6)."""


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twin = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Ambiguous(f"the JSON has the name {twin[:60]!r} twice in one object")
    return made


def _read_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _Ambiguous(f"the JSON has a number that is too large: {text[:60]}")
    return number


def _is_unicode(value: Value) -> bool:
    if isinstance(value, dict):
        return all(_is_unicode(name) and _is_unicode(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_is_unicode, value))
    return not any("\ud800" <= character <= "\udfff" for character in value)


def list_errors(findings: list[Finding]) -> list[JsonValue]:
    """The ``errors`` of the problem."""
    return [{"pointer": one.pointer, "detail": one.detail} for one in findings[:MAX_FINDINGS]]


__all__ = ["Checks", "compile_schema", "keep_usable", "list_errors", "parse_strictly"]
