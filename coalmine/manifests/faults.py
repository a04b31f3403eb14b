"""Judging what a manifest says by the definitions' own rules. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from coalmine.errors import Fault
from coalmine.model.faults import Loc, Locate, join_pointer, list_faults

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], value: Mapping[str, Any], faults: list[Fault], locate: Locate) -> Model | None:
    """The definition in ``value``, or None and its faults. ``locate`` gives the pointer into the manifest."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults.extend(list_faults(error, model, dict(value), locate))
        return None


def below(pointer: str) -> Locate:
    """Places are keys below ``pointer``."""

    def locate(place: Loc) -> str:
        return pointer + join_pointer(place)

    return locate
