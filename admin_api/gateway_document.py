"""The gateway's own OpenAPI 3.1 document: routed functions under their public paths.

Rule 1: only what a client can call without knowing more is listed: a path that is exact, a prefix or a template,
no header or query condition, and at least one destination with a function. Others are named in ``x-coalmine-unlisted``.
Rule 2: the destination with the largest weight is the one that is described; ``x-coalmine-destinations`` has all.
Rule 3: the first route in effective order that has a path and method is the one that is described.
Rule 4: paths that differ only in the names of their placeholders are one path (OpenAPI 3.1 section 4.8.8.1): the names
of the first count.
Rule 5: where a route goes on with the definition that a function had (a pin), callers give what that asks for, and get
what the function answers now.
This file performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, count
from typing import Any

from admin_api.gateway_parameters import (
    PublicParameter,
    list_placeholders,
    list_public_parameters,
    public_path,
    rename_placeholders,
    style_of_public,
)
from admin_api.schema_references import Components
from coalmine import __version__
from coalmine.catalog import Reader
from coalmine.model import Destination, Function, RequestBody, Response, VirtualService
from coalmine.model.pin import Pin
from coalmine.routing.snapshot import ServedRoute, Snapshot

JSON = Any
FindFunction = Callable[[str, str], Function | None]
Adopt = Callable[[Any], Any]  # a schema, as the document that is made has it
FindPin = Callable[[str, str, str], Pin | None]  # route, upstream, function
# OpenAPI 3.1 section 4.8.9.1: the methods that a path item can have.
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@dataclass(frozen=True, slots=True)
class _Operation:
    """One function under one public path and method."""

    path: str
    method: str
    route: ServedRoute
    function: Function  # as it is
    pin: Pin | None
    parameters: Sequence[PublicParameter]

    @property
    def called(self) -> Function:
        """The definition by which calls are made."""
        return self.function if self.pin is None else self.pin.definition


def make_gateway_document(
    item: VirtualService, snapshot: Snapshot, reader: Reader, urls: Sequence[str]
) -> dict[str, JSON]:
    """The document of ``item`` as ``snapshot`` serves it; ``urls`` are where the proxy is reached."""
    served = next((one.routes for one in snapshot.virtual_services if one.name == item.name), ())
    find_function = cache(reader.find_function)  # thousands of routes may call one function
    operations, unlisted = _list_operations(served, find_function, _pins_of(cache(reader.pins_of)))
    components = Components(reader.documents_of)
    _describe_all(operations, components)  # what it refers to is known after this
    components.settle()
    return {
        "openapi": "3.1.0",
        "info": {"title": item.name, "version": snapshot.version, "x-generator": f"Coalmine {__version__}"},
        "servers": [server for url in urls for server in _list_servers(item, url)],
        "paths": _describe_all(operations, components),
        "components": {"schemas": components.list_schemas()},
        "x-coalmine-unlisted": unlisted,
    }


def _pins_of(list_pins: Callable[[str], Sequence[Pin]]) -> FindPin:
    def find(route: str, upstream: str, function: str) -> Pin | None:
        return next((pin for pin in list_pins(upstream) if (pin.route, pin.function) == (route, function)), None)

    return find


def _list_servers(item: VirtualService, url: str) -> list[dict[str, JSON]]:
    """The gateway by each of the domains; by its own address where any will do."""
    scheme, _, authority = url.partition("://")
    port = re.search(r":[0-9]+$", authority)
    servers: list[dict[str, JSON]] = []
    for domain in item.domains:
        if domain == "*":
            servers.append({"url": url})
        elif domain.startswith("*."):
            variables = {"name": {"default": "www", "description": "any name"}}
            servers.append({"url": f"{scheme}://{{name}}{domain[1:]}{port[0] if port else ''}", "variables": variables})
        else:
            servers.append({"url": f"{scheme}://{domain}{port[0] if port else ''}"})
    return servers


# Which operations there are.


def _list_operations(
    routes: Sequence[ServedRoute], find_function: FindFunction, find_pin: FindPin
) -> tuple[list[_Operation], list[str]]:
    """The operations, each path and method once, and the names of routes that have none."""
    listed: dict[tuple[str, str], _Operation] = {}
    written: dict[str, str] = {}  # by path without names: the path as it is written
    unlisted: list[str] = []
    for route in routes:
        found = list(_list_of_route(route, find_function, find_pin))
        if not found:
            unlisted.append(route.name)
        for operation in found:
            first = written.setdefault(re.sub(r"\{[^{}]*\}", "{}", operation.path), operation.path)
            unified = _unify(operation, first)
            listed.setdefault((unified.path, unified.method), unified)
    return list(listed.values()), unlisted


def _list_of_route(served: ServedRoute, find_function: FindFunction, find_pin: FindPin) -> Iterator[_Operation]:
    route = served.definition
    calls = [
        (destination, resolved)
        for destination, resolved in zip(route.destinations, served.destinations, strict=True)
        if resolved.function is not None and not resolved.problem
    ]
    conditions = (*route.match.headers, *route.match.query, *route.match.source_cidrs)
    if conditions or served.problem is not None or not calls:
        return
    destination, _ = max(calls, key=lambda call: call[0].weight)
    name = destination.function or ""
    function = find_function(destination.upstream, name)
    pin = find_pin(route.name, destination.upstream, name)
    called = function if pin is None else pin.definition
    path = None if called is None else public_path(route.match.path, destination, called)
    if function is None or called is None or path is None:
        return
    parameters = list_public_parameters(path, destination, called)
    methods = {method.lower() for method in route.match.methods} or {called.method.lower()}
    for method in sorted(methods & _METHODS):
        yield _Operation(path, method, served, function, pin, parameters)


def _unify(operation: _Operation, path: str) -> _Operation:
    """The operation under the names that ``path``, the same but for them, has."""
    names = dict(zip(list_placeholders(operation.path), list_placeholders(path), strict=False))
    if rename_placeholders(operation.path, names) != path:
        return operation  # a name stands twice in one of them
    parameters = [one.rename(names[one.name]) if one.place == "path" else one for one in operation.parameters]
    return replace(operation, path=path, parameters=parameters)


# How they are described.


def _describe_all(operations: Sequence[_Operation], components: Components) -> dict[str, dict[str, JSON]]:
    paths: dict[str, dict[str, JSON]] = {}
    taken: set[str] = set()
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation, components, taken)
    return paths


def _describe(operation: _Operation, components: Components, taken: set[str]) -> dict[str, JSON]:
    function, route = operation.function, operation.route.definition
    described: dict[str, JSON] = {"operationId": _distinct(function.name, route.name, taken)}
    texts = {"summary": function.summary, "description": function.description}
    described |= {key: text for key, text in texts.items() if text}
    described |= {"tags": list(function.tags)} if function.tags else {}
    described |= {"deprecated": True} if function.deprecated else {}
    adopt = partial(components.adopt, operation.called, pin=operation.pin)
    described["parameters"] = [_describe_parameter(one, adopt) for one in operation.parameters]
    if operation.called.request_body:
        described["requestBody"] = _describe_body(operation.called.request_body, adopt)
    adopt = partial(components.adopt, function)
    answers = {one.status: _describe_answer(one, adopt) for one in function.responses}
    described["responses"] = answers or {"default": {"description": "the answer of the function"}}
    described["x-coalmine-route"] = route.name
    described |= {"x-coalmine-kept": list(operation.pin.reasons)} if operation.pin else {}
    described["x-coalmine-destinations"] = [_tell_destination(one) for one in route.destinations]
    return described


def _tell_destination(destination: Destination) -> dict[str, JSON]:
    return {"upstream": destination.upstream, "function": destination.function, "weight": destination.weight}


def _distinct(name: str, route: str, taken: set[str]) -> str:
    numbered = (f"{route}.{name}.{number}" for number in count(2))
    chosen = next(one for one in chain((name, f"{route}.{name}"), numbered) if one not in taken)
    taken.add(chosen)
    return chosen


def _describe_parameter(parameter: PublicParameter, adopt: Adopt) -> dict[str, JSON]:
    described: dict[str, JSON] = {"name": parameter.name, "in": parameter.place, "required": parameter.required}
    known = parameter.described
    if known is None or not parameter.whole:
        return described | {"schema": {"type": "string"}}
    described |= {"description": known.description} if known.description else {}
    described |= {"deprecated": True} if known.deprecated else {}
    schema = adopt(known.schema_)
    if known.content_type is not None:
        return described | {"content": {known.content_type: {"schema": schema}}}
    return described | style_of_public(parameter) | {"schema": schema}


def _describe_body(body: RequestBody, adopt: Adopt) -> dict[str, JSON]:
    types = body.content_types or ("*/*",)
    content = {kind: _describe_media(body.schema_of(kind), adopt) for kind in types}
    return {"required": body.required, "content": content}


def _describe_answer(response: Response, adopt: Adopt) -> dict[str, JSON]:
    described: dict[str, JSON] = {"description": response.description or ""}
    types = response.content_types or (("application/json",) if response.schema_ is not None else ())
    content = {kind: _describe_media(response.schema_, adopt) for kind in types}
    return described | ({"content": content} if content else {})


def _describe_media(schema: Mapping[str, Any] | bool | None, adopt: Adopt) -> dict[str, JSON]:
    return {} if schema is None else {"schema": adopt(schema)}
