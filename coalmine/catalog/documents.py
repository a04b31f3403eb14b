"""Definitions to stored documents and back. This file performs no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from coalmine.errors import CatalogError, DefinitionError, Fault

D = TypeVar("D", bound=BaseModel)


def write_document(definition: BaseModel) -> tuple[str, str]:
    """The JSON of ``definition`` and its seal; raises DefinitionError where it is not Unicode text."""
    try:
        text = definition.model_dump_json(by_alias=True)
    except PydanticSerializationError as error:
        raise DefinitionError([Fault("", "invalid_value", f"it cannot be written as JSON: {error}")]) from None
    return text, _seal(text)


def read_document(model: type[D], text: str, seal: str, damaged: Callable[[str], CatalogError]) -> D:
    """The definition in ``text``; raises what ``damaged`` makes of the reason."""
    if _seal(text) != seal:
        raise damaged("its checksum is wrong")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise damaged(f"not a valid {model.__name__} ({error.errors()[0]['msg']})") from None


def _seal(text: str) -> str:
    # Against damage, not against attack: 64 bits are plenty.
    return hashlib.sha256(text.encode()).hexdigest()[:16]
