"""Which routes go on with the definition of a function that they had, because the new one breaks their callers.

Rule 1: the question is what those notice who call through the gateway. It writes each call anew, so a function that
    moved to another path is followed; one that needs a new parameter is not.
Rule 2: what a route goes on with is what it had last, not what it had first: changes that break nobody are followed.
Rule 3: a pin goes when the service takes back what broke, and when somebody writes the route (``Writer.put_route``).
This file performs no I/O and reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coalmine.differences import Difference
from coalmine.differences.budget import MAX_NODES, Budget
from coalmine.differences.functions import compare
from coalmine.differences.pair import Pair
from coalmine.model import Document, Function
from coalmine.model.pin import Pin
from coalmine.routing.references import find_document, find_target, split_pointer

# One upstream's functions in use, together: some seconds at the very worst.
_MAX_NODES = 500_000
_MAX_REASONS = 3

Use = tuple[str, str]  # route, function


@dataclass(frozen=True, slots=True)
class Published:
    """What an upstream offers at one time."""

    functions: Sequence[Function]
    documents: Sequence[Document]

    def by_name(self) -> dict[str, Function]:
        return {function.name: function for function in self.functions}


class Pinning:
    """Compares what was published before with what is now; made once for both."""

    def __init__(self, before: Published, after: Published, now: datetime) -> None:
        self._before, self._after, self._now = before, after, now
        self._old, self._new = before.by_name(), after.by_name()
        self._budget = Budget(_MAX_NODES)
        self._pairs: dict[tuple[str | None, str | None], Pair] = {}
        self._found: dict[str, tuple[Difference, ...]] = {}

    def find(self, uses: Iterable[Use], pins: Iterable[Pin]) -> list[Pin]:
        """All pins that there should be; ``pins`` are those that there are."""
        known = {(pin.route, pin.function): pin for pin in pins}
        return [pin for use in uses if (pin := self._find(use, known.get(use))) is not None]

    def _find(self, use: Use, pin: Pin | None) -> Pin | None:
        route, name = use
        present = self._new.get(name)
        if present is None or present.state == "removed":
            return pin  # it is called by its last known definition; which one that is has not changed
        definition = pin.definition if pin else self._old.get(name)
        if definition is None:
            return None
        breaking = self._compare_pinned(pin, present) if pin else self._compare(definition, present)
        if not breaking:
            return None
        reasons = tuple(f"{one.detail} ({one.rule})" for one in breaking[:_MAX_REASONS])
        if len(breaking) > _MAX_REASONS:
            reasons += (f"and {len(breaking) - _MAX_REASONS} more",)
        if pin is not None:
            return pin.model_copy(update={"reasons": reasons})
        document = find_document(self._before.documents, definition.document_url)
        return Pin(
            route=route,
            upstream=definition.upstream,
            function=name,
            definition=definition,
            document=document and keep_used(definition, document),
            reasons=reasons,
            since=self._now,
        )

    def _compare(self, old: Function, new: Function) -> tuple[Difference, ...]:
        """Many routes use one function."""
        if old.name not in self._found:
            before = find_document(self._before.documents, old.document_url)
            after = find_document(self._after.documents, new.document_url)
            key = (before.url if before else None, after.url if after else None)
            if key not in self._pairs:
                self._pairs[key] = Pair(_components(before), _components(after))
            self._found[old.name] = self._breaking(old, new, self._pairs[key])
        return self._found[old.name]

    def _compare_pinned(self, pin: Pin, new: Function) -> tuple[Difference, ...]:
        after = find_document(self._after.documents, new.document_url)
        return self._breaking(pin.definition, new, Pair(_components(pin.document), _components(after)))

    def _breaking(self, old: Function, new: Function, pair: Pair) -> tuple[Difference, ...]:
        found = compare(old, new, pair, Budget(MAX_NODES, self._budget), across=True)
        return tuple(one for one in found if one.severity == "breaking")


def _components(document: Document | None) -> Mapping[str, Any]:
    return document.components if document else {}


def keep_used(function: Function, document: Document) -> Document:
    """``document`` with those components alone that ``function`` refers to, directly or not."""
    kept: dict[str, Any] = {}
    pending: list[Any] = [function.model_dump(by_alias=True)]
    while pending:
        for reference in _references(pending.pop()):
            found = find_target(document, reference)
            steps = split_pointer(found[0]) if found else []
            # A component stands at /components/schemas/Pet, or at /definitions/Pet in Swagger 2.0.
            steps = steps[: 3 if steps[:1] == ["components"] else 2]
            value = _copy(document.components, kept, steps)
            if value is not None:
                pending.append(value)
    return document.model_copy(update={"components": kept})


def _copy(source: Any, target: dict[str, Any], steps: Sequence[str]) -> Any:
    """Puts what stands at ``steps`` of ``source`` into ``target``; gives it, None where it is there already."""
    for step in steps[:-1]:
        source, target = source[step], target.setdefault(step, {})
    if not steps or steps[-1] in target:
        return None
    target[steps[-1]] = source[steps[-1]]
    return target[steps[-1]]


def _references(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                yield one["$ref"]
            pending.extend(one.values())
        elif isinstance(one, list | tuple):
            pending.extend(one)
