"""``coalmine get``: lists, and single objects by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from coalmine.cli import documents, kinds, revisions
from coalmine.cli.client import segment
from coalmine.cli.kinds import Kind, table_of
from coalmine.cli.names import function_path, resolve_function
from coalmine.cli.shell import Shell, reads

_Name = Annotated[str | None, typer.Argument(help="only this one")]
_Words = Annotated[str | None, typer.Option("--query", "-q", help="only those with these words")]
_Upstream = Annotated[str | None, typer.Option("--upstream", "-u", help="only those of this upstream")]
_Namespace = Annotated[str | None, typer.Option("--namespace", "-n", hidden=True)]


def register(group: typer.Typer) -> None:
    for kind, command in (
        (kinds.UPSTREAMS, _upstreams),
        (kinds.FUNCTIONS, _functions),
        (kinds.VIRTUAL_SERVICES, _virtual_services),
        (kinds.ROUTES, _routes),
    ):
        for position, word in enumerate(kind.words):
            group.command(word, hidden=position > 0, help=command.__doc__)(reads(command))
    documents.register_get(group)
    revisions.register_get(group)
    for position, word in enumerate(("problems", "problem")):
        group.command(word, hidden=position > 0, help=_problems.__doc__)(reads(_problems))


def _upstreams(shell: Shell, name: _Name = None, query: _Words = None, namespace: _Namespace = None) -> None:
    """Services that requests can be sent to (upstream, us, u)."""
    _get(shell, kinds.UPSTREAMS, name, {"q": query})


def _virtual_services(shell: Shell, name: _Name = None, query: _Words = None, namespace: _Namespace = None) -> None:
    """Domains and how many routes they have (virtualservice, vs)."""
    _get(shell, kinds.VIRTUAL_SERVICES, name, {"q": query})


def _functions(
    shell: Shell,
    name: _Name = None,
    query: _Words = None,
    upstream: _Upstream = None,
    method: Annotated[str | None, typer.Option("--method", "-m")] = None,
    tag: Annotated[str | None, typer.Option("--tag")] = None,
    state: Annotated[str | None, typer.Option("--state", help="active or removed")] = None,
) -> None:
    """What the upstreams offer (function, fn)."""
    if name is not None:
        item = shell.read(function_path(resolve_function(shell, name)))
        shell.show(item, lambda one: table_of(kinds.FUNCTIONS)([one]))
        return
    _get(shell, kinds.FUNCTIONS, None, {"q": query, "upstream": upstream, "method": method, "tag": tag, "state": state})


def _routes(
    shell: Shell,
    name: _Name = None,
    query: _Words = None,
    virtual_service: Annotated[str | None, typer.Option("--virtual-service", "--vs")] = None,
    upstream: _Upstream = None,
    function: Annotated[str | None, typer.Option("--function", "-f", help="only those that call it")] = None,
) -> None:
    """Routes in the order in which they are asked (route, r)."""
    filters = {"q": query, "virtual_service": virtual_service, "upstream": upstream, "function": function}
    _get(shell, kinds.ROUTES, name, filters)


def _problems(shell: Shell) -> None:
    """Definitions that are not served as written, and why."""
    shell.show(shell.read_all("/problems"), problem_rows)


def problem_rows(items: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    columns = ("SEVERITY", "WHERE", "CODE", "DETAIL")
    return columns, [(item["severity"], item["where"], item["code"], item["detail"]) for item in items]


def _get(shell: Shell, kind: Kind, name: str | None, filters: Mapping[str, str | None]) -> None:
    if name is not None:
        item = shell.read(f"{kind.path}/{segment(name)}")
        shell.show(item, lambda one: table_of(kind)([one]))
        return
    items = shell.read_all(kind.path, {key: value for key, value in filters.items() if value is not None})
    shell.show(items, table_of(kind))
