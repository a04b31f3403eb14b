"""What a write changes, as the admin API tells it, in lines for a person. This file performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_SIGNS = {"add": "+", "change": "~", "remove": "-"}


def describe_changes(changes: Iterable[Mapping[str, Any]], owner: str | None = None) -> Iterator[str]:
    """One line for each object, one for each key of a changed one, and one for whose it is where not ``owner``'s."""
    for change in changes:
        yield f"{_SIGNS.get(change['action'], '?')} {change['object']}"
        if owner is not None and change.get("owner") != owner:
            yield f"    belongs to {change.get('owner')}"
        for key in change.get("keys") or ():
            yield f"    {key['pointer']}: {_short(key.get('before'))} -> {_short(key.get('after'))}"


def count_changes(changes: Iterable[Mapping[str, Any]]) -> str:
    """Such as ``2 added, 1 changed``."""
    words = {"add": "added", "change": "changed", "remove": "removed"}
    actions = [change["action"] for change in changes]
    return ", ".join(f"{actions.count(action)} {word}" for action, word in words.items() if action in actions)


def _short(value: Any) -> str:
    text = "(absent)" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."
