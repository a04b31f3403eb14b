"""What the tables hold, as far as it is known: so a write costs what it changes, and not what there is. No I/O.

Rule 1: all writes go over one connection. What the tables held when its last transaction ended they hold still, unless
    somebody else has committed since, and that SQLite tells (``PRAGMA data_version``).
Rule 2: a transaction changes a copy, which takes the place of the original when it is committed and not before. What is
    copied of a table is the table as a whole, and only of those that it writes to.
Rule 3: whoever writes says what he has written. What cannot be said exactly is forgotten, and read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import itemgetter
from typing import Any

from coalmine.model import Definition, Definitions, Document, Function
from coalmine.model.pin import Pin
from coalmine.model.revision import Ownership

Key = tuple[str, ...]
Entry = tuple[str, Any]  # seal and definition
Table = dict[Key, Entry]

_definition = itemgetter(1)


class Held:
    """By model, in the order in which definitions are listed. What is not here has to be read."""

    def __init__(self) -> None:
        self._tables: dict[type[Definition], Table] = {}
        self._lists: dict[type[Definition], tuple[Any, ...]] = {}
        self._shared: set[type[Definition]] = set()  # with the copy or the original: not to be changed in place
        self._unsorted: set[type[Definition]] = set()
        self.pending: frozenset[str] | None = None
        self.owners: dict[str, Ownership] | None = None
        self.documents_of: tuple[str, ...] | None = None  # the upstreams whose documents are listed
        self.stale_uses: set[Key] = set()  # functions that may be used now, or not any more, or be other ones
        self.definitions: Definitions | None = None

    def copy(self) -> Held:
        made = Held()
        made._tables, made._lists = dict(self._tables), dict(self._lists)
        made._shared, made._unsorted = set(self._tables), set(self._unsorted)
        made.pending, made.owners, made.documents_of = self.pending, self.owners, self.documents_of
        made.stale_uses, made.definitions = set(self.stale_uses), self.definitions
        return made

    def knows(self, model: type[Definition]) -> bool:
        return model in self._tables

    def table(self, model: type[Definition]) -> Mapping[Key, Entry]:
        return self._tables[model]

    def list(self, model: type[Definition]) -> tuple[Any, ...]:
        if model not in self._lists:
            if model in self._unsorted:
                self._tables[model] = _sorted(self._tables[model])
                self._shared.discard(model)
                self._unsorted.discard(model)
            self._lists[model] = tuple(map(_definition, self._tables[model].values()))
        return self._lists[model]

    def by_name(self, model: type[Definition]) -> dict[str, Any]:
        """Of a model whose key is its name."""
        listed = self.list(model)
        return dict(zip(map(itemgetter(0), self._tables[model]), listed, strict=True))

    def set(self, model: type[Definition], table: Table) -> None:
        self._change(model)
        self._shared.discard(model)
        self._unsorted.discard(model)
        self._tables[model] = table

    def put(self, model: type[Definition], key: Key, entry: Entry, *, by_age: bool) -> None:
        """What is new stands last where the age gives the order, otherwise where its key has its place."""
        table = self._writable(model)
        if table is None:
            return
        if not by_age and key not in table:
            self._unsorted.add(model)
        table[key] = entry

    def drop(self, model: type[Definition], key: Key) -> None:
        table = self._writable(model)
        if table is not None:
            table.pop(key, None)

    def replace(self, model: type[Definition], gone: Collection[Key], found: Table) -> None:
        """All whose key begins with one of ``gone``, by those in ``found``."""
        size = len(next(iter(gone)))
        kept = {key: entry for key, entry in self._tables[model].items() if key[:size] not in gone}
        self.set(model, _sorted(kept | found))

    def forget(self, *models: type[Definition]) -> None:
        for model in models:
            self._change(model)
            self._tables.pop(model, None)

    def forget_discovered(self) -> None:
        """Everything that probes find out."""
        self.pending, self.definitions = None, None
        self.forget(Function, Document, Pin)

    def _change(self, model: type[Definition]) -> None:
        self.definitions = None
        self._lists.pop(model, None)

    def _writable(self, model: type[Definition]) -> Table | None:
        self._change(model)
        if model in self._shared:
            self._tables[model] = dict(self._tables[model])
            self._shared.discard(model)
        return self._tables.get(model)


def _sorted(table: Table) -> Table:
    # As SQLite sorts text: by its UTF-8, which is the order of code points.
    return dict(sorted(table.items(), key=itemgetter(0)))
