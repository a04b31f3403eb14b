"""Compares what an upstream published at two times, which may be several documents at once. This file performs no I/O.

Rule 1: documents are the same by URL; where there is one before and one after, these two are.
Rule 2: a function that went from one document to another is compared, and not told as removed and added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coalmine.differences.documents import DocumentDifference, FunctionChange, compare_documents
from coalmine.differences.functions import compare_functions
from coalmine.model.function import Function

Components = Mapping[str, Mapping[str, Any]]  # by the URL of the document


def compare_sets(
    old: Sequence[Function], new: Sequence[Function], *, old_components: Components, new_components: Components
) -> DocumentDifference:
    """``old`` and ``new``: all functions of an upstream at two times. Never raises."""
    if len(old_components) == len(new_components) == 1:
        (before,), (after,) = old_components.values(), new_components.values()
        return compare_documents(old, new, old_components=before, new_components=after)
    urls = dict.fromkeys([*old_components, *new_components, *(one.document_url for one in (*old, *new))])
    parts = [
        compare_documents(
            [one for one in old if one.document_url == url],
            [one for one in new if one.document_url == url],
            old_components=_of(old_components, url),
            new_components=_of(new_components, url),
        )
        for url in urls
    ]
    removed = {one.name: one for part in parts for one in part.removed}
    added = {one.name: one for part in parts for one in part.added}
    moved = [(removed.pop(name), added.pop(name)) for name in list(removed) if name in added]
    changed = [change for part in parts for change in part.changed]
    for one, other in moved:
        differences = compare_functions(
            one,
            other,
            old_components=_of(old_components, one.document_url),
            new_components=_of(new_components, other.document_url),
        )
        if differences:
            changed.append(FunctionChange(one, other, differences))
    changed.sort(key=lambda change: change.old.name)
    return DocumentDifference(_sorted(added.values()), _sorted(removed.values()), tuple(changed))


def _of(components: Components, url: str | None) -> Mapping[str, Any]:
    return components.get(url or "", {})


def _sorted(functions: Iterable[Function]) -> tuple[Function, ...]:
    return tuple(sorted(functions, key=lambda function: function.name))
