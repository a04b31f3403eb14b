"""``coalmine describe``: one object, with what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from coalmine.cli import documents, kinds, output, revisions
from coalmine.cli.client import segment
from coalmine.cli.discover import attempt_rows
from coalmine.cli.kinds import table_of
from coalmine.cli.names import function_path, resolve_function
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean

_REVISIONS = 3  # of its documents; all are in `coalmine get documents`
_Name = Annotated[str, typer.Argument(help="its name")]


def register(group: typer.Typer) -> None:
    for kind, command in (
        (kinds.UPSTREAMS, _upstream),
        (kinds.FUNCTIONS, _function),
        (kinds.VIRTUAL_SERVICES, _virtual_service),
        (kinds.ROUTES, _route),
    ):
        for word in kind.words:
            group.command(word, hidden=word != kind.words[1], help=command.__doc__)(reads(command))
    revisions.register_describe(group)


def _upstream(shell: Shell, name: _Name) -> None:
    """An upstream, its last probe with every URL that was tried, and its functions."""
    path = f"{kinds.UPSTREAMS.path}/{segment(name)}"
    upstream = shell.read(path)
    report = shell.fetch(f"{path}/report").value
    functions = shell.fetch_all(f"{path}/functions")
    published = shell.fetch(f"{path}/documents", {"limit": str(_REVISIONS)}).value["items"]
    if shell.output is not Output.table:
        shell.show({**upstream, "report": report, "documents": published, "functions": functions})
        return
    output.write(output.to_yaml(_without_status(upstream)))
    _write_status(upstream)
    output.write(f"\nlast probe: {clean(report['state'])}  {clean(report.get('detail') or '')}")
    for key in ("document_url", "document_version", "started_at", "last_success_at"):
        if report.get(key):
            output.write(f"  {key}: {clean(report[key])}")
    if report.get("attempts"):
        output.print_table(*attempt_rows(report))
    if published:
        output.write("\ndocuments (coalmine document diff shows what changed)")
        output.print_table(*documents.rows(published))
    output.write(f"\n{len(functions)} functions")
    if functions:
        output.print_table(*table_of(kinds.FUNCTIONS)(functions))


def _function(shell: Shell, name: Annotated[str, typer.Argument(help="UPSTREAM/FUNCTION, or a unique name")]) -> None:
    """A function: how it is called, and the routes that call it."""
    full = resolve_function(shell, name)
    function = shell.read(function_path(full))
    upstream, _, own = full.partition("/")
    routes = shell.fetch_all("/routes", {"upstream": upstream, "function": own})
    if shell.output is not Output.table:
        shell.show({**function, "routes": [route["name"] for route in routes]})
        return
    output.write(clean(f"{upstream}/{own}: {function['method']} {function['path']}"))
    for key in ("summary", "description", "state", "document_url", "first_seen", "last_seen"):
        if function.get(key):
            output.write(f"  {key}: {clean(function[key], lines=True)}")
    if function["parameters"]:
        rows = [_parameter(parameter) for parameter in function["parameters"]]
        output.print_table(("PARAMETER", "IN", "REQUIRED", "TYPE", "DESCRIPTION"), rows)
    if function.get("request_body"):
        body = function["request_body"]
        output.write(f"body: {clean(', '.join(body['content_types']))}{' (required)' if body['required'] else ''}")
    if routes:
        output.print_table(*table_of(kinds.ROUTES)(routes))
    else:
        output.write(
            f"no route calls it yet: coalmine add route --path-prefix /... -u {clean(upstream)} -f {clean(own)}"
        )


def _parameter(parameter: Mapping[str, Any]) -> tuple[object, ...]:
    schema = parameter.get("schema")
    kind = schema.get("type", "") if isinstance(schema, dict) else ""
    required = "yes" if parameter["required"] else ""
    return parameter["name"], parameter["in"], required, kind, parameter.get("description") or ""


def _virtual_service(shell: Shell, name: _Name) -> None:
    """A virtual service and its routes in the order in which they are asked."""
    service = shell.read(f"{kinds.VIRTUAL_SERVICES.path}/{segment(name)}")
    routes = shell.fetch_all("/routes", {"virtual_service": name})
    if shell.output is not Output.table:
        shell.show({**service, "routes": routes})
        return
    output.write(clean(f"{service['name']}: {', '.join(service['domains'])}"))
    _write_status(service)
    if routes:
        output.print_table(*table_of(kinds.ROUTES)(routes))
    else:
        output.write("it has no routes yet")


def _route(shell: Shell, name: _Name) -> None:
    """A route: its definition, its place in the order and what is wrong with it."""
    route = shell.read(f"{kinds.ROUTES.path}/{segment(name)}")
    if shell.output is not Output.table:
        shell.show(route)
        return
    output.print_table(*table_of(kinds.ROUTES)([route]))
    output.write("")
    output.write(output.to_yaml(_without_status(route)))
    _write_status(route)


def _without_status(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "status"}


def _write_status(item: Mapping[str, Any]) -> None:
    status = item.get("status") or {}
    output.write(f"status: {clean(status.get('state', 'unknown'))}")
    drifted = ", changed by others since" if status.get("drifted") else ""
    output.write(clean(f"owner: {status.get('owner', 'api')}{drifted}"))
    for problem in status.get("problems") or ():
        output.write(clean(f"  {problem['severity']}: {problem['detail']}  [{problem['code']}]"))
