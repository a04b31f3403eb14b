"""``coalmine call``: call a function, through the proxy or at its upstream.

The request is made by the very code that the proxy calls functions with (``coalmine.routing.call``), so what
works here works there.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from coalmine.cli import output
from coalmine.cli.client import segment, trust_anchors
from coalmine.cli.names import function_path, resolve_function
from coalmine.cli.output import Output
from coalmine.cli.pairs import split_header, split_pairs
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean
from coalmine.errors import CoalmineError, NotFoundError, nearest

_TIMEOUT_SECONDS = 60.0


class Via(StrEnum):
    """The way of the call."""

    proxy = "proxy"
    direct = "direct"


Headers = list[tuple[str, str]]


def register(app: typer.Typer) -> None:
    app.command("call", help=_call.__doc__)(reads(_call))


def _call(
    shell: Shell,
    function: Annotated[str, typer.Argument(help="UPSTREAM/FUNCTION, or a unique name")],
    values: Annotated[list[str] | None, typer.Argument(help="NAME=VALUE: parameters, and fields of the body")] = None,
    via: Annotated[Via, typer.Option("--via", help="direct: at the upstream, past the gateway")] = Via.proxy,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'name: value'; several: again")] = None,
    data: Annotated[str | None, typer.Option("--data", help="the whole body, instead of fields")] = None,
) -> None:
    """Calls a function and prints its answer. Exit code 1: the answer is an error."""
    full = resolve_function(shell, function)
    described = shell.fetch(function_path(full)).value
    given = split_pairs(values or (), "NAME=VALUE")
    parameters, content = split_values(described, given, data)
    headers = [split_header(text, "--header") for text in header or ()]
    if via is Via.direct:
        url, method, more = _direct(shell, described, parameters)
    else:
        url, method, more = _through_proxy(shell, described, parameters)
    headers += more
    if content is not None:
        headers.append(("content-type", "application/json"))
    if shell.output is Output.curl:
        output.write(_curl(method, url, headers, content))
        return
    _send(method, url, headers, content)


def split_values(
    function: Mapping[str, Any], given: Mapping[str, str], data: str | None
) -> tuple[dict[str, str], str | None]:
    """Parameters that the function declares, and the body made of the others; raises CoalmineError."""
    declared = {parameter["name"] for parameter in function["parameters"]} | set(_placeholders(function["path"]))
    fields = {name: value for name, value in given.items() if name not in declared}
    parameters = {name: value for name, value in given.items() if name in declared}
    if not fields:
        return parameters, data
    if function.get("request_body") is None or data is not None:
        name = next(iter(fields))
        close = nearest(name, declared)
        known = f"it takes {', '.join(sorted(declared))}" if declared else "it takes none"
        raise CoalmineError(
            f"{function['name']} has no parameter {name}",
            code="invalid_parameter",
            hint=f"did you mean {close}?" if close else known,
        )
    schema = function["request_body"].get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    body = {name: _typed(value, (properties or {}).get(name)) for name, value in fields.items()}
    return parameters, json.dumps(body)


def _placeholders(path: str) -> list[str]:
    from coalmine.routing.template import parse_template

    return list(parse_template(path).names)


def _typed(text: str, schema: Any) -> Any:
    """A field as its schema wants it. Without one: what is JSON but no text is taken as JSON."""
    if isinstance(schema, dict) and schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _direct(shell: Shell, function: Mapping[str, Any], parameters: Mapping[str, str]) -> tuple[str, str, Headers]:
    from coalmine.model import Function
    from coalmine.routing.call import Call
    from coalmine.routing.decision import Reply, RequestHead
    from coalmine.routing.plan import make_call_plan
    from coalmine.routing.snapshot import ServedDestination
    from coalmine.routing.table import Matched

    plan = make_call_plan(Function.model_validate(function))
    destination = ServedDestination(function["upstream"], call=plan, parameters=tuple(parameters.items()))
    matched = Matched(route=None, captures={}, rest="")  # type: ignore[arg-type]  # no route takes part
    prepared = Call(destination).prepare(RequestHead(plan.method, "/"), matched)
    if isinstance(prepared, Reply):
        raise CoalmineError(prepared.detail, code=prepared.code, hint="give it as NAME=VALUE")
    assert prepared is not None  # it asks for a body only where a head announces one
    upstream = shell.fetch(f"/upstreams/{segment(function['upstream'])}").value
    return f"{upstream['endpoints'][0]}{prepared.target}", prepared.method, list(prepared.headers)


def _through_proxy(
    shell: Shell, function: Mapping[str, Any], parameters: Mapping[str, str]
) -> tuple[str, str, Headers]:
    routes = shell.fetch_all("/routes", {"upstream": function["upstream"], "function": function["name"]})
    for route in routes:
        path = client_path(route["match"], function, parameters)
        if path is not None:
            return _by_route(shell, route, function, parameters, path)
    raise NotFoundError(
        f"no route of which a request could be made calls {function['upstream']}/{function['name']}",
        hint="coalmine call --via direct ...   or coalmine add route",
    )


def _by_route(
    shell: Shell, route: Mapping[str, Any], function: Mapping[str, Any], parameters: Mapping[str, str], path: str
) -> tuple[str, str, Headers]:
    match = route["match"]
    service = shell.fetch(f"/virtual-services/{segment(route['virtual_service'])}").value
    base = shell.fetch("/proxy").value["url"].rstrip("/")
    headers = [(entry["name"], entry["exact"]) for entry in match.get("headers") or () if entry.get("exact")]
    query = [(entry["name"], entry["exact"]) for entry in match.get("query") or () if entry.get("exact")]
    places = {parameter["name"]: parameter["in"] for parameter in function["parameters"]}
    query += [(name, value) for name, value in parameters.items() if places.get(name) == "query"]
    headers += [(name, value) for name, value in parameters.items() if places.get(name) == "header"]
    domain = service["domains"][0]
    if "*" not in domain:
        headers.append(("host", domain))
    methods = match.get("methods") or [function["method"]]
    method = function["method"] if function["method"] in methods else methods[0]
    return f"{base}{path}{'?' + urlencode(query) if query else ''}", method, headers


def client_path(match: Mapping[str, Any], function: Mapping[str, Any], parameters: Mapping[str, str]) -> str | None:
    """The path that a client asks for; None where the route's path cannot be made up (a pattern)."""
    path = match.get("path") or {"prefix": "/"}
    names = _placeholders(function["path"])
    values = [quote(parameters[name], safe="") for name in names if name in parameters]
    if path.get("exact"):
        return str(path["exact"])
    if path.get("prefix"):
        return "/".join([path["prefix"].rstrip("/"), *values]) or "/"
    if path.get("template"):
        text = str(path["template"])
        for name, value in parameters.items():
            text = text.replace(f"{{{name}}}", quote(value, safe=""))
        return None if "{" in text else text
    return None


def _curl(method: str, url: str, headers: Headers, content: str | None) -> str:
    words = ["curl", "-sS", *([] if method == "GET" else ["-X", method]), shlex.quote(url)]
    for name, value in headers:
        words += ["-H", shlex.quote(f"{name}: {value}")]
    return " ".join([*words, *(["--data-binary", shlex.quote(content)] if content is not None else [])])


def _send(method: str, url: str, headers: Sequence[tuple[str, str]], content: str | None) -> None:
    import httpx

    try:
        response = httpx.request(
            method,
            url,
            headers=list(headers),
            content=content,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=trust_anchors(url),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CoalmineError(f"{url}: {error or type(error).__name__}", code="upstream_unreachable") from None
    if response.status_code >= 400:
        sys.stderr.write(clean(f"{response.status_code} {response.reason_phrase}") + "\n")
    _print_body(response.content)
    if response.status_code >= 400:
        raise typer.Exit(1)


def _print_body(content: bytes) -> None:
    """JSON is laid out; anything else goes out as it came, but never as control codes to a terminal."""
    try:
        output.write(output.to_json(json.loads(content)))
    except ValueError:
        if sys.stdout.isatty():
            output.write(clean(content.decode("utf-8", "replace"), lines=True))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
