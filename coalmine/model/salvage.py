"""A definition as far as it can be read, so that one look tells everything that is wrong with it.

Rule 1: every fault of the text is told, also those that pydantic sees only when others are gone.
Rule 2: what is left without the faulty places is a definition that can be judged further, against the others
there are: an unknown upstream is told beside a path without a slash. It is never to be stored.
Rule 3: what only follows from a place that was taken out is not told. This file performs no I/O.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from coalmine.errors import DefinitionError, Fault, nearest
from coalmine.model.faults import (
    Loc,
    Locate,
    find_keys,
    find_steps,
    join_pointer,
    list_faults,
    sort_faults,
    split_pointer,
)

Model = TypeVar("Model", bound=BaseModel)
Steps = tuple[int | str, ...]

_HOLE: Any = object()  # where an item of a list was taken out: the others keep their index
_ROUNDS = 50  # each takes something out or ends it; no definition needs more than a few

# Required keys that something else may stand for: what else the object says is then judged all the same.
_STAND_INS: dict[str, Any] = {
    "name": "unreadable",
    "upstream": "unreadable",
    "endpoints": ["http://unreadable.invalid"],
    "substitution": "",
    "attempts": 1,
    "allow_origins": ["*"],
    "requests": 1,
}
# A verdict on an object as a whole names the keys that it is about; these do so with other words.
_ABOUT = {"an endpoint stands twice": ["endpoints"]}
_NO_WEIGHT = "the weights of the destinations are all zero"


@dataclass(frozen=True, slots=True)
class Reading(Generic[Model]):
    """What was read: with ``faults`` the definition is what is left, or None where nothing is.

    Places are pointers into the definition; ``locate`` leads from them to the text.
    """

    definition: Model | None
    faults: tuple[Fault, ...] = ()
    find_place: Locate = join_pointer
    missing: frozenset[Steps] = frozenset()
    find_steps: Callable[[Iterable[int | str]], Steps] = tuple

    def locate(self, pointer: str) -> str:
        return self.find_place(self.find_steps(split_pointer(pointer)))

    def is_missing(self, pointer: str) -> bool:
        """Whether what is at ``pointer`` was taken out, or stands in for something."""
        steps = tuple(str(step) for step in self.find_steps(split_pointer(pointer)))
        return any(steps[: len(gone)] == tuple(str(step) for step in gone) for gone in self.missing)

    def also(self, faults: Iterable[Fault]) -> Reading[Model]:
        """With what was found wrong with the definition, where it was really there."""
        found = [replace(fault, pointer=self.locate(fault.pointer)) for fault in faults if not self._follows(fault)]
        return replace(self, faults=(*self.faults, *found))

    def _follows(self, fault: Fault) -> bool:
        return bool(self.missing) and self.is_missing(fault.pointer)

    def require(self, body: Any = None) -> Model:
        """The definition; raises DefinitionError with every fault, in the order of the text ``body``."""
        if self.faults or self.definition is None:
            raise DefinitionError(sort_faults(self.faults, body))
        return self.definition


def parse_definition(model: type[Model], body: Any) -> Model:
    """``body`` as ``model``; raises DefinitionError with every fault."""
    return read_definition(model, body).require(body)


def read_definition(
    model: type[Model], body: Any, locate: Locate = join_pointer, *, lost: Iterable[Loc] = ()
) -> Reading[Model]:
    """``body`` as ``model``, or what can be salvaged of it. ``locate`` is for a ``body`` that was made of another text;
    ``lost`` are the places of ``body`` that this text said unreadably, which was told already."""
    gone = [tuple(place) for place in lost]
    if not gone:
        try:
            return Reading(model.model_validate(body), find_place=locate)
        except ValidationError:
            pass
    rest = _Rest(model, copy.deepcopy(body), locate)
    for place in gone:
        rest.take_out(place)
    definition = rest.read()
    return Reading(definition, tuple(rest.faults), locate, frozenset(rest.missing), rest.find_steps)


@dataclass(slots=True)
class _Rest(Generic[Model]):
    """The text without the places that were taken out of it."""

    model: type[Model]
    body: Any
    locate: Locate
    faults: list[Fault] = field(default_factory=list)
    missing: set[Steps] = field(default_factory=set)

    def read(self) -> Model | None:
        for _ in range(_ROUNDS):
            plain = _fill(self.body)
            try:
                return self.model.model_validate(plain)
            except ValidationError as error:
                errors = [one for one in error.errors(include_url=False) if not self._follows(one, plain)]
                self.faults += list_faults(errors, self.model, plain, lambda loc: self.locate(self.find_steps(loc)))
                places = [(one, self._place(one, plain)) for one in error.errors(include_url=False)]
                if not all(self._mend(one, place) for one, place in places):
                    return None
        return None

    def find_steps(self, steps: Iterable[int | str]) -> Steps:
        """Steps into what is left, as steps into the text: holes count."""
        found: list[int | str] = []
        here = self.body
        for step in steps:
            if isinstance(here, list) and str(step).isdecimal():
                kept = [index for index, value in enumerate(here) if value is not _HOLE]
                step = kept[int(step)] if int(step) < len(kept) else int(step)
            found.append(step)
            here = _get(here, step)
        return tuple(found)

    def take_out(self, place: Steps) -> bool:
        """Whether something is left."""
        self.missing.add(place)
        if not place:
            return False
        *way, last = place
        holder = self._at(tuple(way))
        if isinstance(holder, dict):
            holder.pop(last, None)
        elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
            holder[last] = _HOLE
            if all(value is _HOLE for value in holder):
                return self.take_out(tuple(way))
        return True

    def _at(self, place: Steps) -> Any:
        here = self.body
        for step in place:
            here = _get(here, step)
        return here

    def _place(self, error: ErrorDetails, plain: Any) -> Steps:
        return self.find_steps(tuple(find_steps(error["loc"], plain, keep_last=False)))

    def _follows(self, error: ErrorDetails, plain: Any) -> bool:
        """Whether ``error`` is there only because of what was taken out."""
        place = self._place(error, plain)
        if error["type"] == "missing":
            return (*place, error["loc"][-1]) in self.missing
        if not self._is_verdict(error, place):
            return place in self.missing
        about = [(*place, key) for key in self._find_keys(error, place)]
        if _NO_WEIGHT in error["msg"]:  # an item that cannot be read may have one
            return any(len(gone) <= len(place) + 2 and gone[: len(place) + 1] in about for gone in self.missing)
        return any(gone in about for gone in self.missing)

    def _is_verdict(self, error: ErrorDetails, place: Steps) -> bool:
        return error["type"] == "value_error" and isinstance(self._at(place), dict)

    def _find_keys(self, error: ErrorDetails, place: Steps) -> list[str]:
        """The keys that a verdict on the object at ``place`` is about, in its order."""
        for words, keys in _ABOUT.items():
            if words in error["msg"]:
                return keys
        known = find_keys(self.model, place)
        return [word for word in re.findall(r"\w+", error["msg"]) if word in known]

    def _mend(self, error: ErrorDetails, place: Steps) -> bool:
        """Take out what ``error`` is about; whether something is left."""
        if error["type"] == "missing":
            return self._stand_in(place, str(error["loc"][-1]))
        if error["type"] == "extra_forbidden":
            meant = nearest(str(place[-1]), find_keys(self.model, place[:-1]))
            self.missing |= {(*place[:-1], meant)} if meant else set()
        elif self._is_verdict(error, place):
            return self._settle(error, place)
        return self.take_out(place)

    def _stand_in(self, place: Steps, key: str) -> bool:
        self.missing.add((*place, key))
        holder = self._at(place)
        if key not in _STAND_INS or not isinstance(holder, dict):
            return self.take_out(place)
        holder[key] = copy.copy(_STAND_INS[key])
        return True

    def _settle(self, error: ErrorDetails, place: Steps) -> bool:
        """Leave of the keys that do not go together the first one."""
        holder = self._at(place)
        keys = self._find_keys(error, place)
        given = [key for key in keys if holder.get(key) is not None]
        if _NO_WEIGHT in error["msg"]:
            weighed = range(len(holder["destinations"]))
            return all(self.take_out((*place, "destinations", index, "weight")) for index in weighed)
        if given:
            return all(self.take_out((*place, key)) for key in given[1:] or given)
        if place or "direct_response" not in keys:
            return self.take_out(place)
        self.missing |= {(key,) for key in keys}  # a route without an action is judged as one that answers itself
        holder["direct_response"] = {}
        return True


def _get(here: Any, step: int | str) -> Any:
    if isinstance(here, dict):
        return here.get(step)
    return here[step] if isinstance(here, list) and isinstance(step, int) and step < len(here) else None


def _fill(value: Any) -> Any:
    """Without the holes."""
    if isinstance(value, dict):
        return {key: _fill(entry) for key, entry in value.items()}
    return [_fill(entry) for entry in _kept(value)] if isinstance(value, list) else value


def _kept(values: list[Any]) -> Iterator[Any]:
    return (value for value in values if value is not _HOLE)
