"""How a definition is written: one transaction, then published, then answered.

Rule 1: preconditions, checks and the write see one state, that of the transaction.
Rule 2: a fault found anywhere raises, and the transaction is gone: nothing is half done.
Rule 3: the answer is sent after ``feed.publish()``: the local engines serve the write when its author hears of it.
Rule 4: a dry run does all of it but the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.differences import Change, diff, list_objects
from admin_api.etags import check_if_match, check_if_none_match, hash_definition
from admin_api.parts import Parts
from admin_api.patch import merge_patch
from admin_api.problems import InUseError
from admin_api.representations import dump
from admin_api.served import Served, index_snapshot
from coalmine.catalog import Reader, Writer
from coalmine.errors import ConflictError, DefinitionError, Fault, Problem
from coalmine.model import Definition, Definitions
from coalmine.routing.build import build_snapshot

D = TypeVar("D", bound=Definition)
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Resource(Generic[D]):
    """One kind of definition, as writing and showing it needs to know it."""

    plural: str  # in paths, and in the `where` of problems
    get: Callable[[Reader, str], D]
    find: Callable[[Reader, str], D | None]
    put: Callable[[Writer, D], bool]
    delete: Callable[[Writer, str], bool]
    parse: Callable[[Writer, dict[str, Any]], D]  # raises DefinitionError with every fault
    show: Callable[[D, Reader, Served], dict[str, Any]]
    used_by: Callable[[Reader, str], list[str]]
    wakes_prober: bool = False


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


def create(resource: Resource[D], call: Call, body: dict[str, Any]) -> Response:
    with _transaction(call) as transaction:
        writer = transaction.writer
        item = resource.parse(writer, body)
        if resource.find(writer, name_of(item)) is not None:
            hint = f"PUT {API}/{resource.plural}/{name_of(item)} replaces it"
            raise ConflictError(f"{resource.plural}/{name_of(item)} exists already", hint=hint)
        resource.put(writer, item)
        transaction.note(resource, item)
    return transaction.finish(resource, item, created=True)


def replace(resource: Resource[D], call: Call, name: str, body: dict[str, Any]) -> Response:
    with _transaction(call) as transaction:
        check_conditions(call, resource.find(transaction.writer, name))
        item = resource.parse(transaction.writer, {"name": name, **body})
        check_agreement(item, name)
        created = resource.put(transaction.writer, item)
        transaction.note(resource, item)
    return transaction.finish(resource, item, created=created)


def patch(resource: Resource[D], call: Call, name: str, change: dict[str, Any]) -> Response:
    with _transaction(call) as transaction:
        current = resource.get(transaction.writer, name)
        check_conditions(call, current)
        item = resource.parse(transaction.writer, merge_patch(dump(current), change))
        check_agreement(item, name)
        resource.put(transaction.writer, item)
        transaction.note(resource, item)
    return transaction.finish(resource, item, created=False)


def delete(resource: Resource[D], call: Call, name: str, *, force: bool) -> Response:
    with _transaction(call) as transaction:
        check_conditions(call, resource.get(transaction.writer, name))
        used_by = resource.used_by(transaction.writer, name)
        if used_by and not force:
            listed = ", ".join(used_by[:5]) + (f" and {len(used_by) - 5} more" if len(used_by) > 5 else "")
            hint = "delete them first, or add ?force=true: they keep their place and answer with a problem"
            raise InUseError(f"{resource.plural}/{name} is used by {listed}", used_by, hint=hint)
        resource.delete(transaction.writer, name)
        transaction.note(resource, None)
    return transaction.finish(resource, None, created=False)


def name_of(item: Definition) -> str:
    return str(getattr(item, "name"))  # noqa: B009  every definition that is written has one


def check_conditions(call: Call, current: Definition | None) -> None:
    found = None if current is None else hash_definition(dump(current))
    check_if_match(call.header("if-match"), found)
    check_if_none_match(call.header("if-none-match"), found)


def check_agreement(item: Definition, name: str) -> None:
    if name_of(item) != name:
        hint = "leave name out; to rename, create the new one and delete the old one"
        detail = f"the body names {name_of(item)!r}, the address {name!r}"
        raise DefinitionError([Fault("/name", "invalid_value", detail, hint)])


class _Transaction:
    """A write under way; what a dry run tells is noted before it is rolled back."""

    def __init__(self, call: Call, writer: Writer) -> None:
        self.writer = writer
        self._call = call
        self._before: Definitions | None = writer.load_definitions() if call.dry_run else None
        self._would: DryRunBody | None = None

    def note(self, resource: Resource[D], item: D | None) -> None:
        if self._before is not None:
            self._would = foresee(
                self.writer,
                self._before,
                lambda served: None if item is None else resource.show(item, self.writer, served),
            )
            self.writer.rollback()

    def finish(self, resource: Resource[D], item: D | None, *, created: bool) -> Response:
        call = self._call
        if self._would is not None:
            return answer(call.request, self._would.model_dump(mode="json"))
        publish(call.parts, wake=resource.wakes_prober)
        if item is None:
            return Response(status_code=204)
        with call.parts.catalog.read() as reader:
            value = resource.show(item, reader, call.parts.served())
        headers = {"location": f"{API}/{resource.plural}/{name_of(item)}"} if created else None
        return answer(call.request, value, definition=dump(item), status=201 if created else 200, headers=headers)


@contextmanager
def _transaction(call: Call) -> Iterator[_Transaction]:
    with call.parts.catalog.write() as writer:
        yield _Transaction(call, writer)


def publish(parts: Parts, *, wake: bool) -> None:
    parts.feed.publish()
    if wake:
        parts.prober.wake()


def foresee(writer: Writer, before: Definitions, show: Callable[[Served], dict[str, Any] | None]) -> DryRunBody:
    """What the open transaction of ``writer`` would change, and which problems it would bring."""
    after = writer.load_definitions()
    snapshot = build_snapshot(after)
    known = set(map(str, map(asdict, build_snapshot(before).problems)))
    shown = show(index_snapshot(snapshot))
    return DryRunBody(
        object=shown,
        problems=[problem for problem in snapshot.problems if str(asdict(problem)) not in known],
        changes=diff(list_objects(before), list_objects(after)),
    )
