"""``coalmine version``."""

from __future__ import annotations

import typer

from coalmine import __version__
from coalmine.cli import output


def register(app: typer.Typer) -> None:
    app.command("version", help=_version.__doc__)(_version)


def _version() -> None:
    """Prints the version of this program."""
    output.write(f"coalmine {__version__}")
