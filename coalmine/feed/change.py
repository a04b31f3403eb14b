"""A snapshot as it crosses to the workers and lies on disk: what has changed since the one before, or all of it.

    {"version", "base", "upstreams", "problems", "virtual_services"}\\n
    <a route>\\n
    ...

Rule 1: this file performs no I/O.
Rule 2: what the head leaves out, and a virtual service of which it gives the name alone, is as in the snapshot whose
    version is ``base``. Routes stand in the order in which the runs of the head take them.
Rule 3: whoever reads makes the version out of what he has put together. Nothing that differs from what was written is
    ever served.
Rule 4: reading goes by steps (routes are parsed one by one), so that requests can be served in between; routes and
    virtual services that stayed the same are the same objects.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from coalmine.errors import Problem
from coalmine.routing.snapshot import (
    EMPTY,
    ServedRoute,
    ServedUpstream,
    ServedVirtualService,
    Snapshot,
    make_snapshot,
    parse_route,
)

_NEW = -1  # as the place of a run: its routes are in the lines

Run = tuple[int, int]  # place of the first route among those of the base, or _NEW; how many


class MisfitError(ValueError):
    """A change cannot be applied to the snapshot that is there; the whole one can."""


@dataclass(frozen=True, slots=True)
class _Service:
    shell: ServedVirtualService  # without its routes
    routes: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class _Head:
    version: str
    virtual_services: tuple[str | _Service, ...]
    base: str | None = None
    upstreams: tuple[ServedUpstream, ...] | None = None
    problems: tuple[Problem, ...] | None = None


_HEAD: TypeAdapter[_Head] = TypeAdapter(_Head)


def write_change(base: Snapshot | None, new: Snapshot) -> bytes:
    """What makes ``new`` of ``base``; of nothing, all of it."""
    known = {} if base is None else {service.name: service for service in base.virtual_services}
    lines: list[bytes] = []
    services = tuple(_write_service(known.get(service.name), service, lines) for service in new.virtual_services)
    head = _Head(
        new.version,
        services,
        None if base is None else base.version,
        None if base is not None and base.upstreams == new.upstreams else new.upstreams,
        None if base is not None and base.problems == new.problems else new.problems,
    )
    return b"\n".join([_HEAD.dump_json(head, by_alias=True, exclude_defaults=True), *lines])


def _write_service(base: ServedVirtualService | None, new: ServedVirtualService, lines: list[bytes]) -> str | _Service:
    if base is not None and base.digest == new.digest:
        return new.name
    places = {} if base is None else {route.digest: place for place, route in enumerate(base.routes)}
    runs: list[Run] = []
    for route in new.routes:
        place = places.get(route.digest, _NEW)
        if place == _NEW:
            lines.append(route.text)
        start, count = runs[-1] if runs else (0, 0)
        if count and place == (_NEW if start == _NEW else start + count):
            runs[-1] = start, count + 1
        else:
            runs.append((place, 1))
    return _Service(replace(new, routes=()), tuple(runs))


def read_change(base: Snapshot | None, body: bytes) -> Generator[None, None, Snapshot]:
    """Steps to the snapshot that ``body`` makes of ``base``; raises MisfitError, or another ValueError."""
    start, *lines = body.split(b"\n")
    head = _HEAD.validate_json(start)
    if head.base is not None and (base is None or base.version != head.base):
        raise MisfitError(f"it is about {head.base}, and here is {None if base is None else base.version}")
    reader = _Reader(base or EMPTY, lines, by_text=head.base is None)
    services: list[ServedVirtualService] = []
    for service in head.virtual_services:
        services.append((yield from reader.read_service(service)))  # noqa: PERF401  no comprehension yields
    upstreams = reader.base.upstreams if head.upstreams is None else head.upstreams
    problems = reader.base.problems if head.problems is None else head.problems
    made = make_snapshot(upstreams, tuple(services), problems)
    if made.version != head.version:
        reason = f"it makes {made.version} and not {head.version}"
        raise ValueError(reason) if head.base is None else MisfitError(reason)
    return made


class _Reader:
    """``by_text``: routes of the base are found by their text, because no runs tell where they are."""

    def __init__(self, base: Snapshot, lines: Sequence[bytes], *, by_text: bool) -> None:
        self.base = base
        self._lines: Iterator[bytes] = iter(lines)
        self._services = {service.name: service for service in base.virtual_services}
        self._known: dict[bytes, ServedRoute] = {}
        if by_text:
            self._known = {route.text: route for service in base.virtual_services for route in service.routes}

    def read_service(self, service: str | _Service) -> Generator[None, None, ServedVirtualService]:
        if isinstance(service, str):
            return _present(self._services.get(service), service)
        name = service.shell.name
        base = self._services.get(name)
        routes: list[ServedRoute] = []
        for place, count in service.routes:
            if place == _NEW:
                yield from self._read_routes(routes, count)
            else:
                routes += _present(base, name).routes[place : place + count]
        made = replace(service.shell, routes=tuple(routes))
        return base if base is not None and base.digest == made.digest else made

    def _read_routes(self, routes: list[ServedRoute], count: int) -> Iterator[None]:
        for _ in range(count):
            line = next(self._lines, b"")
            route = self._known.get(line) or parse_route(line)
            assert route.digest  # worked out now, in a step of its own
            routes.append(route)
            yield


def _present(service: ServedVirtualService | None, name: str) -> ServedVirtualService:
    if service is None:
        raise MisfitError(f"there is no virtual service {name} that could stay as it is")
    return service
