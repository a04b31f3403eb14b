"""A request to try out a route with, as a curl line. Whatever cannot be guessed is not shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from coalmine.cli.client import segment
from coalmine.cli.complaint import ApiError
from coalmine.cli.shell import Shell

_VALUE = "1"  # fits most parameters: numbers, texts and ids


def find_curl(shell: Shell, route: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str | None:
    """A request that ``route`` takes, with ``header`` in addition; None where nobody can tell, such as for a regex."""
    match, function = route["match"], _find_function(shell, route)
    path = _path(match["path"], function)
    headers = [*match.get("headers", ()), *([header] if header else ())]
    if path is None or not all(_is_plain(one) for one in [*headers, *match.get("query", ())]):
        return None
    method = next(iter(match.get("methods", ())), function.get("method", "GET"))
    words = ["curl", *(["-X", method] if method != "GET" else [])]
    for name, value in [*_host(shell, route), *((one["name"], one["exact"]) for one in headers), *_body(function)]:
        words += ["-H", f"{name}: {value}"]
    words += ["-d", "{}"] if _body(function) else []
    return shlex.join([*words, shell.fetch("/proxy").value["url"] + path + _query(match, function)])


def _find_function(shell: Shell, route: Mapping[str, Any]) -> Mapping[str, Any]:
    first = route["destinations"][0]
    if not first.get("function"):
        return {}
    try:
        found = shell.fetch(f"/functions/{segment(first['upstream'])}/{segment(first['function'])}").value
    except ApiError:
        return {}
    return dict(found)


def _path(path: Mapping[str, Any], function: Mapping[str, Any]) -> str | None:
    if path.get("exact") or path.get("template"):
        return re.sub(r"\{[^}]*\}", _VALUE, path.get("exact") or path["template"])
    if not path.get("prefix"):
        return None
    missing = [_VALUE for one in function.get("parameters", ()) if one["in"] == "path"]
    return "/".join([path["prefix"].rstrip("/"), *missing]) or "/"


def _is_plain(condition: Mapping[str, Any]) -> bool:
    return condition.get("exact") is not None and not condition.get("invert")


def _query(match: Mapping[str, Any], function: Mapping[str, Any]) -> str:
    wanted = {one["name"]: one["exact"] for one in match.get("query", ())}
    for one in function.get("parameters", ()):
        if one["in"] == "query" and one.get("required"):
            wanted.setdefault(one["name"], _VALUE)
    return f"?{urlencode(wanted)}" if wanted else ""


def _body(function: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [("content-type", "application/json")] if function.get("request_body") else []


def _host(shell: Shell, route: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Only where the virtual service does not take every host."""
    domains = shell.fetch(f"/virtual-services/{segment(route['virtual_service'])}").value["domains"]
    return [] if "*" in domains else [("host", domains[0].replace("*", "www"))]
