"""``coalmine proxy url`` and ``stats``: where the proxy listens, and what it does."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads
from coalmine.cli.stats_rows import destination_rows, list_sums, worker_rows
from coalmine.cli.text import clean
from coalmine.errors import StartupError

_CLEAR = "\x1b[2J\x1b[H"


def register(group: typer.Typer) -> None:
    group.command("url", help=_url.__doc__)(reads(_url))
    group.command("stats", help=_stats.__doc__)(reads(_stats))
    group.callback()(_group)


def _group() -> None:
    """The proxy."""


def _url(
    shell: Shell,
    tls: Annotated[bool, typer.Option("--tls", help="the one for https")] = False,
    name: Annotated[str | None, typer.Option("--name", hidden=True)] = None,
) -> None:
    """Prints the proxy's URL and nothing else."""
    value = shell.read("/proxy")
    if tls and not value.get("tls_url"):
        raise StartupError("the proxy does not listen for https", hint="coalmine serve --proxy-tls 127.0.0.1:8443 ...")
    if shell.output is Output.table:
        output.write(clean(value["tls_url" if tls else "url"]))
    else:
        shell.show(value)


def _stats(
    shell: Shell,
    virtual_service: Annotated[str | None, typer.Option("--virtual-service", help="only of this one")] = None,
    route: Annotated[str | None, typer.Option("--route", help="only of this one")] = None,
    upstream: Annotated[str | None, typer.Option("--upstream", help="only of this one")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="look again and again, until Ctrl-C")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="seconds between two looks")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="the same as -o json")] = False,
) -> None:
    """Requests, rates, errors and latency by route, function and upstream; connections; workers and what they serve."""
    shell = replace(shell, output=Output.json) if as_json else shell
    named = {"virtual_service": virtual_service, "route": route, "upstream": upstream}
    params = {name: value for name, value in named.items() if value is not None}
    before: Mapping[str, Any] | None = None
    while True:
        told = shell.read("/stats", params)
        if watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        _show(shell, told, before)
        if not watch:
            return
        sys.stdout.flush()
        before = told
        time.sleep(interval)


def _show(shell: Shell, told: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    if shell.output is not Output.table:
        shell.show(told)
        return
    for line in list_sums(told, before):
        output.write(line)
    output.write("")
    output.print_table(*destination_rows(told, before))
    output.write("")
    output.print_table(*worker_rows(told))
