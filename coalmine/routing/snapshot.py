"""The Snapshot: complete, consistent, immutable, plain data; the only thing that crosses to the engines.

Rule 1: data only. No compiled pattern, no closure, no clock: equal content has an equal version.
Rule 2: whatever an engine needs in order to serve is in here; engines never ask the catalog.
Rule 3: the version is a hash of the hashes of the parts, and a part remembers its own. Where most routes are the same
    objects as before, a new snapshot costs little, and its version is what it would be if all of them were new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from coalmine.errors import Problem
from coalmine.model import HealthCheck, Place, Route, Style, UpstreamTls

Shape = Literal["primitive", "array", "object"]

_digest_of = attrgetter("digest")


@dataclass(frozen=True, slots=True)
class CallParameter:
    """A parameter of a function, reduced to what calling needs."""

    name: str
    place: Place
    required: bool
    style: Style
    explode: bool
    shape: Shape = "primitive"
    allow_reserved: bool = False
    has_default: bool = False
    default: JsonValue = None


@dataclass(frozen=True, slots=True)
class ParameterSchema:
    """What a parameter has to fit: JSON Schema draft 2020-12, complete in itself (it has its own ``$defs``).

    ``is_json``: the text is a JSON document of its own (OpenAPI's ``content``).
    """

    place: Place
    name: str
    schema: dict[str, JsonValue] | bool
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class CallSchemas:
    """What calls are checked against, on routes that validate. ``body`` is for bodies of JSON; None checks nothing."""

    parameters: tuple[ParameterSchema, ...] = ()
    body: dict[str, JsonValue] | bool | None = None
    body_required: bool = False


@dataclass(frozen=True, slots=True)
class CallPlan:
    """How a request becomes a call of one function. ``path`` is a template, base path included."""

    function: str
    method: str
    path: str
    parameters: tuple[CallParameter, ...] = ()
    takes_body: bool = False
    body_content_types: tuple[str, ...] = ()
    schemas: CallSchemas | None = None


@dataclass(frozen=True, slots=True)
class ServedDestination:
    """A destination with its function resolved. With a ``problem`` (a code) it answers with that problem."""

    upstream: str
    weight: int = 1
    call: CallPlan | None = None
    parameters: tuple[tuple[str, str], ...] = ()  # overrides: parameter name, literal or template
    problem: str | None = None
    detail: str = ""

    @property
    def function(self) -> str | None:
        return self.call.function if self.call else None


@dataclass(frozen=True)  # no slots: text and digest are remembered
class ServedRoute:
    """A route as it is served. With a ``problem`` (a code) every request to it answers with that problem.

    ``shadowed_by`` names an earlier route that takes all its requests.
    """

    definition: Route
    destinations: tuple[ServedDestination, ...] = ()
    mirror: ServedDestination | None = None
    problem: str | None = None
    detail: str = ""
    shadowed_by: str | None = None

    @property
    def name(self) -> str:
        return self.definition.name

    @cached_property
    def text(self) -> bytes:
        """One line of JSON."""
        return _ROUTE.dump_json(self, by_alias=True, exclude_defaults=True)

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.text).digest()


@dataclass(frozen=True)  # no slots: the digest is remembered
class ServedVirtualService:
    """Domains and their routes, in effective order."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[ServedRoute, ...] = ()

    @cached_property
    def digest(self) -> bytes:
        shell = _SERVICE.dump_json(replace(self, routes=()), by_alias=True, exclude_defaults=True)
        return _hash(hashlib.sha256(shell).digest(), map(_digest_of, self.routes))


@dataclass(frozen=True, slots=True)
class ServedUpstream:
    name: str
    endpoints: tuple[str, ...]  # origins: scheme://host[:port]
    health_check: HealthCheck | None = None
    tls: UpstreamTls | None = None
    max_requests: int | None = None  # in flight from one worker; None: as its settings say


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is served. ``version`` is a content hash, compared only for equality."""

    version: str
    upstreams: tuple[ServedUpstream, ...] = ()
    virtual_services: tuple[ServedVirtualService, ...] = ()
    problems: tuple[Problem, ...] = ()


_SNAPSHOT: TypeAdapter[Snapshot] = TypeAdapter(Snapshot)
_SERVICE: TypeAdapter[ServedVirtualService] = TypeAdapter(ServedVirtualService)
_ROUTE: TypeAdapter[ServedRoute] = TypeAdapter(ServedRoute)


def make_snapshot(
    upstreams: tuple[ServedUpstream, ...] = (),
    virtual_services: tuple[ServedVirtualService, ...] = (),
    problems: tuple[Problem, ...] = (),
) -> Snapshot:
    """A snapshot with the version that its content has."""
    content = _hash(_shells.hash(upstreams, problems), map(_digest_of, virtual_services))
    # 16 hexadecimal digits: short enough to read aloud, and versions only ever tell apart a few snapshots.
    return Snapshot(content.hex()[:16], upstreams, virtual_services, problems)


def _hash(shell: bytes, digests: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join([shell, *digests])).digest()


class _Shells:
    """The hash of what a snapshot has beside virtual services: in most it is the same objects as in the last."""

    def __init__(self) -> None:
        self._last: tuple[tuple[ServedUpstream, ...], tuple[Problem, ...], bytes] = ((), (), b"")

    def hash(self, upstreams: tuple[ServedUpstream, ...], problems: tuple[Problem, ...]) -> bytes:
        known, told, digest = self._last
        if not digest or known is not upstreams or told != problems:
            digest = hashlib.sha256(dump_snapshot(Snapshot("", upstreams, (), problems))).digest()
            self._last = upstreams, problems, digest
        return digest


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """All of it as one JSON object, for people to look at."""
    return _SNAPSHOT.dump_json(snapshot, by_alias=True, exclude_defaults=True)


def parse_snapshot(text: bytes) -> Snapshot:
    """The snapshot in ``text``; raises ``pydantic.ValidationError``."""
    return _SNAPSHOT.validate_json(text)


def parse_route(line: bytes) -> ServedRoute:
    """The route whose ``text`` is ``line``; raises ``pydantic.ValidationError``."""
    route = _ROUTE.validate_json(line)
    vars(route)["text"] = line  # what it came as, so that its digest is that of what was sent
    return route


_shells = _Shells()
EMPTY = make_snapshot()
