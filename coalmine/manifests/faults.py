"""Pydantic's errors as faults: a pointer, a stable code, a sentence, a hint. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from coalmine.errors import Fault, nearest
from coalmine.manifests.node import escape

Location = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)

# Pydantic's error types that have a code of their own; everything else about types is `wrong_type`,
# the rest is `invalid_value`.
_CODES = {"extra_forbidden": "unknown_key", "missing": "missing_key"}


def validate(
    model: type[Model], value: Mapping[str, Any], faults: list[Fault], locate: Callable[[Location], str]
) -> Model | None:
    """The definition in ``value``, or None and its faults. ``locate`` turns a location into a pointer."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults.extend(_fault(model, entry, locate) for entry in error.errors(include_url=False))
        return None


def below(pointer: str) -> Callable[[Location], str]:
    """Locations are keys below ``pointer``."""
    return lambda location: pointer + "".join(f"/{escape(part)}" for part in location)


def _fault(model: type[BaseModel], entry: Any, locate: Callable[[Location], str]) -> Fault:
    location: Location = entry["loc"]
    kind: str = entry["type"]
    code = _CODES.get(kind) or ("wrong_type" if kind.endswith(("_type", "_parsing")) else "invalid_value")
    last = str(location[-1]) if location else ""
    if code == "unknown_key":
        close = nearest(last, known_keys(model, location[:-1]))
        return Fault(locate(location), code, f"{last} is not known here", f"did you mean {close}?" if close else None)
    if code == "missing_key":
        return Fault(locate(location), code, f"{last} is missing")
    detail = entry["msg"].removeprefix("Value error, ")
    return Fault(locate(location), code, f"{last}: {detail}" if last else detail)


def known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys of the object at ``location`` of a definition."""
    for part in location:
        if isinstance(part, str):
            model = _models_in(model.model_fields[part].annotation)[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    own = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    return [*own, *(found for argument in get_args(annotation) for found in _models_in(argument))]
