"""How anything is written: one transaction, one revision, then published, then answered.

Rule 1: preconditions, checks and the write see one state, that of the transaction.
Rule 2: a fault found anywhere raises, and the transaction is gone: nothing is half done.
Rule 3: what was changed is one revision, written in the same transaction; handlers do not know of it.
Rule 4: the answer is sent after ``feed.publish()``: the local engines serve the write when its author hears of it.
Rule 5: a dry run does all of it but the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from admin_api.actors import find_actor
from admin_api.differences import Change, tell, tell_definition
from admin_api.effects import find_effect, find_new_problems
from admin_api.parts import Parts
from admin_api.served import Served, index_snapshot
from coalmine.catalog import Writer
from coalmine.errors import Problem
from coalmine.model import Definitions
from coalmine.model.revision import ObjectChange, Signature

API = "/api/v1"
_NAMED_IN_HEADER = 20  # drifted objects; a header has to stay short
_CANARIES = "canaries/"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to write."""

    request: Request
    parts: Parts
    dry_run: bool = False

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)


class DryRunBody(BaseModel):
    """What a write would do."""

    dry_run: bool = True
    object: dict[str, Any] | None
    problems: list[Problem]
    changes: list[Change]


@dataclass(slots=True)
class Write:
    """A write under way. Its handler says in ``summary`` what it does; the rest is known when the block has ended."""

    call: Call
    writer: Writer
    before: Definitions
    summary: str
    owner: str | None = None  # the set of files that is written; its own changes are no drift
    show: Callable[[Served], dict[str, Any] | None] = lambda served: None  # what a dry run shows
    object: dict[str, Any] | None = None
    revision: int | None = None
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    drifted: dict[str, str] = field(default_factory=dict)  # changed by this write: the set it belongs to, by object

    def headers(self) -> dict[str, str]:
        """What every answer to a write tells beside its body."""
        told = {} if self.revision is None else {"coalmine-revision": str(self.revision)}
        if self.drifted:
            named = [f"{name} ({owner})" for name, owner in list(self.drifted.items())[:_NAMED_IN_HEADER]]
            told["coalmine-drifted"] = ", ".join(named)
        return told

    def would(self) -> DryRunBody:
        return DryRunBody(object=self.object, problems=self.problems, changes=self.definition_changes())

    def definition_changes(self) -> list[Change]:
        """Without canaries and owners, which are told by themselves."""
        told = [tell_definition(change) for change in self.changes if not change.object.startswith(_CANARIES)]
        return [change for change in told if change.keys or change.action != "change"]

    def close(self) -> None:
        """Find out what was done; make it a revision, or take it back."""
        changed = self.writer.list_changes().objects
        build = self.call.parts.feed.build
        before, after = build(self.before), build(self.writer.load_definitions())
        self.changes, self.problems = tell(changed), find_new_problems(before, after)
        self.drifted = self._find_drifted(changed)
        if self.call.dry_run:
            self.object = self.show(index_snapshot(after))
            self.writer.rollback()
        else:
            effect = find_effect(changed, before, after)
            at, actor = self.call.parts.now(), find_actor(self.call.request)
            self.revision = self.writer.record(Signature(actor=actor, at=at, summary=self.summary, effect=effect))

    def _find_drifted(self, changed: tuple[ObjectChange, ...]) -> dict[str, str]:
        """What belongs to a set and is not as the set wrote it any more."""
        found: dict[str, str] = {}
        for change in changed:
            owned = change.ownership_before if change.after is None else change.ownership_after
            if owned is None or owned.owner == self.owner:
                continue
            if change.after is None or self.writer.owners.find(change.object).drifted:
                found[change.object] = owned.owner
        return found


@contextmanager
def transaction(call: Call, summary: str, *, owner: str | None = None, wake: bool = False) -> Iterator[Write]:
    """Everything in the block is one write; when the block has ended it is served. ``wake``: upstreams may be new."""
    with call.parts.catalog.write() as writer:
        write = Write(call, writer, writer.load_definitions(), summary, owner)
        yield write
        write.close()
    if not call.dry_run:
        call.parts.feed.publish()
        if wake:
            call.parts.prober.wake()
