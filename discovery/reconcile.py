"""What a new reading changes: (known functions, named operations, now) -> Changes.

Rule: nothing is ever dropped. A function that left its document is kept as ``removed``, because routes go on calling
it by its last known definition, and it comes back under the same name when the service brings it back.
This file performs no I/O and reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from coalmine.model import Function
from discovery.naming import Identity, Known, Named


@dataclass(frozen=True, slots=True)
class Changes:
    """Functions in their new state, each in one of the lists."""

    added: tuple[Function, ...] = ()
    changed: tuple[Function, ...] = ()
    removed: tuple[Function, ...] = ()
    returned: tuple[Function, ...] = ()
    unchanged: tuple[Function, ...] = ()

    @property
    def matter(self) -> bool:
        """Whether anybody needs to hear of it."""
        return bool(self.added or self.changed or self.removed or self.returned)

    @property
    def all(self) -> tuple[Function, ...]:
        return self.present + self.removed

    @property
    def present(self) -> tuple[Function, ...]:
        """Those that the documents have now."""
        return self.added + self.changed + self.returned + self.unchanged


def known_names(known: Iterable[Function]) -> dict[Identity, Known]:
    """The names given before; of two functions with the same method and path the active one counts."""
    ordered = sorted(known, key=lambda function: function.state == "active")
    return {(each.method, each.path): Known(each.name, each.operation_id) for each in ordered}


def reconcile(
    upstream: str, known: Sequence[Function], named: Sequence[Named], now: datetime, *, complete: bool = True
) -> Changes:
    """``known`` are all functions of the upstream, removed ones included; ``named`` are those it has now.

    Without ``complete`` some document could not be read, and nothing counts as removed.
    """
    before = {function.name: function for function in known}
    present = {each.name for each in named}
    lists: dict[str, list[Function]] = {kind: [] for kind in ("added", "changed", "returned", "unchanged")}
    for each in named:
        old = before.get(each.name)
        new = _function(upstream, each, old.first_seen if old else now, now)
        lists[_kind(old, new)].append(new)
    removed = tuple(
        function.model_copy(update={"state": "removed"})
        for function in known
        if complete and function.state == "active" and function.name not in present
    )
    return Changes(removed=removed, **{kind: tuple(functions) for kind, functions in lists.items()})


def _kind(old: Function | None, new: Function) -> str:
    if old is None:
        return "added"
    if old.state == "removed":
        return "returned"
    return "unchanged" if old == new.model_copy(update={"last_seen": old.last_seen}) else "changed"


def _function(upstream: str, named: Named, first_seen: datetime, now: datetime) -> Function:
    found = named.found
    values = {name: getattr(found, name) for name in type(found).model_fields}
    return Function(upstream=upstream, name=named.name, first_seen=first_seen, last_seen=now, **values)
