"""What a row of the case table is, and compact builders for its parts.

A row says: with these definitions and this request, that upstream gets that call, or the client gets that answer.
It can be run by the pure ``decide`` (``tests.support.dry``), by an engine over sockets and by the admin API's
``match``. Upstreams have made-up endpoints; whoever runs real ones replaces them (``Case.with_endpoints``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from coalmine.model import (
    DEFAULT_STYLES,
    Definitions,
    Destination,
    Document,
    Function,
    Parameter,
    Place,
    RequestBody,
    Route,
    Upstream,
    VirtualService,
)

Pairs = tuple[tuple[str, str], ...]
HOST = "gateway.test"


@dataclass(frozen=True)
class Request:
    """``target`` is the request target as the client writes it; ``headers`` come without Host and framing."""

    method: str
    target: str
    headers: Pairs = ()
    body: bytes = b""
    host: str = HOST
    source: str = "127.0.0.1"  # only addresses of 127.0.0.0/8, so that sockets can be bound to them


@dataclass(frozen=True)
class Call:
    """The upstream gets this. ``headers`` must be there with just this value, ``absent`` ones must not.

    ``body`` None is "whatever the client sent". ``adds`` are headers that the client's answer gets; a value that
    ends in ``*`` is a prefix. Edits of the route are applied by an engine alone: ``edited`` are headers after them, the
    values of several fields joined with commas, ``gone`` those that they take away, ``answered`` those of the answer.
    ``mirror`` is the copy: upstream, method, target.
    """

    upstream: str
    method: str
    target: str
    headers: Pairs = ()
    absent: tuple[str, ...] = ()
    body: bytes | None = None
    adds: Pairs = ()
    edited: Pairs = ()
    gone: tuple[str, ...] = ()
    answered: Pairs = ()
    delay_seconds: float = 0.0
    mirror: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Answer:
    """The client gets this and no upstream gets anything. ``body`` None is not compared; members are of the problem."""

    status: int
    code: str | None = None
    headers: Pairs = ()
    absent: tuple[str, ...] = ()
    body: bytes | None = None
    members: tuple[tuple[str, Any], ...] = ()
    delay_seconds: float = 0.0


@dataclass(frozen=True)
class Case:
    """``name`` is a sentence, ``origin`` names the foreign test that the row comes from.

    ``earlier`` counts the same requests just before, whose outcomes do not matter.
    """

    name: str
    group: str
    definitions: Definitions
    request: Request
    expected: Call | Answer
    draws: tuple[float, ...] = ()
    body_limit: int = 1_048_576
    origin: str = ""
    earlier: int = 0

    def draw(self) -> Callable[[], float]:
        """Chance for one request: the row's draws, then the middle for ever."""
        rest = list(self.draws)
        return lambda: rest.pop(0) if rest else 0.5

    def with_endpoints(self, endpoints: Mapping[str, str]) -> Definitions:
        """The definitions with real origins by upstream name."""
        upstreams = tuple(
            upstream.model_copy(update={"endpoints": (endpoints.get(upstream.name, upstream.endpoints[0]),)})
            for upstream in self.definitions.upstreams
        )
        return replace(self.definitions, upstreams=upstreams)


SEEN = datetime(2019, 2, 19, tzinfo=UTC)


def param(name: str, place: Place, schema: Mapping[str, Any] | str = "string", **more: Any) -> Parameter:
    """``schema`` may be the bare name of a type; style and explode default as OpenAPI says."""
    style = more.pop("style", DEFAULT_STYLES[place])
    explode = more.pop("explode", style in ("form", "deepObject"))
    written = {"type": schema} if isinstance(schema, str) else dict(schema)
    if (default := more.pop("default", None)) is not None:
        written["default"] = default
    required = more.pop("required", place == "path")
    return Parameter.model_validate(
        {"name": name, "in": place, "schema": written, "style": style, "explode": explode, "required": required, **more}
    )


def function(
    name: str, method: str, path: str, *parameters: Parameter, upstream: str = "v1", body: str | None = None
) -> Function:
    """``body`` is the content type that the function takes."""
    return Function(
        upstream=upstream,
        name=name,
        method=method,
        path=path,
        parameters=parameters,
        request_body=RequestBody(content_types=(body,)) if body else None,
        first_seen=SEEN,
        last_seen=SEEN,
    )


def to(upstream: str, function: str | None = None, weight: int = 1, **parameters: Any) -> Destination:
    return Destination(upstream=upstream, function=function, weight=weight, parameters=parameters)


def route(name: str, path: str | Mapping[str, str] = "/", *destinations: Destination, **more: Any) -> Route:
    """A path that is a text is a prefix. Conditions and options are keyword arguments."""
    match: dict[str, Any] = {"path": {"prefix": path} if isinstance(path, str) else path}
    for key in ("methods", "headers", "query", "source_cidrs"):
        if key in more:
            match[key] = more.pop(key)
    content = {"virtual_service": "main", **more, "name": name, "match": match}
    return Route.model_validate({**content, "destinations": [one.model_dump() for one in destinations]})


def petstore(upstream: str) -> tuple[Function, ...]:
    """The article's petstore."""
    return (
        function(
            "findPets",
            "GET",
            "/api/pets",
            param("tags", "query", {"type": "array", "items": {"type": "string"}}, explode=False),
            param("limit", "query", "integer"),
            upstream=upstream,
        ),
        function("findPetById", "GET", "/api/pets/{id}", param("id", "path", "integer"), upstream=upstream),
        function("addPet", "POST", "/api/pets", upstream=upstream, body="application/json"),
        function("deletePet", "DELETE", "/api/pets/{id}", param("id", "path", "integer"), upstream=upstream),
    )


PETSTORES = (*petstore("v1"), *petstore("v2"))
UPSTREAMS = tuple(
    Upstream(name=name, endpoints=(f"http://127.0.0.1:{port}",)) for name, port in (("v1", 9001), ("v2", 9002))
)
SERVICES = (VirtualService(name="main"),)


def define(
    *routes: Route,
    functions: Sequence[Function] = (),
    services: Sequence[VirtualService] = SERVICES,
    pending: frozenset[str] = frozenset(),
    upstreams: Sequence[Upstream] = UPSTREAMS,
    documents: Sequence[Document] = (),
) -> Definitions:
    """Two petstores, v1 and v2, a virtual service for every host, and what is given."""
    return Definitions(tuple(upstreams), (*PETSTORES, *functions), tuple(services), routes, pending, tuple(documents))


def ask(method: str, target: str, /, *, body: bytes | str = b"", kind: str | None = None, **headers: str) -> Request:
    """A request; ``x_canary="true"`` is the header ``x-canary: true``, ``kind`` the content type of the body."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items() if name not in ("host", "source")]
    if kind is not None:
        pairs.append(("content-type", kind))
    data = body.encode() if isinstance(body, str) else body
    return Request(method, target, tuple(pairs), data, headers.get("host", HOST), headers.get("source", "127.0.0.1"))


def get(target: str, /, **headers: str) -> Request:
    return ask("GET", target, **headers)  # type: ignore[arg-type]


def problem(code: str, status: int, **members: Any) -> Answer:
    return Answer(status, code, (("content-type", "application/problem+json"),), members=tuple(members.items()))


def rows(group: str, definitions: Definitions, *given: tuple[Any, ...]) -> tuple[Case, ...]:
    """Rows of one group over the same definitions: (name, request, expected[, draws])."""
    return tuple(Case(one[0], group, definitions, one[1], one[2], *one[3:]) for one in given)
