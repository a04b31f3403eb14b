"""What differs between two sets of definitions, object by object and key by key. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from admin_api.representations import dump
from coalmine.model import Definition, Definitions
from coalmine.model.faults import join_pointer

Objects = Mapping[str, dict[str, Any]]  # "routes/find-pets": its JSON


class KeyChange(BaseModel):
    """One value that differs; an absent side is null."""

    pointer: str
    before: Any = None
    after: Any = None


class Change(BaseModel):
    object: str = Field(description="such as routes/find-pets")
    action: Literal["add", "change", "remove"]
    keys: list[KeyChange] = Field(default_factory=list)


def list_objects(definitions: Definitions) -> dict[str, dict[str, Any]]:
    kinds: tuple[tuple[str, Iterable[Definition]], ...] = (
        ("upstreams", definitions.upstreams),
        ("virtual-services", definitions.virtual_services),
        ("routes", definitions.routes),
    )
    return {f"{kind}/{getattr(item, 'name')}": dump(item) for kind, items in kinds for item in items}  # noqa: B009


def diff(before: Objects, after: Objects) -> list[Change]:
    """In the order of ``after``; what is removed comes last."""
    changes = [_compare(name, before.get(name), value) for name, value in after.items()]
    removed = [Change(object=name, action="remove") for name in before if name not in after]
    return [change for change in changes if change] + removed


def _compare(name: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Change | None:
    if before is None:
        return Change(object=name, action="add")
    keys = list(diff_values(before, after))
    return Change(object=name, action="change", keys=keys) if keys else None


def diff_values(before: Any, after: Any, steps: tuple[int | str, ...] = ()) -> Iterator[KeyChange]:
    """Every place where two JSON values differ; lists of equal length are compared item by item."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from diff_values(before.get(key), after.get(key), (*steps, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from diff_values(old, new, (*steps, index))
    elif before != after:
        yield KeyChange(pointer=join_pointer(steps), before=before, after=after)
