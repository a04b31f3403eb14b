"""The tree of commands. A command's module imports what it needs when it runs: help must answer at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer
import typer.main

from coalmine.cli import (
    call,
    canary,
    config,
    create,
    delete,
    describe,
    discover,
    doctor,
    documents,
    edit,
    explain,
    get,
    proxy,
    revisions,
    routes,
    serve,
    version,
)

_HELP = "Coalmine, a function gateway. Everything but serve, reload, demo, doctor and version speaks to the admin API."

Register = Callable[[typer.Typer], None]

# In the order in which help shows them; single commands and groups of commands.
_SINGLE: tuple[Register, ...] = (serve.register, doctor.register)
_GROUPS: tuple[tuple[str, str, Register], ...] = (
    ("get", "Lists objects, or shows one.", get.register),
    ("describe", "Shows everything that is known about one object.", describe.register),
    ("create", "Creates an upstream or a virtual service.", create.register),
    ("add", "Adds a route.", routes.register_add),
    ("edit", "Changes a route, an upstream or a virtual service.", edit.register),
    ("remove", "Removes a route.", routes.register_remove),
    ("delete", "Deletes an upstream, a virtual service or a route.", delete.register),
    ("canary", "Releases a new version of a function, step by step, and back.", canary.register),
    ("revision", "What was changed when and by whom.", revisions.register_group),
    ("document", "What services published, and what changed in it.", documents.register_group),
    ("proxy", "Where the proxy listens, and what it does.", proxy.register),
)
_LATER: tuple[Register, ...] = (
    discover.register,
    call.register,
    explain.register,
    config.register,
    revisions.register,
    version.register,
)


def make_app() -> typer.Typer:
    # Plain help: markup and pretty tracebacks would load rich for every help, and texts of others are no markup.
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for register in _SINGLE:
        register(app)
    for name, text, register in _GROUPS:
        group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
        register(group)
        app.add_typer(group, name=name, help=text)
    for register in _LATER:
        register(app)
    return app


@functools.cache
def make_command() -> Callable[..., Any]:
    """The whole tree, ready to be called with a command line; made once in a process."""
    return typer.main.get_command(make_app())
