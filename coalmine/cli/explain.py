"""``coalmine explain``: which route takes a request, why the others do not, and what the upstream would get."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.output import Output
from coalmine.cli.pairs import split_header
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean


def register(app: typer.Typer) -> None:
    app.command("explain", help=_explain.__doc__)(reads(_explain))


def _explain(
    shell: Shell,
    method: Annotated[str, typer.Argument(help="such as GET")],
    path: Annotated[str, typer.Argument(help="with its query, such as /findPets?limit=1")],
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'name: value'; several: again")] = None,
    host: Annotated[str, typer.Option("--host", help="the Host of the request")] = "localhost",
    source: Annotated[str, typer.Option("--source", help="the client's address")] = "127.0.0.1",
    body: Annotated[str | None, typer.Option("--body", help="the request's body")] = None,
) -> None:
    """Which route a request would take, why the others lose, and what would be sent. Nothing is sent."""
    pairs = [list(split_header(text, "--header")) for text in header or ()]
    question: dict[str, Any] = {"method": method, "path": path, "headers": pairs, "host": host, "source": source}
    question |= {"body": body} if body is not None else {}
    answer = shell.post("/match", question)
    if shell.output is not Output.table:
        shell.show(answer)
        return
    output.write(clean(output.to_yaml(answer), lines=True))
