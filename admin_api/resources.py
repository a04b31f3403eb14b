"""Create, replace, patch and delete one definition of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import Response

from admin_api.answers import answer
from admin_api.etags import check_if_match, check_if_none_match, hash_definition
from admin_api.patch import merge_patch
from admin_api.problems import InUseError
from admin_api.representations import dump
from admin_api.served import Served
from admin_api.writes import API, Call, Write, transaction
from coalmine.catalog import Reader, Writer
from coalmine.errors import ConflictError, Fault
from coalmine.model import Definition
from coalmine.model.salvage import Reading
from coalmine.settings import Settings

D = TypeVar("D", bound=Definition)


@dataclass(frozen=True, slots=True)
class Resource(Generic[D]):
    """One kind of definition, as writing and showing it needs to know it."""

    plural: str  # in paths, and in the `where` of problems
    get: Callable[[Reader, str], D]
    find: Callable[[Reader, str], D | None]
    put: Callable[[Writer, D], bool]
    delete: Callable[[Writer, str], bool]
    read: Callable[[Writer, dict[str, Any]], Reading[D]]  # with every fault
    show: Callable[[D, Reader, Served], dict[str, Any]]
    used_by: Callable[[Reader, str], list[str]]
    wakes_prober: bool = False
    check: Callable[[D, Settings], Iterable[Fault]] = lambda item, settings: ()  # what only the settings can tell


def create(resource: Resource[D], call: Call, body: dict[str, Any]) -> Response:
    with transaction(call, f"create {resource.plural}", wake=resource.wakes_prober) as write:
        item = _read(resource, write, body).require(body)
        if resource.find(write.writer, name_of(item)) is not None:
            hint = f"PUT {API}/{resource.plural}/{name_of(item)} replaces it"
            raise ConflictError(f"{resource.plural}/{name_of(item)} exists already", hint=hint)
        resource.put(write.writer, item)
        write.summary = f"create {resource.plural}/{name_of(item)}"
        write.show = _shown(resource, write, item)
    return _answer(resource, write, item, created=True)


def replace(resource: Resource[D], call: Call, name: str, body: dict[str, Any]) -> Response:
    with transaction(call, f"replace {resource.plural}/{name}", wake=resource.wakes_prober) as write:
        check_conditions(call, resource.find(write.writer, name))
        item = _read_named(resource, write, {"name": name, **body}, name)
        created = resource.put(write.writer, item)
        if created:
            write.summary = f"create {resource.plural}/{name}"
        write.show = _shown(resource, write, item)
    return _answer(resource, write, item, created=created)


def patch(resource: Resource[D], call: Call, name: str, change: dict[str, Any]) -> Response:
    with transaction(call, f"change {resource.plural}/{name}", wake=resource.wakes_prober) as write:
        current = resource.get(write.writer, name)
        check_conditions(call, current)
        item = _read_named(resource, write, merge_patch(dump(current), change), name)
        resource.put(write.writer, item)
        write.show = _shown(resource, write, item)
    return _answer(resource, write, item, created=False)


_HINT_IN_USE = "delete them first, or add ?force=true: they keep their place and answer with a problem"
_HINT_CANARY = "promote or abort the canary first, or add ?force=true"


def delete(resource: Resource[D], call: Call, name: str, *, force: bool) -> Response:
    with transaction(call, f"delete {resource.plural}/{name}", wake=resource.wakes_prober) as write:
        check_conditions(call, resource.get(write.writer, name))
        used_by = resource.used_by(write.writer, name)
        if used_by and not force:
            listed = ", ".join(used_by[:5]) + (f" and {len(used_by) - 5} more" if len(used_by) > 5 else "")
            hint = _HINT_CANARY if all(one.startswith("canaries/") for one in used_by) else _HINT_IN_USE
            raise InUseError(f"{resource.plural}/{name} is used by {listed}", used_by, hint=hint)
        resource.delete(write.writer, name)
    return _answer(resource, write, None, created=False)


def name_of(item: Definition) -> str:
    return str(getattr(item, "name"))  # noqa: B009  every definition that is written has one


def check_conditions(call: Call, current: Definition | None) -> None:
    found = None if current is None else hash_definition(dump(current))
    check_if_match(call.header("if-match"), found)
    check_if_none_match(call.header("if-none-match"), found)


def _read(resource: Resource[D], write: Write, body: dict[str, Any]) -> Reading[D]:
    reading = resource.read(write.writer, body)
    item = reading.definition
    return reading if item is None else reading.also(resource.check(item, write.call.parts.settings))


def _read_named(resource: Resource[D], write: Write, body: dict[str, Any], name: str) -> D:
    """``body``, which is to have the name of the address; raises DefinitionError with every fault."""
    reading = _read(resource, write, body)
    if body.get("name") != name:
        hint = "leave name out; to rename, create the new one and delete the old one"
        detail = f"the body names {body.get('name')!r}, the address {name!r}"
        reading = reading.also([Fault("/name", "invalid_value", detail, hint)])
    return reading.require(body)


def _shown(resource: Resource[D], write: Write, item: D) -> Callable[[Served], dict[str, Any]]:
    return lambda served: resource.show(item, write.writer, served)


def _answer(resource: Resource[D], write: Write, item: D | None, *, created: bool) -> Response:
    call = write.call
    if call.dry_run:
        return answer(call.request, write.would().model_dump(mode="json"), headers=write.headers())
    if item is None:
        return Response(status_code=204, headers=write.headers())
    with call.parts.catalog.read() as reader:
        value = resource.show(item, reader, call.parts.served())
    headers = write.headers() | ({"location": f"{API}/{resource.plural}/{name_of(item)}"} if created else {})
    return answer(call.request, value, definition=dump(item), status=201 if created else 200, headers=headers)
