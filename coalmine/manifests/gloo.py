"""Gloo's VirtualService (``gateway.solo.io/v1``), in the shape of 2019 and the later one.

What it says is said by Coalmine's own definitions or is a fault (``unsupported_manifest``); nothing is dropped
in silence but what says nothing about routing: namespaces, display names, status, other metadata.
A route with several matchers becomes several routes. This file performs no I/O.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from coalmine.manifests.extractors import translate_extractors
from coalmine.manifests.faults import validate
from coalmine.manifests.gloo_options import read_options
from coalmine.manifests.names import distinct, make_name
from coalmine.manifests.node import Node
from coalmine.manifests.order import keep_listed_order
from coalmine.model import Route, VirtualService
from coalmine.model.faults import Loc

Placed = tuple[Route, str]  # with its pointer

# RedirectAction.RedirectResponseCode, by name and by the number it has in the protocol.
_REDIRECTS: dict[Any, int] = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
    0: 301,
    1: 302,
    2: 303,
    3: 307,
    4: 308,
}

# Stands where a fault was found, so that the walk can go on and find the others.
_UNKNOWN: dict[str, Any] = {"upstream": "unknown"}


def parse_virtual_service(document: Node, taken: set[str]) -> tuple[VirtualService | None, list[Placed]]:
    """A virtual service and its routes with their pointers, listed order kept; faults go into the document's list.

    ``taken`` holds the route names of the whole set and grows.
    """
    document.ignore("apiVersion", "kind", "status")
    metadata = document.node("metadata")
    name = metadata.text("name") if metadata else None
    if name is None:
        document.fault("metadata", "metadata.name is missing", code="missing_key")
        name = "unnamed"
    spec = document.node("spec") or document  # `glooctl get -o yaml` prints it without spec
    spec.ignore("displayName", "status")
    host = spec.node("virtualHost")
    if spec is not document:
        document.finish("spec", "metadata")
    if host is None:
        spec.fault("virtualHost", "virtualHost is missing", code="missing_key")
        return None, []
    return _parse_host(spec, host, name, taken)


def _parse_host(spec: Node, host: Node, name: str, taken: set[str]) -> tuple[VirtualService | None, list[Placed]]:
    host.ignore("name")
    definition = {"name": name, "domains": host.texts("domains") or ["*"]}
    service = validate(VirtualService, definition, spec.faults, partial(_service_pointer, host))
    shared = _options(host, "virtualHostPlugins", "options")
    routes: list[Placed] = []
    for route in host.nodes("routes"):
        routes += _parse_route(route, name, shared, taken)
    host.finish("domains", "routes")
    spec.finish("virtualHost")
    ordered = keep_listed_order([route for route, _ in routes])
    return service, [(route, pointer) for route, (_, pointer) in zip(ordered, routes, strict=True)]


def _service_pointer(host: Node, location: Loc) -> str:
    return host.at(*location) if location and location[0] == "domains" else host.pointer


def _parse_route(node: Node, virtual_service: str, shared: dict[str, Any], taken: set[str]) -> list[Placed]:
    given = node.text("name")
    own = _options(node, "routePlugins", "options")
    common = {"virtual_service": virtual_service, **_inherit(shared, own), **_action(node)}
    if all(destination.get("function") for destination in common.get("destinations", ())):
        common.pop("rewrite", None)  # Gloo too lets a function's own path win over prefixRewrite
    matchers = [matcher for matcher in (node.node("matcher"), *node.nodes("matchers")) if matcher is not None]
    node.finish("matcher", "matchers", "routeAction", "redirectAction", "directResponseAction", "options")
    routes: list[Placed] = []
    for matcher in matchers or [Node({"prefix": "/"}, node.pointer, node.faults)]:
        match = _match(matcher)
        name = distinct(make_name(virtual_service, given or _describe(match)), taken)
        definition = {"name": name, "match": match, **common}
        route = validate(Route, definition, node.faults, partial(_route_pointer, node, matcher))
        routes += [(route, node.pointer)] if route else []
    return routes


def _options(node: Node, *keys: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in keys:
        options = node.node(key)
        found |= read_options(options) if options else {}
    return found


def _inherit(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A route's options win over its virtual host's; edits of headers are made by both."""
    found = shared | own
    for key in ("request_headers", "response_headers"):
        if key in shared and key in own:
            both = shared[key], own[key]
            found[key] = {
                "set": {**both[0].get("set", {}), **both[1].get("set", {})},
                "add": {**both[0].get("add", {}), **both[1].get("add", {})},
                "remove": [*both[0].get("remove", ()), *both[1].get("remove", ())],
            }
    return found


def _route_pointer(node: Node, matcher: Node, location: Loc) -> str:
    """Their keys differ from ours, so a fault points to the part of the route that ours were made of."""
    return matcher.pointer if location[:1] == ("match",) else node.pointer


def _describe(match: dict[str, Any]) -> str:
    """Words for a route that has no name: its path, then what else it asks for."""
    path = " ".join(str(value) for value in match["path"].values())
    conditions = [*match.get("methods", ())]
    for condition in (*match.get("headers", ()), *match.get("query", ())):
        value = condition.get("exact") or condition.get("regex") or ""
        conditions.append(f"{'not-' if condition.get('invert') else ''}{condition['name']}-{value}")
    return "-".join(["root" if path == "/" else path, *conditions])


