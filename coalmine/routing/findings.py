"""Where a value does not fit a schema, and why.

Rule 1: this file performs no I/O.
Rule 2: whether a value fits is asked of the library's yes-or-no answer alone, which is quick. Its list of errors copies
    every alternative of every alternative: recursive ones take it minutes (``anyOf`` of two, sixteen levels: 22 s).
    So this walks down itself, along what is unambiguous, and calls alternatives by their keyword.
Rule 3: the walk ends after so many steps and findings, whatever the value and the schema are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from coalmine.routing.alternatives import Unclear, find_meant
from coalmine.routing.convert import find_definition
from coalmine.routing.pointers import escape

# More faults than these at once help nobody mend a request.
MAX_FINDINGS = 20
# Objects and items that are looked at. Each costs some microseconds, on requests that are refused anyway.
MAX_STEPS = 2_000
_MAX_DETAIL = 200
# Keywords that are descended into by ``_walk`` itself.
_DESCENDED = frozenset(
    {"$defs", "$ref", "allOf", "properties", "items", "prefixItems", "additionalProperties", "discriminator"}
)
# Keywords that are judged as a whole, each with those that it only makes sense with.
_WHOLE: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"anyOf"}), "fits none of the alternatives (anyOf)"),
    (frozenset({"oneOf"}), "does not fit exactly one of the alternatives (oneOf)"),
    (frozenset({"not"}), "is what it must not be (not)"),
    (frozenset({"if", "then", "else"}), "does not fit what its other parts ask for (if, then, else)"),
    (frozenset({"contains", "minContains", "maxContains"}), "does not contain what it should (contains)"),
    (frozenset({"patternProperties"}), "has a property that does not fit (patternProperties)"),
    (frozenset({"propertyNames"}), "has a property whose name does not fit (propertyNames)"),
    (frozenset({"dependentSchemas"}), "does not fit what its properties ask for (dependentSchemas)"),
)
_JUDGED = frozenset().union(*(keywords for keywords, _ in _WHOLE))
_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})


class Validator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...

    def iter_errors(self, instance: Any) -> Iterator[Any]: ...


Compile = Callable[[dict[str, Any]], Validator]


@dataclass(frozen=True, slots=True)
class Finding:
    """``pointer``: RFC 6901, into the value."""

    pointer: str
    detail: str


class Finder:
    """Finds what is wrong with values that do not fit ``schema``, a bundled one."""

    def __init__(self, schema: dict[str, Any] | bool, compile: Compile) -> None:
        self._schema = schema
        self._definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
        self._compile = compile
        self._validators: dict[tuple[int, str], Validator] = {}  # by identity of the part, and what of it

    def find(self, value: JsonValue) -> list[Finding]:
        """At least one, at most MAX_FINDINGS."""
        found: list[Finding] = []
        steps = iter(range(MAX_STEPS))
        self._walk(self._schema, value, "", found, steps)
        return found[:MAX_FINDINGS] or [Finding("", "does not fit the schema")]

    def _walk(self, schema: Any, value: Any, pointer: str, found: list[Finding], steps: Iterator[int]) -> None:
        if next(steps, None) is None or len(found) >= MAX_FINDINGS:
            return
        if not isinstance(schema, dict):
            if schema is False:
                found.append(Finding(pointer, "is not allowed here"))
            return
        before = len(found)
        found += [Finding(pointer, detail) for detail in self._judge_plain(schema, value)]
        for part, inner, where in self._list_below(schema, value, pointer):
            self._walk(part, inner, where, found, steps)
        for keywords, detail in _WHOLE:
            if not keywords.isdisjoint(schema) and not self._fits(schema, keywords, value):
                self._judge_whole(schema, keywords, detail, value, pointer, found, steps)
        if len(found) == before and not _UNEVALUATED.isdisjoint(schema) and not self._fits(schema, None, value):
            found.append(Finding(pointer, "has something that nothing in the schema speaks of (unevaluated)"))

    def _list_below(self, schema: dict[str, Any], value: Any, pointer: str) -> Iterator[tuple[Any, Any, str]]:
        """Schema, value and pointer of everything that is unambiguously next."""
        if "$ref" in schema:
            yield find_definition(schema["$ref"], {"$defs": self._definitions}), value, pointer
        for part in schema.get("allOf", ()):
            yield part, value, pointer
        if isinstance(value, dict):
            yield from _list_properties(schema, value, pointer)
        elif isinstance(value, list):
            firsts = schema.get("prefixItems", [])
            for index, item in enumerate(value):
                yield firsts[index] if index < len(firsts) else schema.get("items", True), item, f"{pointer}/{index}"

    def _judge_plain(self, schema: dict[str, Any], value: Any) -> Iterator[str]:
        """What the keywords say that have no schemas inside: at most one error for each."""
        plain = {key: one for key, one in schema.items() if key not in _DESCENDED | _JUDGED | _UNEVALUATED}
        if not plain:
            return
        for error in self._validator(schema, "plain", plain).iter_errors(value):
            message = error.message
            yield message if len(message) <= _MAX_DETAIL else f"does not fit {error.kind.name}"

    def _judge_whole(
        self,
        schema: dict[str, Any],
        keywords: frozenset[str],
        detail: str,
        value: Any,
        pointer: str,
        found: list[Finding],
        steps: Iterator[int],
    ) -> None:
        alternatives = [part for key in keywords & {"anyOf", "oneOf"} for part in schema[key] if part != _NULL]
        before = len(found)
        if len(alternatives) == 1:  # the others say "or null", and null it is not
            self._walk(alternatives[0], value, pointer, found, steps)
        elif alternatives and isinstance(value, dict):
            meant = find_meant(schema, alternatives, value, self._definitions)
            if isinstance(meant, Unclear):
                found.append(Finding(pointer + meant.pointer, meant.detail))
            elif meant is not None:
                self._walk(meant, value, pointer, found, steps)
        if len(found) == before:
            found.append(Finding(pointer, detail))

    def _fits(self, schema: dict[str, Any], keywords: frozenset[str] | None, value: Any) -> bool:
        kept = {key: one for key, one in schema.items() if keywords is None or key in keywords}
        return self._validator(schema, ",".join(sorted(keywords or ())), kept).is_valid(value)

    def _validator(self, schema: dict[str, Any], what: str, kept: dict[str, Any]) -> Validator:
        key = (id(schema), what)  # the parts live as long as the whole
        if key not in self._validators:
            self._validators[key] = self._compile({**kept, "$defs": self._definitions})
        return self._validators[key]


_NULL = {"type": "null"}


def _list_properties(schema: dict[str, Any], value: dict[str, Any], pointer: str) -> Iterator[tuple[Any, Any, str]]:
    known = schema.get("properties", {})
    # Which names patternProperties takes is not worked out here: with it, others are judged as a whole or not at all.
    others = True if "patternProperties" in schema else schema.get("additionalProperties", True)
    for name, inner in value.items():
        yield known.get(name, others), inner, f"{pointer}/{escape(name)}"
