"""Advice: where a document does not follow its specification. It never decides whether a function is taken.

Rule 1: nothing is ever fetched. References to other documents are taken out before anything looks at them; whoever
    resolves a reference all the same gets a refusal. (The process around, ``discovery.validator``, can open nothing.)
Rule 2: what cannot be checked costs that part only, and is told.
Rule 3: findings have a JSON pointer that leads somewhere in the document.

The structure is checked by the specification's own JSON schema, the meaning (names of parameters, defaults, ids) by
openapi-spec-validator. This file performs no I/O.
"""

from __future__ import annotations

import importlib.resources
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs
from jsonschema_path.paths import SchemaPath
from openapi_spec_validator.validation import validators

from discovery.document import Document
from discovery.references import BrokenReferenceError, References, escape
from discovery.text import clean_name

# A document that breaks one rule often breaks it everywhere: the first ones tell.
MAX_VIOLATIONS = 50
_MAX_DETAIL = 300

Violation = tuple[str, str]  # JSON pointer into the document, what is wrong


def find_violations(document: Document) -> list[Violation]:
    """The first violations, each once."""
    found = dict.fromkeys(itertools.islice(_violations(document), 20 * MAX_VIOLATIONS))
    first = list(found)[:MAX_VIOLATIONS]
    return first if len(found) <= MAX_VIOLATIONS else [*first, ("", "there is more, which is not listed")]


def _violations(document: Document) -> Iterator[Violation]:
    version = "2.0" if document.minor is None else f"3.{document.minor}"
    for error in _structure(version).iter_errors(document.root):
        yield _point(error.instance_path), f"not as the specification has it: {error.message[:_MAX_DETAIL]}"
    root = neutralise(document.root)
    path = SchemaPath.from_dict(root, handlers=_Refusing(), resolved_cache_maxsize=128)
    validator = _MEANING[version](path)
    for error in validator.root_validator(path):
        yield _literal(root, getattr(error, "place", ())), clean_name(error.message)[:_MAX_DETAIL]


@lru_cache
def _structure(version: str) -> jsonschema_rs.Validator:
    path = importlib.resources.files("openapi_spec_validator") / "resources" / "schemas" / f"v{version}" / "schema.json"
    # The mask stands in messages for the value, which may be large, and secret.
    return jsonschema_rs.validator_for(json.loads(path.read_text()), mask="the value")


# Nothing is fetched ----------------------------------------------------------------------------------


class _Refusing(dict[str, Any]):
    """Handlers of all schemes. A plain dict is not enough: a scheme that is not in it is fetched."""

    def __contains__(self, scheme: object) -> bool:
        return True

    def __missing__(self, scheme: str) -> Any:
        return _refuse


def _refuse(uri: str) -> Any:
    raise BrokenReferenceError(f"{uri[:200]!r} is in another document, which is not fetched")


_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# These give references another base, or schemas another meaning, which somebody might go and fetch.
_BASES = ("$id", "id", "$schema", "jsonSchemaDialect")


def neutralise(value: Any) -> Any:
    """A copy in which everything that could lead out of the document is taken out."""
    if isinstance(value, list):
        return [neutralise(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: neutralise(item) for key, item in value.items() if not _leads_out(key, item)}


def _leads_out(key: str, value: Any) -> bool:
    """Properties may have these names too, but then they are no texts."""
    if not isinstance(value, str):
        return False
    return key in _BASES or (key in _REFERENCES and not value.startswith("#"))


# Where something is ----------------------------------------------------------------------------------


class _Finding(Exception):
    """What openapi-spec-validator would have told, had it not failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _placed(keyword: type[Any]) -> type[Any]:
    """A validator of one keyword whose findings know where they are, and which survives what it cannot read."""

    def check(self: Any, *given: Any, **more: Any) -> Iterator[Any]:
        place = next((one.parts for one in given if isinstance(one, SchemaPath)), ())
        try:
            for error in keyword.__call__(self, *given, **more):
                if not hasattr(error, "place"):
                    error.place = place
                yield error
        except Exception as error:  # documents are not what anybody expects
            finding: Any = _Finding(f"this cannot be checked: {_why(error)}")
            finding.place = place
            yield finding

    return type(keyword.__name__, (keyword,), {"__call__": check})


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error).partition(" does not exist within")[0][:200] or type(error).__name__


def _place_all(validator: type[Any]) -> type[Any]:
    keywords = {name: _placed(keyword) for name, keyword in validator.keyword_validators.items()}
    return type(validator.__name__, (validator,), {"keyword_validators": keywords})


_MEANING: Mapping[str, type[Any]] = {
    "2.0": _place_all(validators.OpenAPIV2SpecValidator),
    "3.0": _place_all(validators.OpenAPIV30SpecValidator),
    "3.1": _place_all(validators.OpenAPIV31SpecValidator),
    "3.2": _place_all(validators.OpenAPIV32SpecValidator),
}


def _literal(root: dict[str, Any], parts: Sequence[Any]) -> str:
    """The pointer to what ``parts`` lead to: they go through references as if these were not there."""
    references = References(root)
    pointer = ""
    value: Any = root
    for part in parts:
        try:
            while isinstance(value, dict) and part not in value and "$ref" in value:
                resolved = references.resolve(value, pointer)
                pointer, value = resolved.pointer, resolved.value
            value = value[part]
        except (BrokenReferenceError, LookupError, TypeError):
            return pointer
        pointer += f"/{escape(str(part))}"
    return pointer


def _point(path: Sequence[Any]) -> str:
    return "".join(f"/{escape(str(token))}" for token in path)
