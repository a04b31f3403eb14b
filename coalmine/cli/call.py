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
from urllib.parse import urlencode

import typer

from coalmine.cli import output
from coalmine.cli.call_parts import (
    Given,
    Headers,
    content_type_of,
    find_conditions,
    find_path,
    readable,
    split_values,
    write_parameters,
)
from coalmine.cli.client import segment
from coalmine.cli.names import function_path, resolve_function
from coalmine.cli.output import Output
from coalmine.cli.pairs import gather_pairs, split_header
from coalmine.cli.shell import Shell, one_of, reads
from coalmine.cli.text import clean
from coalmine.cli.trust import NOTHING, Trust
from coalmine.errors import CoalmineError, NotFoundError

_TIMEOUT_SECONDS = 60.0


class Via(StrEnum):
    """The way of the call."""

    proxy = "proxy"
    direct = "direct"


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
    full = resolve_function(shell, function, routed=via is Via.proxy)
    described = shell.fetch(function_path(full)).value
    parameters, content = split_values(described, gather_pairs(values or (), "NAME=VALUE"), data)
    headers = [split_header(text, "--header") for text in header or ()]
    trust = NOTHING
    if via is Via.direct:
        url, method, more, trust = _direct(shell, described, parameters)
    else:
        url, method, more = _through_proxy(shell, described, parameters)
    headers += more
    if content is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type_of(described)))
    if shell.output is Output.curl:
        output.write(_curl(method, url, headers, content, trust))
        return
    _send(method, url, headers, content, trust)


def _direct(shell: Shell, function: Mapping[str, Any], parameters: Given) -> tuple[str, str, Headers, Trust]:
    from coalmine.model import Function
    from coalmine.routing.call import Call
    from coalmine.routing.decision import Reply, RequestHead
    from coalmine.routing.plan import make_call_plan
    from coalmine.routing.snapshot import ServedDestination
    from coalmine.routing.table import Matched
    from coalmine.routing.template import parse_template

    plan = make_call_plan(Function.model_validate(function))
    written = write_parameters(function, parameters)
    fields = tuple((name.lower().encode(), value.encode("utf-8", "surrogateescape")) for name, value in written.headers)
    head = RequestHead(plan.method, "/", "&".join(written.query) or None, "", fields)
    captures = {name: written.path[name] for name in parse_template(plan.path).names if name in written.path}
    matched = Matched(route=None, captures=captures, rest="")  # type: ignore[arg-type]  # no route takes part
    prepared = Call(ServedDestination(function["upstream"], call=plan)).prepare(head, matched)
    if isinstance(prepared, Reply):
        raise CoalmineError(prepared.detail, code=prepared.code, hint="give it as NAME=VALUE")
    assert prepared is not None  # it asks for a body only where a head announces one
    upstream = shell.fetch(f"/upstreams/{segment(function['upstream'])}").value
    added = [(name, readable(value)) for name, value in prepared.headers]
    replaced = {name for name, _ in added}
    kept = [(name, value) for name, value in written.headers if name.lower() not in replaced]
    url = f"{upstream['endpoints'][0]}{prepared.target}"
    return url, prepared.method, kept + added, Trust(upstream.get("tls") or {})


def _through_proxy(shell: Shell, function: Mapping[str, Any], parameters: Given) -> tuple[str, str, Headers]:
    written = write_parameters(function, parameters)
    routes = shell.fetch_all("/routes", {"upstream": function["upstream"], "function": function["name"]})
    for route in routes:
        asked = find_path(route["match"], function, written)
        conditions = [find_conditions(route["match"].get(place) or ()) for place in ("headers", "query")]
        if asked is not None and None not in conditions:
            headers, query = (condition or [] for condition in conditions)
            pairs = "&".join([*([urlencode(query)] if query else []), *asked.query, *written.query])
            base, host = _find_base(shell, route)
            target = f"{base}{asked.path}{'?' + pairs if pairs else ''}"
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


def _curl(method: str, url: str, headers: Headers, content: str | None, trust: Trust) -> str:
    words = ["curl", "-sS", *([] if method == "GET" else ["-X", method]), *trust.curl_words(url)]
    words.append(shlex.quote(trust.curl_url(url)))
    for name, value in headers:
        words += ["-H", shlex.quote(f"{name}: {value}")]
    return " ".join([*words, *(["--data-binary", shlex.quote(content)] if content is not None else [])])


def _send(method: str, url: str, headers: Sequence[tuple[str, str]], content: str | None, trust: Trust) -> None:
    import httpx

    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=trust.context(url)) as client:
            response = client.request(
                method,
                url,
                headers=[(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers],
                content=content,
                extensions=trust.extensions(),
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
