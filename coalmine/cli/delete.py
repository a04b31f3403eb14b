"""``coalmine delete``: upstreams, virtual services and routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from coalmine.cli import kinds
from coalmine.cli.client import segment
from coalmine.cli.kinds import Kind
from coalmine.cli.shell import Shell, writes

_SINGULAR = {kinds.UPSTREAMS: "upstream", kinds.VIRTUAL_SERVICES: "virtual service", kinds.ROUTES: "route"}


def register(group: typer.Typer) -> None:
    for kind, what in _SINGULAR.items():
        singular = kind.words[1]
        for word in (singular, *(word for word in kind.words if word != singular)):
            group.command(word, hidden=word != singular, help=f"Deletes a {what}.")(writes(_deleter(kind, what)))


def _deleter(kind: Kind, what: str) -> Callable[..., None]:
    def delete(
        shell: Shell,
        name: Annotated[str, typer.Argument(help="its name")],
        force: Annotated[bool, typer.Option("--force", help="also while other objects refer to it")] = False,
        namespace: Annotated[str | None, typer.Option("--namespace", "-n", hidden=True)] = None,
    ) -> None:
        shell.write("DELETE", f"{kind.path}/{segment(name)}", params={"force": "true"} if force else {})
        shell.done({"deleted": name}, f"{what} {name} deleted")

    return delete
