"""Schemas of several documents in one: what they refer to is collected, named without clashes, and translated.

Rule 1: a component keeps its name where nobody else has it, and where all who have it mean the same by it (two versions
of one service usually do). Otherwise each is called ``<upstream>.<name>``. Names depend on what is collected alone,
never on the order of routes.
Rule 2: references that lead nowhere inside their document become ``{}``, which allows everything: no reference ever
leaves the document that is made.
Rule 3: schemas come out in draft 2020-12, whatever dialect their document speaks.
This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from coalmine.model import Document, Function
from coalmine.model.pin import Pin
from coalmine.routing.dialect import Translator
from coalmine.routing.references import find_document, find_target, name_component

Key = tuple[
    str, str, str
]  # upstream, place of the document (its URL, and the route that keeps an old one), JSON pointer
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_PREFIX = "#/components/schemas/"


class Components:
    """Give it every schema once (``adopt``), ``settle`` the names, and adopt all again: the answers are then final."""

    def __init__(self, documents_of: Callable[[str], Sequence[Document]]) -> None:
        self._documents_of = documents_of
        self._documents: dict[tuple[str, str | None], Document | None] = {}
        self._known_documents: dict[str, Sequence[Document]] = {}
        self._targets: dict[Key, tuple[Document, Any]] = {}
        self._names: dict[Key, str] = {}
        self._kept: dict[int, str] = {}  # places of documents that are not the present ones, by identity

    def adopt(self, function: Function, schema: Any, pin: Pin | None = None) -> Any:
        """A schema of ``function``, translated; with ``pin`` it is one of the definition that was kept."""
        document = self._find_document(function) if pin is None else self._keep(pin)
        known = set(self._targets)
        adopted = self._translate(document, schema)
        while new := self._targets.keys() - known:
            known |= new
            for key in new:
                self._translate(*self._targets[key])
        return adopted

    def settle(self) -> None:
        """Name everything that was collected."""
        groups: dict[str, list[Key]] = {}
        for key in sorted(self._targets):
            groups.setdefault(name_component(key[2]), []).append(key)
        shared = self._find_shared(groups)
        taken: set[str] = set(shared)
        for name, keys in groups.items():
            for key in keys:
                chosen = name if name in shared else _distinct(_UNSAFE.sub("_", f"{key[0]}.{name}"), taken)
                self._names[key] = chosen

    def list_schemas(self) -> dict[str, Any]:
        """All components by name, as of ``settle``."""
        named = {self._names[key]: self._translate(*target) for key, target in self._targets.items()}
        return dict(sorted(named.items()))

    def _find_shared(self, groups: dict[str, list[Key]]) -> set[str]:
        """The names that mean one thing: alone, or equal in all that they are made of."""
        contents = {name: [self._translate(*self._targets[key]) for key in keys] for name, keys in groups.items()}
        shared = {name for name, found in contents.items() if all(one == found[0] for one in found)}
        while True:
            # Equal texts that refer to what differs are different things.
            apart = {
                name
                for name in shared
                if len(groups[name]) > 1 and not shared.issuperset(_list_references(contents[name][0]))
            }
            if not apart:
                return shared
            shared -= apart

    def _translate(self, document: Document | None, schema: Any) -> Any:
        siblings = document is not None and not document.version.startswith(("swagger", "openapi 3.0"))
        translator = Translator(lambda one: self._refer(document, one), siblings=siblings, annotations=True)
        return translator.translate(schema)

    def _refer(self, document: Document | None, reference: str) -> str | None:
        found = None if document is None else find_target(document, reference)
        if found is None or document is None:
            return None
        pointer, target = found
        key = (document.upstream, self._kept.get(id(document), document.url), pointer)
        self._targets.setdefault(key, (document, target))
        return _PREFIX + self._names.get(key, name_component(pointer))

    def _keep(self, pin: Pin) -> Document | None:
        if pin.document is not None:
            self._kept[id(pin.document)] = f"{pin.document.url} {pin.route}"
        return pin.document

    def _find_document(self, function: Function) -> Document | None:
        upstream, key = function.upstream, (function.upstream, function.document_url)
        if upstream not in self._known_documents:
            self._known_documents[upstream] = self._documents_of(upstream)
        if key not in self._documents:
            self._documents[key] = find_document(self._known_documents[upstream], function.document_url)
        return self._documents[key]


def _distinct(name: str, taken: set[str]) -> str:
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}.{number}"
    taken.add(chosen)
    return chosen


def _list_references(value: Any) -> Iterator[str]:
    """The names of the components that a translated schema refers to."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref" and isinstance(one, str):
                yield one.removeprefix(_PREFIX)
            else:
                yield from _list_references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _list_references(one)
