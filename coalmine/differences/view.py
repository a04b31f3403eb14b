"""A schema with its references followed and its ``allOf`` taken together, one level deep. This file performs no I/O.

Rule 1: a view copies nothing. Its parts are the very objects of the document, so a pair of views is recognized when
    it comes again: that is what ends cycles.
Rule 2: mistakes of a document cost the keyword that has them; what is no schema takes everything.
Rule 3: three ways of writing "or null" are one: ``nullable``, the type ``null``, an alternative ``null``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coalmine.differences.budget import Budget
from coalmine.differences.values import Components

Part = Mapping[str, Any]
ViewKey = frozenset[int | str]
_NULLABLE = ("nullable", "x-nullable")


@dataclass(slots=True)
class View:
    """``parts`` must all hold; ``never``: nothing is taken; ``unknown``: references that lead nowhere."""

    parts: list[Part] = field(default_factory=list)
    unions: list[tuple[str, list[Any]]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    nullable: bool = False
    never: bool = False

    @property
    def key(self) -> ViewKey:
        """The same for the same places of a document, as long as that lives."""
        return frozenset([*map(id, self.parts), *self.unknown, *([0] if self.never else [])])

    def all_of(self, keyword: str) -> Iterator[Any]:
        return (part[keyword] for part in self.parts if keyword in part)


class Reader:
    """Looks at schemas of one document."""

    def __init__(self, components: Components, budget: Budget) -> None:
        self._components = components
        self._budget = budget

    def look(self, schema: Any) -> View:
        """Raises ``OverrunError``."""
        view, seen, pending = View(), set[int](), [schema]
        while pending:
            one = pending.pop()
            self._budget.spend()
            if one is False:
                view.never = True
            if isinstance(one, Mapping) and id(one) not in seen:
                seen.add(id(one))
                pending.extend(reversed(list(self._take(one, view))))
        return view

    def _take(self, part: Part, view: View) -> Iterator[Any]:
        """What must hold besides."""
        self._budget.spend(sum(len(value) for value in part.values() if isinstance(value, list | Mapping)))
        reference, rest = part.get("$ref"), part.get("allOf")
        if set(part) - {"$ref", "allOf"}:
            view.parts.append(part)
        if isinstance(reference, str):
            target = self._components.find(reference)
            if isinstance(target, Mapping | bool):
                yield target
            else:
                view.unknown.add(reference)
        if isinstance(rest, list):
            yield from rest
        view.nullable |= any(part.get(key) is True for key in _NULLABLE)
        for keyword in ("oneOf", "anyOf"):
            yield from self._take_union(keyword, part.get(keyword), view)

    def _take_union(self, keyword: str, variants: Any, view: View) -> Iterator[Any]:
        if not isinstance(variants, list) or not variants:
            return
        real = [variant for variant in variants if not _is_null(variant)]
        view.nullable |= len(real) < len(variants)
        if len(real) > 1:
            view.unions.append((keyword, real))
        else:
            yield (real or variants)[0]


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") in ("null", ["null"])


class Combined(dict[str, Any]):
    """A schema that stands in no document, and is gone soon."""


def combine(schemas: list[Any]) -> Any:
    """One schema that asks for all of ``schemas``; everything where there are none."""
    if len(schemas) == 1:
        return schemas[0]
    return Combined(allOf=schemas) if schemas else True
