"""Gloo's VirtualService (``gateway.solo.io/v1``), in the shape of 2019 and the later one.

What it says is said by Coalmine's own definitions or is a fault (``unsupported_manifest``); nothing is dropped
in silence but what says nothing about routing: namespaces, display names, status, other metadata.
A route with several matchers becomes several routes. This file performs no I/O.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coalmine.manifests.extractors import PATH_KEY, translate_extractors
from coalmine.manifests.gloo_options import read_options
from coalmine.manifests.made import Made, MadeList, read_made
from coalmine.manifests.names import distinct, make_name
from coalmine.manifests.node import Node
from coalmine.manifests.order import keep_listed_order
from coalmine.model import Route, VirtualService
from coalmine.model.salvage import Reading

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


def parse_virtual_service(
    document: Node, taken: set[str]
) -> tuple[Reading[VirtualService] | None, list[Reading[Route]]]:
    """A virtual service and its routes, listed order kept; what Gloo's own form has wrong goes into the document's
    faults, what our rules find in what was made of it is with the readings.

    ``taken`` holds the route names of the whole set and grows.
    """
    document.ignore("apiVersion", "kind", "status")
    metadata = document.node("metadata")
    name = metadata.text("name") if metadata else None
    if name is None:
        document.fault("metadata", "metadata.name is missing", code="missing_key")
    spec = document.node("spec") or document  # `glooctl get -o yaml` prints it without spec
    spec.ignore("displayName", "status")
    host = spec.node("virtualHost")
    if spec is not document:
        document.finish("spec", "metadata")
    if host is None:
        spec.fault("virtualHost", "virtualHost is missing", code="missing_key")
        return None, []
    definition = Made(document.pointer).put("name", name or "unreadable", document.at("metadata", *_key(name, "name")))
    return _parse_host(spec, host, definition, taken)


def _key(value: object, key: str) -> tuple[str, ...]:
    """Where ``key`` stands, or nothing where it is not there."""
    return () if value is None else (key,)


def _parse_host(
    spec: Node, host: Node, definition: Made, taken: set[str]
) -> tuple[Reading[VirtualService], list[Reading[Route]]]:
    host.ignore("name")
    definition.put("domains", host.texts("domains") or ["*"], host.at("domains"))
    service = read_made(VirtualService, definition, spec.faults)
    shared = _options(host, "virtualHostPlugins", "options")
    routes: list[Reading[Route]] = []
    for route in host.nodes("routes"):
        routes += _parse_route(route, definition, shared, taken)
    host.finish("domains", "routes")
    spec.finish("virtualHost")
    return service, _keep_order(routes)


def _keep_order(routes: list[Reading[Route]]) -> list[Reading[Route]]:
    readable = [route.definition for route in routes if route.definition is not None]
    ordered = iter(keep_listed_order(readable))
    return [route if route.definition is None else replace(route, definition=next(ordered)) for route in routes]


def _parse_route(node: Node, service: Made, shared: Made, taken: set[str]) -> list[Reading[Route]]:
    given = node.text("name")
    own = _options(node, "routePlugins", "options")
    common = Made(node.pointer).put("virtual_service", service["name"], service.sources["name"])
    common.take(_inherit(node.pointer, shared, own)).take(_action(node))
    if all(destination.get("function") for destination in common.get("destinations", ())):
        common.drop("rewrite")  # Gloo too lets a function's own path win over prefixRewrite
    matchers = [matcher for matcher in (node.node("matcher"), *node.nodes("matchers")) if matcher is not None]
    node.finish("matcher", "matchers", "routeAction", "redirectAction", "directResponseAction", "options")
    routes: list[Reading[Route]] = []
    for matcher in matchers or [Node({"prefix": "/"}, node.pointer, node.faults)]:
        match = _match(matcher)
        name = distinct(make_name(service["name"], given or _describe(match)), taken)
        definition = Made(node.pointer).take(common).put("match", match, matcher.pointer)
        definition["name"] = name
        routes.append(read_made(Route, definition, node.faults))
    return routes


def _options(node: Node, *keys: str) -> Made:
    found = Made(node.pointer)
    for key in keys:
        options = node.node(key)
        if options:
            found.take(read_options(options))
    return found


def _inherit(pointer: str, shared: Made, own: Made) -> Made:
    """A route's options win over its virtual host's; edits of headers are made by both."""
    found = Made(pointer).take(shared).take(own)
    for key in ("request_headers", "response_headers"):
        if key in shared and key in own:
            found.put(key, _join_edits(shared[key], own[key]), own.sources[key])
    return found


def _join_edits(shared: Made, own: Made) -> Made:
    both = Made(own.pointer)
    for key in ("set", "add"):
        edits = [side[key] for side in (shared, own) if key in side]
        if edits:
            joined = Made(edits[-1].pointer)
            for edit in edits:
                joined.take(edit)
            both.put(key, joined, joined.pointer)
    removed = MadeList(own.pointer)
    for side in (shared, own):
        if "remove" in side:
            removed.join(side["remove"])
    return both.put("remove", removed, removed.pointer) if removed else both


def _describe(match: dict[str, Any]) -> str:
    """Words for a route that has no name: its path, then what else it asks for."""
    path = " ".join(str(value) for value in match["path"].values())
    conditions = [*match.get("methods", ())]
    for condition in (*match.get("headers", ()), *match.get("query", ())):
        value = condition.get("exact") or condition.get("regex") or ""
        conditions.append(f"{'not-' if condition.get('invert') else ''}{condition['name']}-{value}")
    return "-".join(["root" if path == "/" else path, *conditions])


def _match(node: Node) -> Made:
    found = Made(node.pointer).put("path", _path(node), node.pointer)
    methods = node.texts("methods")
    headers = [_value_match(entry) for entry in node.nodes("headers")]
    query = [_value_match(entry) for entry in node.nodes("queryParameters")]
    if node.raw("caseSensitive") is False:
        node.fault("caseSensitive", "paths are always matched with their case")
    node.finish("prefix", "exact", "regex", "headers", "queryParameters", "methods")
    for key, value, theirs in (
        ("methods", methods, "methods"),
        ("headers", headers, "headers"),
        ("query", query, "queryParameters"),
    ):
        if value:
            found.put(key, value, node.at(theirs))
    return found


def _path(node: Node) -> Made:
    given = {kind: value for kind in ("prefix", "exact", "regex") if (value := node.text(kind)) is not None}
    if len(given) > 1:
        node.fault(None, f"a matcher has one path, this one has {' and '.join(given)}", code="invalid_value")
    kind, path = next(iter(given.items()), ("prefix", "/"))
    return Made(node.pointer).put(kind, path, node.at(*_key(given.get(kind), kind)))


def _value_match(node: Node) -> Made:
    name, value = node.text("name") or "", node.text("value")
    regex, invert = node.flag("regex"), node.flag("invertMatch")
    node.finish("name", "value", "regex", "invertMatch")
    if name.startswith(":"):
        node.fault("name", f"{name} is no header here", hint="match methods with methods, hosts with domains")
    condition = Made(node.pointer).put("name", name, node.at("name"))
    if not value:
        condition["present"] = True
    else:
        condition.put("regex" if regex and not _plain(value) else "exact", value, node.at("value"))
    if invert:
        condition["invert"] = True
    return condition


def _plain(pattern: str) -> bool:
    """Whether a full match of the pattern is equality; Gloo's own tools write ``regex: true`` always."""
    return all(character.isalnum() or character in " -_/:,=@" for character in pattern)


