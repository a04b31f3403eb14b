"""Random configurations and random requests to them, of every kind that routes and functions know.

Rule 1: this file performs no I/O; chance is the parameter ``chance``, so a seed gives the same again.
"""

from __future__ import annotations

import json
import random
from typing import Any

ROUTES = 40
SEGMENTS = (
    "pets",
    "Pets",
    "7",
    "a%2Fb",
    "x;y",
    "%C3%A9",
    "a,b",
    "%25",
    "..",
    ".",
    "",
    "%2e%2e",
    "a+b",
    "find",
    "id=1",
    "~",
)
VALUES = ("true", "1", "a,b", "x y", "a/b", "%2F", "é", "", "0", "..")
HOSTS = ("gw.test", "a.gw.test", "b.a.gw.test", "GW.TEST", "gw.test.", "gw.test:8080", "other.org", "[::1]:80")
DOMAINS = (["gw.test"], ["*.gw.test"], ["*.a.gw.test"], ["*"])
FITTING = {"vs-0": "gw.test", "vs-1": "b.gw.test", "vs-2": "b.a.gw.test", "vs-3": "other.org"}
QUERY = ("q", "limit", "id", "a", "b", "name", "q[x]", "c", "X-Id", "other")
METHODS = ("GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
TEMPLATES = ("/base/pets", "/base/pets/{id}", "/base/{a}/x/{b}", "/base/files/{name}.json")
STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
SOURCES = (
    "{query.q}",
    "{header.x-id}",
    "{cookie.c}",
    "{body.a.b}",
    "{body.id}",
    "{path.id}",
    "pre-{query.q}",
    "fixed/1",
)


def make_document(chance: random.Random) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for template in TEMPLATES:
        for method in ("get", "post"):
            operation: dict[str, Any] = {
                "operationId": f"{method}{TEMPLATES.index(template)}",
                "parameters": [
                    make_parameter(chance, name, "path")
                    for name in ("id", "a", "b", "name")
                    if f"{{{name}}}" in template
                ],
                "responses": {"200": {"description": "ok"}},
            }
            operation["parameters"] += [
                make_parameter(chance, name, place)
                for name, place in (("q", "query"), ("limit", "query"), ("X-Id", "header"), ("c", "cookie"))
                if chance.random() < 0.6
            ]
            if method == "post":
                operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
            paths.setdefault(template, {})[method] = operation
    return {"openapi": "3.0.3", "info": {"title": "random", "version": "1"}, "paths": paths}


def make_parameter(chance: random.Random, name: str, place: str) -> dict[str, Any]:
    kind = chance.choice(("string", "string", "integer", "array", "object"))
    schema: dict[str, Any] = {"type": kind}
    if kind == "array":
        schema["items"] = {"type": "string"}
    elif kind != "object" and chance.random() < 0.2:
        schema["default"] = 5
    style = chance.choice(STYLES[place])
    return {
        "name": name,
        "in": place,
        "required": place == "path" or chance.random() < 0.2,
        "schema": schema,
        "style": style,
        "explode": chance.random() < 0.5,
        "allowReserved": place == "query" and chance.random() < 0.3,
    }


def make_path(chance: random.Random) -> dict[str, str]:
    plain = [chance.choice(("pets", "find", "7", "x")) for _ in range(chance.randint(1, 2))]
    kind = chance.choice(("exact", "prefix", "prefix", "template", "regex"))
    if kind == "template":
        plain[-1] = chance.choice(("{id}", "{a}", "{b}"))
    return {kind: "/" + "/".join(plain) + (chance.choice(("", "/.*", "/[0-9]+")) if kind == "regex" else "")}


def make_condition(chance: random.Random, name: str) -> dict[str, Any]:
    kind: dict[str, Any] = chance.choice(
        ({"exact": chance.choice(VALUES)}, {"regex": "[a-z0-9]+"}, {"present": True}, {"present": False})
    )
    return {"name": name, **kind, "invert": chance.random() < 0.2}


def make_match(chance: random.Random) -> dict[str, Any]:
    match: dict[str, Any] = {"path": make_path(chance)}
    if chance.random() < 0.2:
        match["methods"] = chance.sample(("GET", "POST", "PUT", "DELETE"), 2)
    if chance.random() < 0.15:
        match["headers"] = [make_condition(chance, "x-canary")]
    if chance.random() < 0.1:
        match["query"] = [make_condition(chance, "q")]
    if chance.random() < 0.1:
        match["source_cidrs"] = [chance.choice(("127.0.0.0/8", "10.0.0.0/8"))]
    return match


def make_destination(chance: random.Random, functions: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"upstream": chance.choice(("up-a", "up-b")), "weight": chance.choice((0, 1, 10, 90))}
    if functions:
        made["function"] = chance.choice(("get", "post")) + str(chance.randrange(len(TEMPLATES)))
        names = ("id", "a", "b", "name", "q", "X-Id")
        made["parameters"] = {name: chance.choice(SOURCES) for name in names if chance.random() < 0.15}
    return made


def make_action(chance: random.Random) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.08:
        return {"redirect": {"status": chance.choice((301, 302, 307, 308)), "prefix": "/moved"}}
    if kind < 0.14:
        return {"direct_response": {"status": chance.choice((200, 204, 410)), "body": "here"}}
    functions = kind < 0.7
    destinations = [make_destination(chance, functions) for _ in range(chance.randint(1, 3))]
    destinations[0]["weight"] = max(1, destinations[0]["weight"])
    made: dict[str, Any] = {"destinations": destinations, "host": chance.choice(("preserve", "upstream", "named.test"))}
    if not functions and chance.random() < 0.5:
        regex = {"regex": {"pattern": "/([a-z]+)", "substitution": "/r-\\1"}}
        made["rewrite"] = chance.choice(({"prefix": "/new"}, {"prefix": "/"}, regex))
    if chance.random() < 0.3:
        made["sticky"] = chance.choice(({"header": "x-user"}, {"source_address": True}, {"cookie": {"name": "seen"}}))
    if chance.random() < 0.3:
        edits = {"set": {"x-id": "set"}, "add": {"x-more": "added"}, "remove": ["x-canary"]}
        made["request_headers"] = dict(chance.sample(list(edits.items()), chance.randint(1, 3)))
    return made


def make_configuration(chance: random.Random, ports: dict[str, int]) -> dict[str, Any]:
    upstreams = [
        {
            "name": name,
            "endpoints": [f"http://127.0.0.1:{port}"],
            "discovery": {"document": json.dumps(make_document(chance))},
        }
        for name, port in ports.items()
    ]
    services = [{"name": f"vs-{number}", "domains": domains} for number, domains in enumerate(DOMAINS)]
    routes = [
        {
            "name": f"route-{number}",
            "virtual_service": f"vs-{chance.randrange(len(DOMAINS))}",
            "match": make_match(chance),
            **make_action(chance),
            "priority": chance.choice((0, 0, 0, 1)),
        }
        for number in range(ROUTES)
    ]
    return {"upstreams": upstreams, "virtual_services": services, "routes": routes}


def make_request(chance: random.Random, routes: list[dict[str, Any]]) -> dict[str, Any]:
    """In JSON as ``match`` takes it; mostly near a route."""
    near = chance.choice(routes)
    host, method = FITTING[near["virtual_service"]], chance.choice(near["match"].get("methods", METHODS))
    if chance.random() < 0.2:
        near, host, method = {}, chance.choice(HOSTS), chance.choice(METHODS)
    pairs = [f"{name}={encode(chance.choice(VALUES))}" for name in QUERY if chance.random() < 0.4]
    headers = [
        [name, encode(chance.choice(VALUES))] for name in ("x-canary", "x-id", "x-user") if chance.random() < 0.5
    ]
    if chance.random() < 0.4:
        headers.append(["cookie", f"c={encode(chance.choice(VALUES))}; seen=u{chance.randrange(9)}"])
    made = {"method": method, "host": host, "path": make_request_path(chance, near), "headers": headers}
    made["path"] += "?" + "&".join(pairs) if pairs else ""
    if method in ("POST", "PUT", "PATCH") or chance.random() < 0.1:
        value = {"a": {"b": chance.choice(VALUES)}, "id": chance.choice((7, ["x", "y/z"], {"k": "v"}, "a b", None))}
        made["headers"].append(["content-type", chance.choice(("application/json", "application/json", "text/plain"))])
        made["body"] = json.dumps(value)
    return made


def make_request_path(chance: random.Random, near: dict[str, Any]) -> str:
    """Of the route with a variable filled and, behind a prefix, segments for the function's parameters; or any."""
    if not near:
        return "".join("/" + chance.choice(SEGMENTS) for _ in range(chance.randint(1, 4)))
    kind, text = next(iter(near["match"]["path"].items()))
    path = text.replace("[0-9]+", "7").replace(".*", "x")
    path = "/".join(chance.choice(SEGMENTS) if part.startswith("{") else part for part in path.split("/"))
    more = chance.randrange(3) if kind == "prefix" or chance.random() < 0.1 else 0
    return path + "".join("/" + chance.choice(SEGMENTS) for _ in range(more))


def encode(value: str) -> str:
    return value.replace(" ", "%20").replace("é", "%C3%A9").strip()
