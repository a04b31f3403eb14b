"""``coalmine get documents``, ``document diff``: what services published, and what changed in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.client import segment
from coalmine.cli.output import Output
from coalmine.cli.revisions import DIFFERENT
from coalmine.cli.shell import Shell, reads
from coalmine.cli.text import clean

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}

Upstream = Annotated[str, typer.Argument(help="the upstream")]
Number = Annotated[int | None, typer.Option(min=1)]


def register_get(group: typer.Typer) -> None:
    for position, word in enumerate(("documents", "document", "doc")):
        group.command(word, hidden=position > 0, help=_get.__doc__)(reads(_get))


def register_group(group: typer.Typer) -> None:
    group.command("diff", help=_diff.__doc__)(reads(_diff))
    group.callback()(_group)  # one command alone would swallow its own name


def _group() -> None:
    """What services published."""


def _get(
    shell: Shell,
    upstream: Upstream,
    revision: Annotated[int | None, typer.Argument(min=1, help="only this one, with its functions")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="print the documents of the revision as they came")] = False,
) -> None:
    """What the documents of an upstream were, newest first (document, doc)."""
    path = f"/upstreams/{segment(upstream)}/documents"
    if revision is None and raw:
        raise typer.BadParameter("say of which revision", param_hint="REVISION")
    if revision is None:
        shell.show(shell.read_all(path), rows)
        return
    item = shell.read(f"{path}/{revision}", {"raw": "true"} if raw else None)
    if raw and shell.output is Output.table:
        for text in item["texts"] or ():
            output.write(clean(text["text"], lines=True))
        shell.note("" if item["texts"] else "the documents were too large to be kept as they came")
        return
    shell.show(item, lambda one: rows([one]))


def _diff(
    shell: Shell,
    upstream: Upstream,
    from_: Annotated[int | None, typer.Option("--from", min=1, help="revision (default: the one before --to)")] = None,
    to: Annotated[int | None, typer.Option("--to", min=1, help="revision (default: the newest)")] = None,
) -> None:
    """Shows what changed in the documents of an upstream, function by function. Exit code 2: something; 0: nothing."""
    asked = {key: str(value) for key, value in (("from", from_), ("to", to)) if value is not None}
    found = shell.read(f"/upstreams/{segment(upstream)}/diff", asked)
    if shell.output is Output.table:
        for line in describe_diff(found):
            output.write(clean(line))
    else:
        shell.show(found)
    if found["severity"] is not None:
        raise typer.Exit(DIFFERENT)


def describe_diff(found: Mapping[str, Any]) -> Iterator[str]:
    """One line for each function, one for each thing that changed in it."""
    counts = ", ".join(f"{len(found[kind])} {kind}" for kind in _SIGNS if found[kind]) or "no function differs"
    worst = f"; the worst is {found['severity']}" if found["severity"] else ""
    yield f"documents of {found['upstream']}, revision {found['from']} to {found['to']}: {counts}{worst}"
    for kind, sign in _SIGNS.items():
        for one in found[kind]:
            renamed = f" -> {one['renamed_to']}" if one.get("renamed_to") else ""
            yield f"{sign} {one['function']}{renamed}  {one['method']} {one['path']}  [{one['severity']}]"
            if kind == "changed":
                for difference in one["differences"]:
                    where = f"{difference['where']}: " if difference["where"] else ""
                    yield f"    {difference['severity']}: {where}{difference['detail']}  [{difference['rule']}]"


def rows(items: Any) -> tuple[Sequence[str], list[Sequence[object]]]:
    columns = ("REVISION", "FETCHED", "FUNCTIONS", "VERSION", "TITLE", "DOCUMENT")
    return columns, [
        (
            item["number"],
            item["fetched_at"][:19].replace("T", " ") + "Z",
            item["function_count"],
            "\n".join(document["version"] for document in item["documents"]),
            "\n".join(document["title"] or "" for document in item["documents"]),
            "\n".join(document["url"] for document in item["documents"]),
        )
        for item in items
    ]
