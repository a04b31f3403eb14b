"""What differs, object by object and key by key, without credentials. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Field

from admin_api.secrets import mask_at, mask_secrets
from coalmine.model.faults import join_pointer
from coalmine.model.revision import Action, ObjectChange

OWNER = "/status/owner"


class KeyChange(BaseModel):
    """One value that differs; an absent side is null."""

    pointer: str
    before: Any = None
    after: Any = None


class Change(BaseModel):
    object: str = Field(description="such as routes/find-pets")
    action: Action
    owner: str = Field(description="the set of files that it belongs to, or `api`; of a removed one, belonged to")
    keys: list[KeyChange] = Field(default_factory=list)


class WholeChange(Change):
    """With what was added or removed."""

    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def tell(changes: Iterable[ObjectChange]) -> list[Change]:
    return [Change(object=one.object, action=one.action, owner=one.owner, keys=list_keys(one)) for one in changes]


def tell_definition(change: Change) -> Change:
    """Without the key that says that the owner is another one."""
    return change.model_copy(update={"keys": [key for key in change.keys if key.pointer != OWNER]})


def tell_whole(changes: Iterable[ObjectChange]) -> list[WholeChange]:
    return [
        WholeChange(
            object=one.object,
            action=one.action,
            owner=one.owner,
            keys=list_keys(one),
            before=mask_secrets(one.before) if one.after is None else None,
            after=mask_secrets(one.after) if one.before is None else None,
        )
        for one in changes
    ]


def list_keys(change: ObjectChange) -> list[KeyChange]:
    """The keys of a changed object, and its owner where that is another one."""
    if change.before is None or change.after is None:
        return []
    keys = list(diff_values(change.before, change.after))
    if change.owner_before != change.owner_after:
        keys.append(KeyChange(pointer=OWNER, before=change.owner_before, after=change.owner_after))
    return keys


def diff_values(before: Any, after: Any, steps: tuple[int | str, ...] = ()) -> Iterator[KeyChange]:
    """Every place where two JSON values differ; lists of equal length are compared item by item."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from diff_values(before.get(key), after.get(key), (*steps, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from diff_values(old, new, (*steps, index))
    elif before != after:
        pointer = join_pointer(steps)
        yield KeyChange(pointer=pointer, before=mask_at(pointer, before), after=mask_at(pointer, after))
