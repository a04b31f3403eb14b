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
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

import typer

from coalmine.cli import output
from coalmine.cli.client import segment, trust_anchors
from coalmine.cli.names import function_path, resolve_function
from coalmine.cli.output import Output
from coalmine.cli.pairs import split_header, split_pairs
from coalmine.cli.shell import Shell, one_of, reads
from coalmine.cli.text import clean
from coalmine.errors import CoalmineError, NotFoundError, nearest

_TIMEOUT_SECONDS = 60.0
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


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
    via: Annotated[Via, one_of(Via, "--via", help="direct: at the upstream, past the gateway")] = Via.proxy,
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
    if content is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type_of(described)))
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
    return parameters, _write_body(function, fields)


def content_type_of(function: Mapping[str, Any]) -> str:
    """What the body is sent as: JSON where the function takes it, else a form, else what it takes first."""
    from coalmine.routing.values import is_json

    types: Sequence[str] = (function.get("request_body") or {}).get("content_types") or (_JSON,)
    json_types = [one for one in types if is_json(one)]
    if json_types:
        return _JSON if _JSON in json_types else json_types[0]
    return _FORM if _FORM in types else types[0]


def _write_body(function: Mapping[str, Any], fields: Mapping[str, str]) -> str:
    from coalmine.routing.values import is_json

    content_type = content_type_of(function)
    if content_type == _FORM:
        return urlencode(fields)
    if not is_json(content_type):
        raise CoalmineError(
            f"{function['name']} takes {content_type}, which cannot be made of fields",
            code="unsupported_media_type",
            hint="give the whole body with --data, and its type with -H 'content-type: ...'",
        )
    schema = function["request_body"].get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return json.dumps({name: _typed(value, (properties or {}).get(name)) for name, value in fields.items()})


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
    return (
        f"{upstream['endpoints'][0]}{prepared.target}",
        prepared.method,
        [(name, _readable(value)) for name, value in prepared.headers],
    )


def _through_proxy(
    shell: Shell, function: Mapping[str, Any], parameters: Mapping[str, str]
) -> tuple[str, str, Headers]:
    written = write_parameters(function, parameters)
    routes = shell.fetch_all("/routes", {"upstream": function["upstream"], "function": function["name"]})
    for route in routes:
        path = client_path(route["match"], function, written.path)
        conditions = [find_conditions(route["match"].get(place) or ()) for place in ("headers", "query")]
        if path is not None and None not in conditions:
            headers, query = (condition or [] for condition in conditions)
            pairs = "&".join([*([urlencode(query)] if query else []), *written.query])
            base, host = _find_base(shell, route)
            target = f"{base}{path}{'?' + pairs if pairs else ''}"
            return target, _method(route["match"], function), headers + written.headers + host
    raise NotFoundError(
        f"no route of which a request could be made calls {function['upstream']}/{function['name']}",
        hint="coalmine call --via direct ...   or coalmine add route",
    )


def _find_base(shell: Shell, route: Mapping[str, Any]) -> tuple[str, Headers]:
    domains = shell.fetch(f"/virtual-services/{segment(route['virtual_service'])}").value["domains"]
    base = shell.fetch("/proxy").value["url"].rstrip("/")
    return base, [] if "*" in domains else [("host", domains[0].replace("*", "www"))]


def _method(match: Mapping[str, Any], function: Mapping[str, Any]) -> str:
    methods = match.get("methods") or [function["method"]]
    return str(function["method"] if function["method"] in methods else methods[0])


def find_conditions(entries: Sequence[Mapping[str, Any]]) -> Headers | None:
    """What a request carries to meet the conditions; None where that cannot be made up (a pattern)."""
    found: Headers = []
    for entry in entries:
        inverted, present = bool(entry.get("invert")), entry.get("present")
        if present is not None:
            found += [(entry["name"], "1")] if present != inverted else []
        elif inverted:
            continue  # what is absent fits
        elif entry.get("exact") is not None:
            found.append((entry["name"], entry["exact"]))
        else:
            return None
    return found


class Written(NamedTuple):
    """Parameters as the function wants them, which is how the gateway passes them on untouched."""

    path: dict[str, str]  # encoded, by name
    query: list[str]  # encoded pairs
    headers: Headers


def write_parameters(function: Mapping[str, Any], parameters: Mapping[str, str]) -> Written:
    """In the style that the document says, lists given with commas; raises CoalmineError."""
    from coalmine.model import Function
    from coalmine.routing import styles
    from coalmine.routing.plan import make_call_plan
    from coalmine.routing.values import Unsendable

    written = Written({name: quote(value, safe="") for name, value in parameters.items()}, [], [])
    cookies: list[str] = []
    for one in make_call_plan(Function.model_validate(function)).parameters:
        value = styles.read_delimited(one, parameters[one.name], str) if one.name in parameters else None
        if value is None:
            continue
        try:
            match one.place:
                case "path":
                    written.path[one.name] = styles.write_path(one, value)
                case "query":
                    written.query.append(styles.write_query(one, value))
                case "header":
                    written.headers.append((one.name, _readable(styles.write_header(one, value))))
                case "cookie":
                    cookies.append(styles.write_cookie(one, value))
        except Unsendable as error:
            raise CoalmineError(f"{one.place} parameter {one.name}: {error}", code="invalid_parameter") from None
    if cookies:
        written.headers.append(("cookie", "; ".join(cookies)))
    return written


def _readable(value: str) -> str:
    """A header value that has one character per octet, as text: that is what a curl line and a terminal take."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def client_path(match: Mapping[str, Any], function: Mapping[str, Any], values: Mapping[str, str]) -> str | None:
    """The path that a client asks for, of encoded values; None where it cannot be made up (a pattern)."""
    path = match.get("path") or {"prefix": "/"}
    if path.get("exact"):
        return str(path["exact"])
    if path.get("prefix"):
        given = [values[name] for name in _placeholders(function["path"]) if name in values]
        return "/".join([path["prefix"].rstrip("/"), *given]) or "/"
    if path.get("template"):
        text = str(path["template"])
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
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
            headers=[(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers],
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