_ACTIONS = ("routeAction", "redirectAction", "directResponseAction", "delegateAction")


def _action(node: Node) -> Made:
    action, redirect, direct = node.node("routeAction"), node.node("redirectAction"), node.node("directResponseAction")
    found = Made(node.pointer)
    if action is not None:
        destinations = _destinations(action)
        return found.put("destinations", destinations, destinations.pointer)
    if redirect is not None:
        return found.put("redirect", _redirect(redirect), redirect.pointer)
    if direct is not None:
        return found.put("direct_response", _direct_response(direct), direct.pointer)
    if not any(node.has(key) for key in _ACTIONS):  # what is there and not read is a fault already
        node.fault(None, "the route has no action", code="missing_key", hint="give it a routeAction")
    return found.put("direct_response", Made(node.pointer), node.pointer)


def _direct_response(node: Node) -> Made:
    found = Made(node.pointer).put("status", node.number("status") or 200, node.at("status"))
    found.put("body", node.text("body") or "", node.at("body"))
    node.finish("status", "body")
    return found


def _redirect(node: Node) -> Made:
    code = node.raw("responseCode") or 0
    if code not in _REDIRECTS and code not in _REDIRECTS.values():
        node.fault("responseCode", f"{code!r} is no redirect", code="invalid_value", hint="FOUND, for example")
    found = Made(node.pointer).put("status", _REDIRECTS.get(code, code), node.at("responseCode"))
    for key, theirs, value in (
        ("scheme", "httpsRedirect", "https" if node.flag("httpsRedirect") else None),
        ("host", "hostRedirect", node.text("hostRedirect")),
        ("port", "portRedirect", node.number("portRedirect")),
        ("path", "pathRedirect", node.text("pathRedirect")),
        ("prefix", "prefixRewrite", node.text("prefixRewrite")),
    ):
        if value:
            found.put(key, value, node.at(theirs))
    node.finish("hostRedirect", "pathRedirect", "responseCode")
    return found


