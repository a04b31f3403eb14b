"""What a transaction changed, and the way back. This file performs no I/O.

Rule 1: a state is compared with another, so that what was written and taken back in one transaction is no change.
Rule 2: nothing is looked at but what was touched, and definitions that are the same object are equal without a look.
Rule 3: the order of the routes (their ages) is derived from what was added and removed, and from where; only where
        routes changed places is the order of before kept, as a list of names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coalmine.model import Definition
from coalmine.model.revision import ObjectChange, Ownership

# The names of kinds as the admin API's paths have them, in the order in which changes are told.
SECTIONS = {
    "upstream": "upstreams",
    "virtual_service": "virtual-services",
    "route": "routes",
    "canary": "canaries",
}
_ROUTES = SECTIONS["route"] + "/"


@dataclass(frozen=True)  # no slots: objects are put together once
class State:
    """All objects by section and name, routes oldest first, and to whom those of sets belong."""

    sections: Mapping[str, Mapping[str, Definition]]
    owners: Mapping[str, Ownership]

    @cached_property
    def objects(self) -> Mapping[str, Definition]:
        """By their whole names (``routes/find-pets``)."""
        return {f"{section}/{name}": item for section, items in self.sections.items() for name, item in items.items()}

    @property
    def order(self) -> list[str]:
        return list(self.sections[SECTIONS["route"]])

    def find(self, name: str) -> Definition | None:
        section, own = split_object(name)
        return self.sections[section].get(own)


@dataclass(frozen=True, slots=True)
class Changes:
    """``order_before`` is None where ``undo_order`` finds it by itself."""

    objects: tuple[ObjectChange, ...]
    order_before: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.objects) or self.order_before is not None


def dump(definition: Definition) -> dict[str, Any]:
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True)


def compare(before: State, after: State, touched: Collection[str]) -> Changes:
    """In the order of ``after``; what was removed comes last. A new seal of the same owner is no change.

    ``touched`` are the whole names of all that may differ.
    """
    objects = tuple(_compare(before, after, _in_order(before, after, touched)))
    old, new = before.order, after.order
    if old == new:
        return Changes(objects)
    were, are = (state.sections[SECTIONS["route"]] for state in (before, after))
    places = {name: place for place, name in enumerate(old) if name not in are}
    added = [name for name in new if name not in were]
    reordered = old != undo_order(new, added, places)
    placed = (_place(change, places) for change in objects)
    return Changes(tuple(placed), tuple(old) if reordered else None)


def _place(change: ObjectChange, places: Mapping[str, int]) -> ObjectChange:
    section, name = split_object(change.object)
    if section != SECTIONS["route"] or name not in places:
        return change
    return change.model_copy(update={"place": places[name]})


def _in_order(before: State, after: State, touched: Collection[str]) -> list[str]:
    if len(touched) == 1:
        return list(touched)
    there = [name for name in after.objects if name in touched]
    return [*there, *(name for name in before.objects if name in touched and name not in after.objects)]


def _compare(before: State, after: State, names: Iterable[str]) -> Iterator[ObjectChange]:
    for name in names:
        old, new = before.find(name), after.find(name)
        owned, owns = before.owners.get(name), after.owners.get(name)
        if old is None and new is None:
            continue  # there and gone again
        same = old is new or old == new
        if same and (owned and owned.owner) == (owns and owns.owner):
            continue
        yield ObjectChange(
            object=name,
            before=None if old is None else dump(old),
            after=None if new is None else dump(new),
            ownership_before=None if old is None else owned,
            ownership_after=None if new is None else owns,
        )


def undo_order(order: Sequence[str], added: Iterable[str], removed: Mapping[str, int]) -> list[str]:
    """The order of the routes before some were added, and others removed from these places."""
    gone = set(added)
    before = [name for name in order if name not in gone]
    for name, place in sorted(removed.items(), key=lambda item: item[1]):
        before.insert(place, name)
    return before


def merge(changes: Iterable[ObjectChange]) -> list[ObjectChange]:
    """One change for each object out of those of several revisions, oldest first; none where nothing remains."""
    merged: dict[str, ObjectChange] = {}
    for change in changes:
        first = merged.get(change.object)
        if first is not None:
            before = {"before": first.before, "ownership_before": first.ownership_before}
            change = change.model_copy(update=before)
        merged[change.object] = change
    return [change for change in merged.values() if _differs(change)]


def _differs(change: ObjectChange) -> bool:
    return change.before != change.after or change.owner_before != change.owner_after


def split_object(name: str) -> tuple[str, str]:
    """Section and name of an object."""
    section, _, rest = name.partition("/")
    return section, rest
