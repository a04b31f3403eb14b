"""``coalmine serve``, ``coalmine reload`` and ``coalmine demo``: thin, ``coalmine.serve`` does the work."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.shell import give_signature
from coalmine.settings import SETTINGS, Setting


def register(app: typer.Typer) -> None:
    app.command("serve", help=_serve.__doc__)(give_signature(_serve, [_parameter(setting) for setting in SETTINGS]))
    app.command("reload", help=_reload.__doc__)(_reload)
    app.command("demo", help=_demo.__doc__)(_demo)


def _parameter(setting: Setting) -> inspect.Parameter:
    """The option of one row of the settings' table. Its default is None: absent, so that the variable counts."""
    kind = str if setting.default is None else type(setting.default)
    words = [f"{setting.flag}/--no-{setting.flag[2:]}"] if kind is bool else [setting.flag]
    default = "" if setting.default in (None, "") else f"  [{_shown(setting.default)}]"
    option = typer.Option(*words, help=f"{setting.help}{default}", show_default=False)
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _serve(**given: Any) -> None:
    """Serves: the proxy, the admin API and discovery. Each flag also has a variable, COALMINE_ and its name."""
    from coalmine.serve import run
    from coalmine.serve.settings_file import read_settings

    raise typer.Exit(run(read_settings(given, os.environ), lambda: read_settings(given, os.environ)) or 0)


def _reload(
    database: Annotated[
        str | None,
        typer.Option("--database", help="the catalog of the gateway, as it was told to serve", metavar="URL"),
    ] = None,
) -> None:
    """Replaces the processes of the gateway that runs here; no request is lost. Takes a new version and settings."""
    from coalmine.serve.running import request_reload
    from coalmine.serve.settings_file import read_settings

    settings = read_settings({"database": database}, os.environ)
    for line in request_reload(settings.database):
        output.write(line)


def _demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", help="keep the catalog in this folder, for the next demo", metavar="FOLDER")
    ] = None,
) -> None:
    """Starts two petstores and a gateway before them, and shows what to try. Ctrl-C ends everything."""
    from coalmine.serve.demo import run

    raise typer.Exit(run(keep) or 0)
