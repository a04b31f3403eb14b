"""A mapping of a foreign manifest, read key by key. This file performs no I/O.

Rule 1: a key that nobody has read is a fault when ``finish`` is called: nothing is dropped in silence.
Rule 2: a key whose value says nothing (``{}``, ``[]``, ``""``, ``false``, ``null``) is no fault.
Rule 3: a value of the wrong type is a fault and reads as absent, so that one walk finds every fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coalmine.errors import Fault, nearest

_TYPES: dict[type, str] = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", int: "a number"}


def escape(key: object) -> str:
    """A key as a part of a JSON pointer (RFC 6901 section 3)."""
    return str(key).replace("~", "~0").replace("/", "~1")


class Node:
    """``value`` at ``pointer``; faults are collected in the list that all nodes of one walk share."""

    def __init__(self, value: Mapping[str, Any], pointer: str, faults: list[Fault]) -> None:
        self.pointer = pointer
        self.faults = faults
        self._value = value
        self._read: set[str] = set()

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def at(self, *keys: object) -> str:
        """The pointer of a key of this node."""
        return "".join([self.pointer, *(f"/{escape(key)}" for key in keys)])

    def fault(
        self, key: str | None, detail: str, *, code: str = "unsupported_manifest", hint: str | None = None
    ) -> None:
        self.faults.append(Fault(self.at(key) if key is not None else self.pointer, code, detail, hint))

    def raw(self, key: str) -> Any:
        self._read.add(key)
        return self._value.get(key)

    def _typed(self, key: str, kind: type) -> Any:
        value = self.raw(key)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)  # YAML reads an unquoted 1 as a number where a text is meant
        self.fault(key, f"{key} should be {_TYPES[kind]}", code="wrong_type")
        return None

    def text(self, key: str) -> str | None:
        value: str | None = self._typed(key, str)
        return value

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, bool))

    def number(self, key: str) -> int | None:
        value: int | None = self.raw(key) if isinstance(self._value.get(key), float) else self._typed(key, int)
        return value

    def node(self, key: str) -> Node | None:
        value = self._typed(key, dict)
        return None if value is None else Node(value, self.at(key), self.faults)

    def nodes(self, key: str) -> list[Node]:
        found = []
        for index, value in enumerate(self._typed(key, list) or ()):
            if isinstance(value, dict):
                found.append(Node(value, self.at(key, index), self.faults))
            else:
                self.faults.append(Fault(self.at(key, index), "wrong_type", "this should be a mapping"))
        return found

    def texts(self, key: str) -> list[str]:
        values = self._typed(key, list) or []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self.faults.append(Fault(self.at(key, index), "wrong_type", "this should be a text"))
        return [value for value in values if isinstance(value, str)]

    def items(self) -> list[tuple[str, Any]]:
        """Everything in this node, read."""
        self._read.update(self._value)
        return list(self._value.items())

    def ignore(self, *keys: str) -> None:
        """Keys that say nothing about routing, knowingly passed over."""
        self._read.update(keys)

    def finish(self, *known: str) -> None:
        """What nobody has read is a fault; ``known`` adds names for the hint."""
        for key, value in self._value.items():
            if key in self._read or value in (None, {}, [], "", False):
                continue
            close = nearest(key, {*self._read, *known} - {key})
            hint = f"did you mean {close}?" if close else "remove it, or express it in Coalmine's own form"
            self.fault(key, f"{key} cannot be expressed here", hint=hint)