def _destinations(node: Node) -> MadeList:
    single, multi = node.node("single"), node.node("multi")
    before = len(node.faults)
    node.finish("single", "multi")
    if single is not None:
        return MadeList(single.pointer).add(_destination(single), single.pointer)
    if multi is None:
        if len(node.faults) == before:
            node.fault(None, "the route has no destination", code="missing_key", hint="give it single or multi")
        return _unreadable(node)
    found = MadeList(multi.at("destinations"))
    for entry in multi.nodes("destinations"):
        weight, inner = entry.number("weight"), entry.node("destination")
        if not entry.has("weight"):
            entry.fault("weight", "weight is missing", code="missing_key")
        entry.finish("weight", "destination")
        if inner is None:
            if not entry.has("destination"):
                entry.fault("destination", "destination is missing", code="missing_key")
        else:
            destination = _destination(inner).put("weight", 1 if weight is None else weight, entry.at("weight"))
            found.add(destination, inner.pointer)
    multi.finish("destinations")
    if len(node.faults) == before and not found:
        multi.fault(None, "the route has no destination", code="missing_key", hint="list some in destinations")
    return found or _unreadable(multi)


def _unreadable(node: Node) -> MadeList:
    """Stands where a fault was found, so that the walk can go on and find the others."""
    return MadeList(node.pointer).add(Made(node.pointer).put("upstream", "unreadable", node.pointer), node.pointer)


def _destination(node: Node) -> Made:
    found = Made(node.pointer).take(_upstream(node))
    spec = node.node("destinationSpec")
    rest = spec.node("rest") if spec else None
    if rest is not None:
        found.put("function", rest.text("functionName"), rest.at("functionName"))
        parameters = rest.node("parameters")
        if parameters is not None:
            found.put("parameters", _parameters(parameters), parameters.pointer)
        rest.finish("functionName", "parameters")
    if spec is not None:
        spec.finish("rest")
    node.finish("upstream", "destinationSpec")
    return found


def _upstream(node: Node) -> Made:
    found = Made(node.pointer)
    upstream, kube = node.node("upstream"), node.node("kube")
    if upstream is not None:
        upstream.ignore("namespace")
        name = upstream.text("name") or ""
        upstream.finish("name")
        return found.put("upstream", name, upstream.at("name"))
    reference = kube.node("ref") if kube else None
    if kube is None or reference is None:
        if not node.has("upstream"):
            node.fault("upstream", "the destination names no upstream", code="missing_key")
        return found.put("upstream", "unreadable", node.at("upstream"))
    # Gloo's own name for the upstream of a service's port.
    parts = (reference.text("namespace") or "default", reference.text("name") or "", str(kube.number("port") or 80))
    reference.finish()
    kube.finish()
    return found.put("upstream", "-".join(parts), kube.pointer)


def _parameters(node: Node) -> Made:
    headers = node.node("headers")
    patterns = {name: str(pattern) for name, pattern in headers.items()} if headers else {}
    path = node.text("path")
    node.finish("headers", "path")
    found = Made(node.pointer)
    try:
        given = translate_extractors(patterns, path)
    except ValueError as error:
        node.fault("headers" if headers else "path", str(error))
        return found
    for name, value in given.items():
        found.put(name, value, _find_extractor(node, headers, name, value))
    return found


def _find_extractor(node: Node, headers: Node | None, name: str, value: str) -> str:
    """Where the extractor stands that ``name`` gets its value from."""
    if headers is None or (name == PATH_KEY and not headers.has(PATH_KEY)):
        return node.at("path")
    return next(headers.at(key) for key, _ in headers.items() if key == name or value == f"{{header.{key.lower()}}}")
