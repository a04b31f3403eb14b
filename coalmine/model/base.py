"""What every definition has in common. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Sized
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# DNS-label like, so that a name stands in URLs, metrics and file names as it is.
NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"

_Collection = TypeVar("_Collection", bound=Sized)


def check_not_empty(value: _Collection) -> _Collection:
    """Where pydantic's ``min_length`` would complain a second time about a bad item, this stays silent."""
    if not len(value):
        raise ValueError("at least one is needed")
    return value


def refuse_truth(value: Any) -> Any:
    """YAML's ``yes`` and ``on`` are truth values, which pydantic would take for 1."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


Whole = Annotated[int, BeforeValidator(refuse_truth)]
Number = Annotated[float, BeforeValidator(refuse_truth)]
NotEmpty = AfterValidator(check_not_empty)
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Definition(BaseModel):
    """A frozen value as people and discovery write it; keys it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def __eq__(self, other: object) -> bool:
        # A route that is written without its defaults is compared with each of them; pydantic's own way is slow.
        if self is other:
            return True
        return type(self) is type(other) and (vars(self) == vars(other) or super().__eq__(other))
