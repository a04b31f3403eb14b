"""What a transaction changed, and the way back. This file performs no I/O.

Rule 1: a state is compared with another, so that what was written and taken back in one transaction is no change.
Rule 2: definitions that are the same object are equal without a look: comparing thousands of routes costs nothing.
Rule 3: the order of the routes (their ages) is derived from what was added and removed, and from where; only where
        routes changed places is the order of before kept, as a list of names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class State:
    """All objects by name (``routes/find-pets``), routes oldest first, and to whom those of sets belong."""

    objects: Mapping[str, Definition]
    owners: Mapping[str, Ownership]

    @property
    def order(self) -> list[str]:
        return [name.removeprefix(_ROUTES) for name in self.objects if name.startswith(_ROUTES)]


@dataclass(frozen=True, slots=True)
class Changes:
    """``order_before`` is None where ``undo_order`` finds it by itself."""

    objects: tuple[ObjectChange, ...]
    order_before: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.objects) or self.order_before is not None


def dump(definition: Definition) -> dict[str, Any]:
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True)


def compare(before: State, after: State) -> Changes:
    """In the order of ``after``; what was removed comes last. A new seal of the same owner is no change."""
    objects = tuple(_compare(before, after))
    old, new = before.order, after.order
    if old == new:
        return Changes(objects)
    places = {name: place for place, name in enumerate(old) if f"{_ROUTES}{name}" not in after.objects}
    added = [name for name in new if f"{_ROUTES}{name}" not in before.objects]
    reordered = old != undo_order(new, added, places)
    placed = (_place(change, places) for change in objects)
    return Changes(tuple(placed), tuple(old) if reordered else None)


def _place(change: ObjectChange, places: Mapping[str, int]) -> ObjectChange:
    section, name = split_object(change.object)
    if section != SECTIONS["route"] or name not in places:
        return change
    return change.model_copy(update={"place": places[name]})


def _compare(before: State, after: State) -> Iterator[ObjectChange]:
    gone = [name for name in before.objects if name not in after.objects]
    for name in (*after.objects, *gone):
        old, new = before.objects.get(name), after.objects.get(name)
        owned, owns = before.owners.get(name), after.owners.get(name)
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
