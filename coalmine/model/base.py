"""What every definition has in common. This file performs no I/O."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# DNS-label like, so that a name stands in URLs, metrics and file names as it is.
NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Definition(BaseModel):
    """A frozen value as people and discovery write it; keys it does not know are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, regex_engine="python-re", strict=False
    )
