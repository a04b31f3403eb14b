"""Pydantic's errors as faults: a JSON pointer into the text as it was submitted, a stable code, a way to mend it.

Rule 1: the pointer leads to something that is there (or to the key that should be), never to pydantic's own
steps such as union members and ``[key]``.
Rule 2: every error is told, but a value that fits no member of a union is one fault, not one for each member.
``coalmine.model.salvage`` reads whole definitions with it. This file performs no I/O.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from coalmine.errors import Fault, nearest
from coalmine.model.base import NAME_PATTERN

Loc = Sequence[int | str]
Locate = Callable[[Loc], str]  # a place in the definition as a pointer into the text it was made of

# What pydantic calls wrong, by the end or the whole of its error type; everything else is `invalid_value`.
_CODES = {"missing": "missing_key", "extra_forbidden": "unknown_key"}
_WRONG_TYPE = ("_type", "_parsing", "int_from_float", "finite_number")

# A validator of a whole object has no place in it: where and as what its verdict is told, by its first words.
_WHOLE = {
    "the weights of the destinations are all zero": ("destinations", "no_weight", "give one of them a weight above 0"),
    "an endpoint stands twice": ("endpoints", "invalid_value", None),
    "the endpoints of one upstream have one scheme": ("endpoints", "invalid_value", None),
}

_NAME_HINT = "a name has at most 63 of a-z 0-9 . _ - and begins and ends with a letter or digit"
_WORDS = {"tuple": "list", "dictionary or instance of": "object, not", "dictionary": "object"}


def list_faults(
    errors: Iterable[ErrorDetails], model: type[BaseModel], body: Any, locate: Locate | None = None
) -> list[Fault]:
    """``errors``, which ``model`` found in ``body``, as faults.

    ``locate`` is for a ``body`` that was made of another text: it gives the pointer into that one.
    """
    return list(_merge(_make_fault(one, model, body, locate) for one in errors))


def join_pointer(steps: Iterable[int | str]) -> str:
    """RFC 6901 section 4: the steps as a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def split_pointer(pointer: str) -> tuple[str, ...]:
    """The steps of a JSON pointer; those into a list are texts as well."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def sort_faults(faults: Iterable[Fault], body: Any) -> list[Fault]:
    """In the order of the text ``body``, each fault once. A missing key stands behind those that are there."""
    once = {(fault.pointer, fault.code, fault.detail): fault for fault in faults}
    return sorted(once.values(), key=lambda fault: tuple(_ranks(split_pointer(fault.pointer), body)))


def _ranks(steps: Iterable[str], body: Any) -> Iterator[int]:
    for step in steps:
        if isinstance(body, dict):
            yield list(body).index(step) if step in body else len(body)
        elif isinstance(body, list) and step.isdecimal():
            yield int(step)
        found = _descend(body, int(step) if isinstance(body, list) and step.isdecimal() else step)
        if found is None:
            return
        (body,) = found


def _make_fault(error: ErrorDetails, model: type[BaseModel], body: Any, locate: Locate | None) -> Fault:
    kind = error["type"]
    locate = locate or join_pointer
    loc = tuple(find_steps(error["loc"], body, keep_last=kind == "missing"))
    pointer = locate(loc)
    key = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        return Fault(pointer, "unknown_key", f"{key!r} is not a key of this object", _key_hint(key, model, loc[:-1]))
    if kind == "missing":
        return Fault(pointer, "missing_key", f"{key!r} is missing")
    if kind == "string_pattern_mismatch" and error.get("ctx", {}).get("pattern") == NAME_PATTERN:
        return Fault(pointer, "invalid_value", f"{_show(error['input'])} is not a name", _NAME_HINT)
    detail = _detail(error)
    for words, (where, code, hint) in _WHOLE.items():
        if detail.startswith(words):
            return Fault(locate((*loc, where)), code, detail, hint)
    return Fault(pointer, _code(kind), detail)


def _code(kind: str) -> str:
    return "wrong_type" if kind.endswith(_WRONG_TYPE) else "invalid_value"


def _detail(error: ErrorDetails) -> str:
    if error["type"] == "model_type":
        return f"{_show(error['input'])} is given where an object should be"
    text = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return text if error["type"] == "value_error" else f"{_show(error['input'])} {text}"


def _show(value: Any) -> str:
    text = {dict: "an object", list: "a list", type(None): "null", bool: str(value).lower()}.get(type(value))
    text = text or (f'"{value}"' if isinstance(value, str) else str(value))
    return text if len(text) <= 60 else text[:57] + "..."


def find_steps(loc: Loc, body: Any, *, keep_last: bool) -> Iterator[int | str]:
    """The steps of ``loc`` that lead into ``body``; with ``keep_last`` also the key that is missing there."""
    for index, step in enumerate(loc):
        found = _descend(body, step)
        if found is not None:
            (body,) = found
        elif not (keep_last and index == len(loc) - 1):
            continue
        yield step


def _descend(body: Any, step: int | str) -> tuple[Any] | None:
    """What ``step`` leads to, in a tuple because it may be None."""
    if isinstance(body, dict) and step in body:
        return (body[step],)
    if isinstance(body, list) and isinstance(step, int) and step < len(body):
        return (body[step],)
    return None


def _merge(faults: Iterable[Fault]) -> Iterator[Fault]:
    """One fault for each pointer and code: the members of a union complain one by one about one value."""
    merged: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        first = merged.get((fault.pointer, fault.code))
        if first is None:
            merged[fault.pointer, fault.code] = fault
        elif fault.detail not in first.detail:
            wanted = fault.detail.rpartition(" should be ")[2]
            merged[fault.pointer, fault.code] = Fault(
                first.pointer, first.code, f"{first.detail} or {wanted}", first.hint
            )
    yield from merged.values()


def _key_hint(key: str, model: type[BaseModel], loc: Loc) -> str | None:
    keys = find_keys(model, loc)
    meant = nearest(key, keys)
    if meant:
        return f"did you mean {meant}?"
    return f"known keys: {', '.join(sorted(keys))}" if keys else None


def find_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys of the object at ``loc`` inside ``model``; none where no model says."""
    here: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, int) or here is None:
            continue
        fields = {field.alias or name: field for name, field in here.model_fields.items()}
        here = _find_model(fields[step].annotation) if step in fields else None
    return [field.alias or name for name, field in here.model_fields.items()] if here else []


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_find_model(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model), None)
