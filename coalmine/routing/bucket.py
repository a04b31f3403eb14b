"""Routes of one path: which of them, if any, is the first to match a request.

Rule 1: this file performs no I/O.
Rule 2: the number of routes on a path does not slow a lookup down where they tell themselves apart by the value of a
    header or a query parameter: those are found in a dict by that value. The others are tried one by one.
Rule 3: a route behind one without conditions is left out: it can never be the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from coalmine.routing.conditions import Condition, Facts, HeaderCondition, QueryCondition
from coalmine.routing.matcher import CompiledMatch


class Ranked(Protocol):
    """``rank`` is the place in the effective order."""

    rank: int
    match: CompiledMatch


class Entry:
    """A route as a bucket sees it: conditions that are still to be checked."""

    __slots__ = ("bind", "conditions", "methods", "owner", "rank")

    def __init__(self, owner: Ranked, indexed: Condition | None = None) -> None:
        self.owner = owner
        self.rank = owner.rank
        self.bind = owner.match.path.bind
        self.methods = owner.match.methods
        self.conditions = tuple(one for one in owner.match.conditions if one is not indexed)


Entries = list[Entry]
_NO_HEADERS: dict[bytes, dict[bytes, Entries]] = {}
_NO_QUERY: dict[str, dict[str, Entries]] = {}


class Bucket:
    """``first_rank`` is the lowest rank in it."""

    __slots__ = ("_by_header", "_by_query", "_plain", "first_rank")

    def __init__(self, owners: Sequence[Ranked]) -> None:
        """``owners`` by rank; at least one."""
        self.first_rank = owners[0].rank
        self._plain: Entries = []
        self._by_header: dict[bytes, dict[bytes, Entries]] = {}
        self._by_query: dict[str, dict[str, Entries]] = {}
        for owner in owners:
            self._add(owner)
            if owner.match.methods is None and not owner.match.conditions:
                break
        # Most buckets need no index: one empty dict for all of them keeps a large table in the processor's cache.
        self._by_header = self._by_header or _NO_HEADERS
        self._by_query = self._by_query or _NO_QUERY

    def _add(self, owner: Ranked) -> None:
        for condition in owner.match.conditions:
            if isinstance(condition, HeaderCondition) and condition.value is not None:
                values = self._by_header.setdefault(condition.name, {})
                values.setdefault(condition.value, []).append(Entry(owner, condition))
                return
        for condition in owner.match.conditions:
            if isinstance(condition, QueryCondition) and condition.value is not None:
                found = self._by_query.setdefault(condition.name, {})
                found.setdefault(condition.value, []).append(Entry(owner, condition))
                return
        self._plain.append(Entry(owner))

    def find(self, facts: Facts, limit: int) -> Entry | None:
        """The first entry that matches and whose rank is lower than ``limit``."""
        best = first_match(self._plain, facts, limit)
        if best is not None:
            limit = best.rank
        if self._by_header:
            facts.looked = True
            for entries in self._header_hits(facts):
                found = first_match(entries, facts, limit)
                if found is not None:
                    best, limit = found, found.rank
        if self._by_query:
            facts.looked = True
            for entries in self._query_hits(facts):
                found = first_match(entries, facts, limit)
                if found is not None:
                    best, limit = found, found.rank
        return best

    def _header_hits(self, facts: Facts) -> list[Entries]:
        hits: list[Entries] = []
        by_header = self._by_header
        several: dict[bytes, list[bytes]] = {}
        for name, value in facts.head.headers:
            values = by_header.get(name)
            if values is not None:
                several.setdefault(name, []).append(value)
                entries = values.get(value)
                if entries is not None:
                    hits.append(entries)
        for name, found in several.items():
            if len(found) > 1:
                entries = by_header[name].get(b",".join(found))
                if entries is not None:
                    hits.append(entries)
        return hits

    def _query_hits(self, facts: Facts) -> list[Entries]:
        query = facts.query()
        hits: list[Entries] = []
        for name, values in self._by_query.items():
            for value in query.get(name, ()):
                entries = values.get(value)
                if entries is not None:
                    hits.append(entries)
        return hits


def first_match(entries: Entries, facts: Facts, limit: int) -> Entry | None:
    """The first of ``entries`` (by rank) whose remaining conditions hold, below ``limit``."""
    method = facts.head.method
    for entry in entries:
        if entry.rank >= limit:
            return None
        if entry.methods is None or method in entry.methods:
            for condition in entry.conditions:
                facts.looked = True
                if not condition.holds(facts):
                    break
            else:
                return entry
    return None
