"""``coalmine version``."""

from __future__ import annotations

from typing import Annotated

import typer

from coalmine import __version__
from coalmine.cli import output


def register(app: typer.Typer) -> None:
    app.command("version", help=_version.__doc__)(_version)
    app.callback()(_options)


def _version() -> None:
    """Prints the version of this program."""
    output.write(f"coalmine {__version__}")


def _print_and_exit(wanted: bool) -> None:
    if wanted:
        _version()
        raise typer.Exit(0)


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_and_exit)
    ] = False,
) -> None:
    pass
