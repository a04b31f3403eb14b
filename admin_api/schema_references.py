"""Schemas of several documents in one: references are renamed, what they lead to is collected.

References that lead nowhere inside the document become ``{}``, which allows everything. This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from coalmine.model import Document

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")  # OpenAPI 3.1 section 4.8.7.1: the characters of component names


class Components:
    """``schemas`` grows with every schema that is adopted; ``documents_of`` gives those of an upstream."""

    def __init__(self, documents_of: Callable[[str], Sequence[Document]]) -> None:
        self.schemas: dict[str, Any] = {}
        self._documents_of = documents_of
        self._roots: dict[str, list[dict[str, Any]]] = {}

    def adopt(self, upstream: str, schema: Any) -> Any:
        """``schema`` of ``upstream`` with its references renamed, and what they lead to added to ``schemas``."""
        pending: list[tuple[str, str]] = []
        adopted = self._rename(upstream, schema, pending)
        while pending:
            reference, name = pending.pop()
            found = self._find(upstream, reference)
            self.schemas[name] = self._rename(upstream, {} if found is None else found, pending)
        return adopted

    def _rename(self, upstream: str, value: Any, pending: list[tuple[str, str]]) -> Any:
        """Depth is bounded by the reader of the document."""
        if isinstance(value, list):
            return [self._rename(upstream, item, pending) for item in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return {key: self._rename(upstream, item, pending) for key, item in value.items()}
        if not reference.startswith("#/"):
            return {}
        name = _UNSAFE.sub("_", f"{upstream}.{reference.rpartition('/')[2]}")
        if name not in self.schemas:
            self.schemas[name] = {}
            pending.append((reference, name))
        return {"$ref": f"#/components/schemas/{name}"}

    def _find(self, upstream: str, reference: str) -> Any:
        """Where ``reference`` leads in the components of a document (with or without their own first step)."""
        if upstream not in self._roots:
            self._roots[upstream] = [document.components for document in self._documents_of(upstream)]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/")]
        for root in self._roots[upstream]:
            for path in (steps, steps[1:]):
                found = _walk(root, path)
                if found is not None:
                    return found
        return None


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value