def _match(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"path": _path(node)}
    methods = node.texts("methods")
    headers = [_value_match(entry) for entry in node.nodes("headers")]
    query = [_value_match(entry) for entry in node.nodes("queryParameters")]
    if node.raw("caseSensitive") is False:
        node.fault("caseSensitive", "paths are always matched with their case")
    node.finish("prefix", "exact", "regex", "headers", "queryParameters", "methods")
    return found | {key: value for key, value in _named(methods, headers, query) if value}


def _named(methods: Any, headers: Any, query: Any) -> tuple[tuple[str, Any], ...]:
    return (("methods", methods), ("headers", headers), ("query", query))


def _path(node: Node) -> dict[str, str]:
    given = {kind: value for kind in ("prefix", "exact", "regex") if (value := node.text(kind)) is not None}
    if len(given) > 1:
        node.fault(None, f"a matcher has one path, this one has {' and '.join(given)}", code="invalid_value")
    return dict([next(iter(given.items()), ("prefix", "/"))])


def _value_match(node: Node) -> dict[str, Any]:
    name, value = node.text("name") or "", node.text("value")
    regex, invert = node.flag("regex"), node.flag("invertMatch")
    node.finish("name", "value", "regex", "invertMatch")
    if name.startswith(":"):
        node.fault("name", f"{name} is no header here", hint="match methods with methods, hosts with domains")
        name = "x"
    condition: dict[str, Any] = {"name": name}
    if not value:
        condition["present"] = True
    else:
        condition["regex" if regex and not _plain(value) else "exact"] = value
    return condition | ({"invert": True} if invert else {})


def _plain(pattern: str) -> bool:
    """Whether a full match of the pattern is equality; Gloo's own tools write ``regex: true`` always."""
    return all(character.isalnum() or character in " -_/:,=@" for character in pattern)


def _action(node: Node) -> dict[str, Any]:
    action, redirect, direct = node.node("routeAction"), node.node("redirectAction"), node.node("directResponseAction")
    if action is not None:
        return {"destinations": _destinations(action)}
    if redirect is not None:
        return {"redirect": _redirect(redirect)}
    if direct is not None:
        response = {"status": direct.number("status") or 200, "body": direct.text("body") or ""}
        direct.finish("status", "body")
        return {"direct_response": response}
    if not node.has("delegateAction"):  # that one is a fault already, as an unknown key
        node.fault(None, "the route has no action", code="missing_key", hint="give it a routeAction")
    return {"direct_response": {}}


def _redirect(node: Node) -> dict[str, Any]:
    code = node.raw("responseCode") or 0
    if code not in _REDIRECTS and code not in _REDIRECTS.values():
        node.fault("responseCode", f"{code!r} is no redirect", code="invalid_value", hint="FOUND, for example")
    found = {
        "status": _REDIRECTS.get(code, code),
        "scheme": "https" if node.flag("httpsRedirect") else None,
        "host": node.text("hostRedirect"),
        "port": node.number("portRedirect"),
        "path": node.text("pathRedirect"),
        "prefix": node.text("prefixRewrite"),
    }
    node.finish("hostRedirect", "pathRedirect", "responseCode")
    return {key: value for key, value in found.items() if value}


def _destinations(node: Node) -> list[dict[str, Any]]:
    single, multi = node.node("single"), node.node("multi")
    before = len(node.faults)
    node.finish("single", "multi")
    if single is not None:
        return [_destination(single)]
    if multi is None:
        if len(node.faults) == before:
            node.fault(None, "the route has no destination", code="missing_key", hint="give it single or multi")
        return [_UNKNOWN]
    found: list[dict[str, Any]] = []
    for entry in multi.nodes("destinations"):
        weight, inner = entry.number("weight"), entry.node("destination")
        if not entry.has("weight"):
            entry.fault("weight", "weight is missing", code="missing_key")
        entry.finish("weight", "destination")
        if inner is None:
            entry.fault("destination", "destination is missing", code="missing_key")
        else:
            found.append({**_destination(inner), "weight": 1 if weight is None else weight})
    multi.finish("destinations")
    if len(node.faults) == before and not found:
        multi.fault(None, "the route has no destination", code="missing_key", hint="list some in destinations")
    return found or [_UNKNOWN]


def _destination(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"upstream": _upstream(node)}
    spec = node.node("destinationSpec")
    rest = spec.node("rest") if spec else None
    if rest is not None:
        found["function"] = rest.text("functionName")
        parameters = rest.node("parameters")
        if parameters is not None:
            found["parameters"] = _parameters(parameters)
        rest.finish("functionName", "parameters")
    if spec is not None:
        spec.finish("rest")
    node.finish("upstream", "destinationSpec")
    return found


def _upstream(node: Node) -> str:
    upstream, kube = node.node("upstream"), node.node("kube")
    if upstream is not None:
        upstream.ignore("namespace")
        name = upstream.text("name") or ""
        upstream.finish("name")
        return name
    reference = kube.node("ref") if kube else None
    if kube is None or reference is None:
        node.fault("upstream", "the destination names no upstream", code="missing_key")
        return "unknown"
    # Gloo's own name for the upstream of a service's port.
    parts = (reference.text("namespace") or "default", reference.text("name") or "", str(kube.number("port") or 80))
    reference.finish()
    kube.finish()
    return "-".join(parts)


def _parameters(node: Node) -> dict[str, str]:
    headers = node.node("headers")
    patterns = {name: str(pattern) for name, pattern in headers.items()} if headers else {}
    path = node.text("path")
    node.finish("headers", "path")
    try:
        return translate_extractors(patterns, path)
    except ValueError as error:
        node.fault("headers" if headers else "path", str(error))
        return {}
