"""To which set of files an object belongs. What no set has claimed belongs to the API, and has no row here.

An object has drifted from its set when its seal is another one than when the set wrote it: writing it back by hand
mends that, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import sqlite
from sqlmodel import Session

from coalmine.catalog.journal import SECTIONS, split_object
from coalmine.catalog.rows import CanaryRow, OwnerRow, RouteRow, UpstreamRow, VirtualServiceRow
from coalmine.model.revision import API_OWNER, Ownership

_owner: Table = OwnerRow.__table__  # type: ignore[attr-defined]
_ROWS = {"upstream": UpstreamRow, "virtual_service": VirtualServiceRow, "route": RouteRow, "canary": CanaryRow}
TABLES: dict[str, Table] = {SECTIONS[kind]: row.__table__ for kind, row in _ROWS.items()}  # type: ignore[attr-defined]
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose an object is; ``drifted``: its set wrote it otherwise."""

    owner: str = API_OWNER
    drifted: bool = False


class Owners:
    """The owners as one transaction sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str) -> Owned:
        """Whose the object ``name`` (``routes/find-pets``) is."""
        section, own = split_object(name)
        table = TABLES[section]
        query = select(_owner.c.owner, _owner.c.seal, table.c.seal).join_from(_owner, table, table.c.name == own)
        found = self._execute(query.where(_owner.c.object == name)).first()
        return Owned() if found is None else Owned(found[0], found[1] != found[2])

    def load(self, owner: str | None = None) -> dict[str, Ownership]:
        """Everything that belongs to sets, or to one of them."""
        query = select(_owner.c.object, _owner.c.owner, _owner.c.seal).order_by(_owner.c.object)
        if owner is not None:
            query = query.where(_owner.c.owner == owner)
        return {name: Ownership(owner=whose, seal=seal) for name, whose, seal in self._execute(query)}

    def drifted(self, owner: str) -> list[str]:
        """The objects of a set that somebody else changed since the set wrote them."""
        found: list[str] = []
        for section, table in TABLES.items():
            same = _owner.c.object == f"{section}/" + table.c.name
            query = select(_owner.c.object).join_from(_owner, table, same).where(_owner.c.owner == owner)
            found += self._execute(query.where(_owner.c.seal != table.c.seal)).scalars()
        return sorted(found)

    def _execute(self, statement: Any, values: list[dict[str, Any]] | None = None) -> Any:
        return self._session.connection().execute(statement, values)


class OwnersWriter(Owners):
    """The owners, and how they change."""

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
        statement = sqlite.insert(_owner)
        new = {"owner": statement.excluded.owner, "seal": statement.excluded.seal}
        values = [{"object": name, "owner": owned.owner, "seal": owned.seal} for name, owned in owners.items()]
        self._execute(statement.on_conflict_do_update(index_elements=["object"], set_=new), values)
