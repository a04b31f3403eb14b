"""The Snapshot: complete, consistent, immutable, plain data; the only thing that crosses to the engines.

Rule 1: data only. No compiled pattern, no closure, no clock: equal content has an equal version.
Rule 2: whatever an engine needs in order to serve is in here; engines never ask the catalog.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from coalmine.errors import Problem
from coalmine.model import Place, Route, Style

Shape = Literal["primitive", "array", "object"]


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


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route as it is served. With a ``problem`` (a code) every request to it answers with that problem."""

    definition: Route
    destinations: tuple[ServedDestination, ...] = ()
    mirror: ServedDestination | None = None
    problem: str | None = None
    detail: str = ""

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class ServedVirtualService:
    """Domains and their routes, in effective order."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[ServedRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class ServedUpstream:
    name: str
    endpoints: tuple[str, ...]  # origins: scheme://host[:port]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is served. ``version`` is a content hash, compared only for equality."""

    version: str
    upstreams: tuple[ServedUpstream, ...] = ()
    virtual_services: tuple[ServedVirtualService, ...] = ()
    problems: tuple[Problem, ...] = ()


_ADAPTER: TypeAdapter[Snapshot] = TypeAdapter(Snapshot)


def make_snapshot(
    upstreams: tuple[ServedUpstream, ...] = (),
    virtual_services: tuple[ServedVirtualService, ...] = (),
    problems: tuple[Problem, ...] = (),
) -> Snapshot:
    """A snapshot with the version that its content has."""
    content = _ADAPTER.dump_json(
        Snapshot("", upstreams, virtual_services, problems), by_alias=True, exclude_defaults=True
    )
    # 16 hexadecimal digits: short enough to read aloud, and versions only ever tell apart a few snapshots.
    return Snapshot(hashlib.sha256(content).hexdigest()[:16], upstreams, virtual_services, problems)


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """The JSON that crosses to the workers and lies on disk."""
    return _ADAPTER.dump_json(snapshot, by_alias=True, exclude_defaults=True)


def parse_snapshot(text: bytes) -> Snapshot:
    """The snapshot in ``text``; raises ``pydantic.ValidationError``."""
    return _ADAPTER.validate_json(text)


EMPTY = make_snapshot()
