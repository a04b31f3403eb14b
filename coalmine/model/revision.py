"""Revisions: what one accepted write changed, by whom and with what effect. This file performs no I/O.

An object is named as in the admin API's paths: ``upstreams/x``, ``virtual-services/x``, ``routes/x``, ``canaries/x``.
Documents of the past are JSON and not definitions: a later version must be able to show them whatever its model is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from coalmine.model.base import Definition

# Everything that no set of files has claimed belongs to this one.
API_OWNER = "api"

Action = Literal["add", "change", "remove"]


class Ownership(Definition):
    """That an object belongs to a set of files. ``seal`` is that of the object as the set wrote it."""

    owner: str
    seal: str


class ObjectChange(Definition):
    """One object before and after; None where it did not exist. ``ownership`` None: it belongs to the API."""

    object: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    ownership_before: Ownership | None = None
    ownership_after: Ownership | None = None
    place: int | None = Field(None, ge=0, description="of a removed route: how many routes were older")

    @property
    def action(self) -> Action:
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    @property
    def owner_before(self) -> str:
        return self.ownership_before.owner if self.ownership_before else API_OWNER

    @property
    def owner_after(self) -> str:
        return self.ownership_after.owner if self.ownership_after else API_OWNER

    @property
    def owner(self) -> str:
        """Whose it is, or was when it was removed."""
        return self.owner_before if self.after is None else self.owner_after


class Effect(Definition):
    """What a revision did to routes. Broken is one that became ``warning`` or ``rejected``, or worse than it was."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


class Signature(Definition):
    """Who wrote, when, and what it was in words."""

    actor: str
    at: datetime
    summary: str
    effect: Effect = Effect()


class Revision(Signature):
    """``number`` grows by one and is never used again."""

    number: int = Field(ge=1)
    objects: dict[Action, int] = Field(default_factory=dict, description="how many were added, changed, removed")
    reordered: bool = Field(False, description="routes got another age: equal ones may be asked in another order")
