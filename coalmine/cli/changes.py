"""What a write changes, as the admin API tells it, in lines for a person. This file performs no I/O."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_Entry = Mapping[str, Any]


def describe_changes(changes: Iterable[Mapping[str, Any]], owner: str | None = None) -> Iterator[str]:
    """One line for each object, one for each key of a changed one, and one for whose it is where not ``owner``'s."""
    for change in changes:
        yield f"{_SIGNS.get(change['action'], '?')} {change['object']}"
        if owner is not None and change.get("owner") != owner:
            yield f"    belongs to {change.get('owner')}"
        for key in change.get("keys") or ():
            yield from _describe_key(key["pointer"], key.get("before"), key.get("after"))


def count_changes(changes: Iterable[Mapping[str, Any]]) -> str:
    """Such as ``2 added, 1 changed``."""
    words = {"add": "added", "change": "changed", "remove": "removed"}
    actions = [change["action"] for change in changes]
    return ", ".join(f"{actions.count(action)} {word}" for action, word in words.items() if action in actions)


def _describe_key(pointer: str, before: Any, after: Any) -> Iterator[str]:
    if pointer == "/destinations" and isinstance(before or [], list) and isinstance(after or [], list):
        yield f"    {pointer}:"
        yield from _describe_destinations(before or [], after or [])
    else:
        yield f"    {pointer}: {_short(before)} -> {_short(after)}"


def _describe_destinations(before: Sequence[_Entry], after: Sequence[_Entry]) -> Iterator[str]:
    """One line for each destination that came, went or changed; those of one upstream and function belong together."""
    old: dict[str, list[_Entry]] = defaultdict(list)
    for entry in before:
        old[_name(entry)].append(entry)
    came = []
    for entry in after:
        if not old[_name(entry)]:
            came.append(entry)
            continue
        former = old[_name(entry)].pop(0)
        changed = [key for key in {**former, **entry} if former.get(key) != entry.get(key)]
        if changed:
            told = ", ".join(f"{key} {_short(former.get(key))} -> {_short(entry.get(key))}" for key in changed)
            yield f"        ~ {_name(entry)}: {told}"
    yield from (f"        - {_tell(entry)}" for entries in old.values() for entry in entries)
    yield from (f"        + {_tell(entry)}" for entry in came)


def _tell(entry: _Entry) -> str:
    more = {
        key: value for key, value in entry.items() if key not in ("upstream", "function") and value not in (None, {})
    }
    return " ".join([_name(entry), *(f"{key} {_short(value)}" for key, value in more.items())])


def _name(entry: _Entry) -> str:
    return f"{entry['upstream']}/{entry['function']}" if entry.get("function") else str(entry["upstream"])


def _short(value: Any) -> str:
    text = "(absent)" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."
