"""The gateway's own OpenAPI 3.1 document: routed functions under their public paths.

Rule 1: only what a client can call without knowing more is listed: a path that is exact, a prefix or a template,
no header or query condition, and at least one destination with a function. Others are named in ``x-coalmine-unlisted``.
Rule 2: references of an upstream's document become ``#/components/schemas/<upstream>.<name>``: two upstreams may use
one name for two things.
Rule 3: the first route in effective order that has a path and method is the one that is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from admin_api.schema_references import Components
from coalmine import __version__
from coalmine.catalog import Reader
from coalmine.model import Function, Parameter, RequestBody, Response, Route, VirtualService
from coalmine.routing.snapshot import ServedRoute, Snapshot

JSON = Any
FindFunction = Callable[[str, str], Function | None]
# OpenAPI 3.1 section 4.8.9.1: the methods that a path item can have.
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def make_gateway_document(item: VirtualService, snapshot: Snapshot, reader: Reader) -> dict[str, JSON]:
    """The document of ``item`` as ``snapshot`` serves it."""
    served = next((one.routes for one in snapshot.virtual_services if one.name == item.name), ())
    paths: dict[str, dict[str, JSON]] = {}
    unlisted: list[str] = []
    components = Components(reader.documents_of)
    find_function = cache(reader.find_function)  # thousands of routes may call one function
    taken: set[str] = set()
    for route in served:
        found = list(_list_operations(route, find_function))
        if not found:
            unlisted.append(route.name)
        for path, method, function in found:
            operation = _describe(route.definition, function, components, taken)
            operation["parameters"] = list(_describe_parameters(path, function, components))
            paths.setdefault(path, {}).setdefault(method, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": item.name, "version": snapshot.version, "x-generator": f"Coalmine {__version__}"},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components.schemas},
        "x-coalmine-unlisted": unlisted,
    }


def _list_operations(served: ServedRoute, find_function: FindFunction) -> Iterator[tuple[str, str, Function]]:
    """Public path, method and function of every operation that ``served`` offers."""
    match = served.definition.match
    calls = [one for one in served.destinations if one.function is not None and not one.problem]
    if match.headers or match.query or match.source_cidrs or match.path.regex or not calls:
        return
    most = max(calls, key=lambda destination: destination.weight)
    function = find_function(most.upstream, most.function or "")
    if function is None:
        return
    methods = {method.lower() for method in match.methods} or {function.method.lower()}
    for method in sorted(methods & _METHODS):
        yield _public_path(served.definition, function), method, function


def _public_path(route: Route, function: Function) -> str:
    """A prefix takes the function's path parameters as the segments behind it."""
    path = route.match.path
    if path.prefix is None:
        return path.exact or path.template or "/"
    given = {name for destination in route.destinations for name in destination.parameters}
    names = [one.name for one in function.parameters if one.place == "path" and one.name not in given]
    return path.prefix.rstrip("/") + "".join(f"/{{{name}}}" for name in names) or "/"


def _describe(route: Route, function: Function, components: Components, taken: set[str]) -> dict[str, JSON]:
    operation: dict[str, JSON] = {"operationId": _distinct(function.name, route.name, taken)}
    texts = {"summary": function.summary, "description": function.description}
    operation |= {key: text for key, text in texts.items() if text}
    operation |= {"tags": list(function.tags)} if function.tags else {}
    operation |= {"deprecated": True} if function.deprecated else {}
    if function.request_body:
        operation["requestBody"] = _describe_body(function.upstream, function.request_body, components)
    answers = {one.status: _describe_answer(function.upstream, one, components) for one in function.responses}
    operation["responses"] = answers or {"default": {"description": "the answer of the function"}}
    operation["x-coalmine-route"] = route.name
    operation["x-coalmine-destinations"] = [
        {"upstream": one.upstream, "function": one.function, "weight": one.weight} for one in route.destinations
    ]
    return operation


def _distinct(name: str, route: str, taken: set[str]) -> str:
    for candidate in (name, f"{route}.{name}", *(f"{route}.{name}.{number}" for number in range(2, 1000))):
        if candidate not in taken:
            break
    taken.add(candidate)
    return candidate


def _describe_parameters(path: str, function: Function, components: Components) -> Iterator[dict[str, JSON]]:
    """Path parameters are those of the public path; all others are the function's."""
    own = {one.name: one for one in function.parameters if one.place == "path"}
    for name in dict.fromkeys(part.partition("}")[0] for part in path.split("{")[1:]):
        known = own.get(name)
        schema = components.adopt(function.upstream, known.schema_) if known else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for parameter in function.parameters:
        if parameter.place != "path":
            yield _describe_parameter(function.upstream, parameter, components)


def _describe_parameter(upstream: str, parameter: Parameter, components: Components) -> dict[str, JSON]:
    described: dict[str, JSON] = {"name": parameter.name, "in": parameter.place, "required": parameter.required}
    described |= {"style": parameter.style, "explode": parameter.explode}
    described |= {"description": parameter.description} if parameter.description else {}
    return described | {"schema": components.adopt(upstream, parameter.schema_)}


def _describe_body(upstream: str, body: RequestBody, components: Components) -> dict[str, JSON]:
    return {
        "required": body.required,
        "content": _describe_content(upstream, body.content_types, body.schema_, components),
    }


def _describe_answer(upstream: str, response: Response, components: Components) -> dict[str, JSON]:
    described: dict[str, JSON] = {"description": response.description or ""}
    content = _describe_content(upstream, response.content_types, response.schema_, components)
    return described | ({"content": content} if content else {})


def _describe_content(
    upstream: str, types: tuple[str, ...], schema: Mapping[str, Any] | bool | None, components: Components
) -> dict[str, JSON]:
    kinds = types or (("application/json",) if schema is not None else ())
    media = {} if schema is None else {"schema": components.adopt(upstream, schema)}
    return {kind: dict(media) for kind in kinds}
