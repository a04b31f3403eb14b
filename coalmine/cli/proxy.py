"""``coalmine proxy url``: where the proxy listens, alone on a line, for ``$(coalmine proxy url)``."""

from __future__ import annotations

from typing import Annotated

import typer

from coalmine.cli import output
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean


def register(group: typer.Typer) -> None:
    group.command("url", help=_url.__doc__)(reads(_url))
    group.callback()(_group)


def _group() -> None:
    """The proxy."""


def _url(shell: Shell, name: Annotated[str | None, typer.Option("--name", hidden=True)] = None) -> None:
    """Prints the proxy's URL and nothing else."""
    value = shell.read("/proxy")
    if shell.output is Output.table:
        output.write(clean(value["url"]))
    else:
        shell.show(value)
