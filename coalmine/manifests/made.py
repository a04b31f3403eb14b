"""A part of a definition that was made of a foreign manifest, and knows of which places.

Their keys differ from ours: a fault that our rules find in ours is told where it stands in theirs.
This file performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from coalmine.errors import Fault
from coalmine.model.faults import Loc
from coalmine.model.salvage import Reading, read_definition

Model = TypeVar("Model", bound=BaseModel)


class Made(dict[str, Any]):
    """``pointer`` is the place of the whole, ``sources`` are those of the keys that have one of their own."""

    def __init__(self, pointer: str) -> None:
        super().__init__()
        self.pointer = pointer
        self.sources: dict[str, str] = {}

    def put(self, key: str, value: Any, source: str) -> Made:
        self[key] = value
        self.sources[key] = source
        return self

    def drop(self, key: str) -> None:
        self.pop(key, None)
        self.sources.pop(key, None)

    def take(self, other: Made) -> Made:
        """With everything that ``other`` says."""
        self.update(other)
        self.sources.update(other.sources)
        return self


class MadeList(list[Any]):
    """A list whose items were made of places of their own."""

    def __init__(self, pointer: str) -> None:
        super().__init__()
        self.pointer = pointer
        self.sources: list[str] = []

    def add(self, value: Any, source: str) -> MadeList:
        self.append(value)
        self.sources.append(source)
        return self

    def join(self, other: MadeList) -> None:
        self.extend(other)
        self.sources.extend(other.sources)


def read_made(model: type[Model], made: Made, faults: Iterable[Fault]) -> Reading[Model]:
    """``made`` as ``model``. What was made of places of which ``faults`` tell is not judged a second time."""
    told = [fault.pointer for fault in faults]
    lost = [place for place, source in _list_sources(made, ()) if _is_told(source, told)]
    return read_definition(model, _to_plain(made), lambda place: locate(made, place), lost=lost)


def locate(made: Made, place: Loc) -> str:
    """Where in the manifest stands what ``place`` in the definition was made of."""
    pointer = made.pointer
    here: Any = made
    for step in place:
        if isinstance(here, Made):
            pointer = here.sources.get(str(step), here.pointer)
            here = here.get(str(step))
        elif isinstance(here, list) and str(step).isdecimal() and int(step) < len(here):
            pointer = here.sources[int(step)] if isinstance(here, MadeList) else f"{pointer}/{step}"
            here = here[int(step)]
            pointer = here.pointer if isinstance(here, Made) else pointer
        else:
            break
    return pointer


def _list_sources(value: Any, place: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """The sources of what has no parts with sources of their own."""
    for step, part, source in _list_parts(value):
        inner = list(_list_sources(part, (*place, step)))
        yield from inner
        if not inner and source is not None:
            yield (*place, step), source


def _list_parts(value: Any) -> Iterator[tuple[int | str, Any, str | None]]:
    if isinstance(value, Made):
        yield from ((key, part, value.sources.get(key)) for key, part in value.items())
    elif isinstance(value, MadeList):
        yield from ((index, part, value.sources[index]) for index, part in enumerate(value))
    elif isinstance(value, list):
        yield from ((index, part, None) for index, part in enumerate(value))


def _is_told(source: str, told: Iterable[str]) -> bool:
    return any(pointer == source or pointer.startswith(f"{source}/") for pointer in told)


def _to_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_plain(part) for key, part in value.items()}
    return [_to_plain(part) for part in value] if isinstance(value, list) else value
