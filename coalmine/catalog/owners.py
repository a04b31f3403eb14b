"""To which set of files an object belongs. What no set has claimed belongs to the API, and has no row here.

An object has drifted from its set when its seal is another one than when the set wrote it: writing it back by hand
mends that, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import sqlite
from sqlmodel import Session

from coalmine.catalog.held import Held
from coalmine.catalog.journal import SECTIONS, split_object
from coalmine.catalog.rows import CanaryRow, OwnerRow, RouteRow, UpstreamRow, VirtualServiceRow
from coalmine.model.revision import API_OWNER, Ownership

_owner: Table = OwnerRow.__table__  # type: ignore[attr-defined]
_ROWS = {"upstream": UpstreamRow, "virtual_service": VirtualServiceRow, "route": RouteRow, "canary": CanaryRow}
TABLES: dict[str, Table] = {SECTIONS[kind]: row.__table__ for kind, row in _ROWS.items()}  # type: ignore[attr-defined]
_BATCH = 500
_OFTEN = 8  # questions, after which reading all owners once is cheaper


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose an object is; ``drifted``: its set wrote it otherwise."""

    owner: str = API_OWNER
    drifted: bool = False


class Owners:
    """The owners as one transaction sees them."""

    def __init__(self, session: Session, held: Held) -> None:
        self._session = session
        self._held = held
        self._asked = 0
        self._known: dict[str, Owned] | None = None

    def find(self, name: str) -> Owned:
        """Whose the object ``name`` (``routes/find-pets``) is. Who asks often is answered from one reading of all."""
        if self._held.owners is not None and name not in self._held.owners:
            return Owned()
        self._asked += 1
        if self._asked > _OFTEN and self._known is None:
            self._known = {owned: found for section in TABLES for owned, found in self._find(section)}
        if self._known is not None:
            return self._known.get(name, Owned())
        section, own = split_object(name)
        found = self._find(section, TABLES[section].c.name == own, _owner.c.object == name)
        return next((owned for _, owned in found), Owned())

    def _find(self, section: str, *conditions: Any) -> Iterator[tuple[str, Owned]]:
        """Objects of ``section`` that belong to sets."""
        table = TABLES[section]
        same = _owner.c.object == f"{section}/" + table.c.name
        query = select(_owner.c.object, _owner.c.owner, _owner.c.seal, table.c.seal).join_from(_owner, table, same)
        for name, owner, written, seal in self._execute(query.where(*conditions)):
            yield name, Owned(owner, written != seal)

    def load(self, owner: str | None = None) -> dict[str, Ownership]:
        """Everything that belongs to sets, or to one of them."""
        if owner is None and self._held.owners is not None:
            return self._held.owners
        query = select(_owner.c.object, _owner.c.owner, _owner.c.seal).order_by(_owner.c.object)
        if owner is not None:
            query = query.where(_owner.c.owner == owner)
        found = {name: _make_ownership(whose, seal) for name, whose, seal in self._execute(query)}
        if owner is None:
            self._held.owners = found
        return found

    def drifted(self, owner: str) -> list[str]:
        """The objects of a set that somebody else changed since the set wrote them."""
        found = (one for section in TABLES for one in self._find(section, _owner.c.owner == owner))
        return sorted(name for name, owned in found if owned.drifted)

    def _execute(self, statement: Any, values: list[dict[str, Any]] | None = None) -> Any:
        return self._session.connection().execute(statement, values)


@lru_cache(maxsize=65_536)
def _make_ownership(owner: str, seal: str) -> Ownership:
    # Thousands of them in every write: our own, so not worth a validation each, and the same ones as in the last.
    return Ownership.model_construct(owner=owner, seal=seal)


class OwnersWriter(Owners):
    """The owners, and how they change."""

    def find(self, name: str) -> Owned:
        """As of now: nothing is remembered, for it may be written next."""
        self._asked = 0
        return super().find(name)

    def claim(self, names: Iterable[str], owner: str) -> None:
        """Objects that were just written by the set ``owner``."""
        listed: dict[str, list[str]] = {}
        for name in names:
            section, own = split_object(name)
            listed.setdefault(section, []).append(own)
        for section, own_names in listed.items():
            seals = self._seals(section, own_names)
            self._put({f"{section}/{own}": Ownership(owner=owner, seal=seal) for own, seal in seals.items()})

    def restore(self, owners: Mapping[str, Ownership | None]) -> None:
        """Exactly these; None: the object belongs to the API."""
        for name in owners:
            self.forget(name)
        self._put({name: owned for name, owned in owners.items() if owned is not None})

    def forget(self, name: str) -> None:
        if self._held.owners is None or name in self._held.owners:
            self._held.owners = None
            self._execute(delete(_owner).where(_owner.c.object == name))

    def _seals(self, section: str, names: list[str]) -> dict[str, str]:
        table = TABLES[section]
        seals: dict[str, str] = {}
        for start in range(0, len(names), _BATCH):
            batch = table.c.name.in_(names[start : start + _BATCH])
            seals.update(tuple(row) for row in self._execute(select(table.c.name, table.c.seal).where(batch)))
        return seals

    def _put(self, owners: Mapping[str, Ownership]) -> None:
        if not owners:
            return
        self._held.owners = None
        statement = sqlite.insert(_owner)
        new = {"owner": statement.excluded.owner, "seal": statement.excluded.seal}
        values = [{"object": name, "owner": owned.owner, "seal": owned.seal} for name, owned in owners.items()]
        self._execute(statement.on_conflict_do_update(index_elements=["object"], set_=new), values)
