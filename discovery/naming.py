"""The names of functions: operationId, else a name derived from method and path.

Rule 1: a name depends on the set of operations and on the names already given, never on the order in a document.
Rule 2: an operation keeps the name it had while its operationId is the same. A namesake that comes later never takes it
away, and one that stays behind does not inherit it, because routes that call it would silently call something else.
Rule 3: whoever does not get the wanted name gets the derived one, and if that is taken too, one with a digest.
This file performs no I/O.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from discovery.found import Found
from discovery.text import clean_name

# Long enough for every operationId seen; short enough for a URL, a metric's label and a line of a table.
MAX_NAME = 200

Identity = tuple[str, str]  # method, full path


@dataclass(frozen=True, slots=True)
class Named:
    """One operation with the name it has as a function; ``wanted`` differs where it was renamed."""

    name: str
    wanted: str
    found: Found


@dataclass(frozen=True, slots=True)
class Known:
    """The name an operation was given before, and the operationId it had then."""

    name: str
    operation_id: str | None = None


def identity(operation: Found) -> Identity:
    return (operation.method, operation.path)


def derive_name(method: str, path: str) -> str:
    """``GET /api/pets/{id}`` is ``get.api.pets.{id}``."""
    return _bound(f"{method.lower()}{clean_name(path).replace('/', '.')}", method, path)


def name_functions(operations: Iterable[Found], known: Mapping[Identity, Known]) -> list[Named]:
    """One name each; ``known`` are names given before. Operations are unique by method and path."""
    ordered = sorted(operations, key=lambda each: (each.path, each.method))
    wanted = {identity(each): _wanted(each) for each in ordered}
    taken = {before.name: identity(each) for each in ordered if (before := _kept(each, known)) is not None}
    named = set(taken.values())
    for key, name in wanted.items():
        if key not in named:
            taken.setdefault(name, key)
    names = {key: name for name, key in taken.items()}
    for key in wanted:
        if key not in names:
            names[key] = _second_choice(key, taken, known.get(key))
            taken[names[key]] = key
    return [Named(names[identity(each)], wanted[identity(each)], each) for each in ordered]


def _kept(operation: Found, known: Mapping[Identity, Known]) -> Known | None:
    before = known.get(identity(operation))
    return before if before is not None and before.operation_id == operation.operation_id else None


def _wanted(operation: Found) -> str:
    # A name is a segment of a URL, where these two mean something else (RFC 3986 section 5.2.4).
    if operation.operation_id and operation.operation_id not in (".", ".."):
        return _bound(operation.operation_id, "", operation.operation_id)
    return derive_name(operation.method, operation.path)


def _second_choice(key: Identity, taken: Mapping[str, Identity], known: Known | None) -> str:
    derived = derive_name(*key)
    # The counter ends: there are fewer names taken than numbers, even where a document claims our own digests.
    digests = (_with_digest(derived, *key, str(number)) for number in itertools.count())
    return next(
        name for name in itertools.chain((known and known.name, derived), digests) if name and name not in taken
    )


def _bound(name: str, *source: str) -> str:
    return name if len(name) <= MAX_NAME else _with_digest(name, *source)


def _with_digest(name: str, *source: str) -> str:
    # Eight hexadecimal digits of SHA-256: enough to tell a few namesakes apart, and the same after every restart.
    digest = hashlib.sha256("\0".join(source).encode(errors="replace")).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}-{digest}"
