"""``coalmine get revisions``, ``describe revision``, ``revision diff``, ``rollback``: looking back, and going back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.changes import count_changes, describe_changes
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads, writes
from coalmine.cli.text import clean

DIFFERENT = 2  # as deck's --non-zero-exit-code: scripts tell "different" from "failed"
_NAMED = 5  # routes in one cell of a table

Number = Annotated[int, typer.Argument(min=0, help="its number; 0 is the state before the first revision")]


def register(app: typer.Typer) -> None:
    app.command("rollback", help=_rollback.__doc__)(writes(_rollback))


def register_group(group: typer.Typer) -> None:
    group.command("diff", help=_diff.__doc__)(reads(_diff))
    group.callback()(_group)  # one command alone would swallow its own name


def register_get(group: typer.Typer) -> None:
    for position, word in enumerate(("revisions", "revision", "rev")):
        group.command(word, hidden=position > 0, help=_get.__doc__)(reads(_get))


def register_describe(group: typer.Typer) -> None:
    for position, word in enumerate(("revision", "revisions", "rev")):
        group.command(word, hidden=position > 0, help=_describe.__doc__)(reads(_describe))


def _group() -> None:
    """What was changed when and by whom."""


def _get(
    shell: Shell,
    number: Annotated[int | None, typer.Argument(min=1, help="only this one")] = None,
    object: Annotated[str | None, typer.Option("--object", help="that changed it, such as routes/find-pets")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="by whom, such as cli, or 'cli ann@host'")] = None,
) -> None:
    """What was changed when and by whom, newest first (revision, rev)."""
    if number is not None:
        shell.show(shell.read(f"/revisions/{number}"), lambda item: rows([item]))
        return
    filters = {"object": object, "actor": actor}
    shell.show(shell.read_all("/revisions", {key: value for key, value in filters.items() if value is not None}), rows)


def _describe(shell: Shell, number: Number) -> None:
    """One revision: what it changed, key by key, and its effect on routes."""
    item = shell.read(f"/revisions/{number}")
    if shell.output is not Output.table:
        shell.show(item)
        return
    output.write(clean(f"revision {item['number']}: {item['summary']}"))
    output.write(clean(f"  by {item['actor']} at {item['at']}"))
    for line in describe_effect(item["effect"], whole=True):
        output.write(clean(f"  {line}"))
    _write_changes(item)


def _diff(shell: Shell, a: Number, b: Number) -> None:
    """Shows what differs between the states after two revisions. Exit code 2: something; 0: nothing."""
    diff_revisions(shell, a, b)


def diff_revisions(shell: Shell, a: int, b: int) -> None:
    found = shell.read(f"/revisions/{a}/diff/{b}")
    if shell.output is not Output.table:
        shell.show(found)
    else:
        _write_changes(found)
    if found["changes"] or found["reordered"]:
        raise typer.Exit(DIFFERENT)


def _rollback(shell: Shell, number: Number) -> None:
    """Makes everything what it was after a revision. It is a revision itself, so it can be taken back, too."""
    made = shell.write("POST", f"/revisions/{number}/rollback")
    if shell.output is not Output.table:
        shell.show(made)
        return
    _write_changes(made)
    told = count_changes(made["changes"])
    if made["revision"] is not None:
        told = f"everything is as after revision {number}; this is revision {made['revision']}"
    shell.done(made, told or "nothing is different from that")
    for problem in made["problems"]:
        shell.note(f"{problem['severity']}: {problem['where']}: {problem['detail']}  [{problem['code']}]")


def _write_changes(item: Mapping[str, Any]) -> None:
    for line in describe_changes(item["changes"]):
        output.write(clean(line))
    if item.get("reordered"):
        output.write("routes got another age: equal ones may be tried in another order")


def rows(items: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    columns = ("REVISION", "WHEN", "WHO", "WHAT", "ROUTES")
    return columns, [
        (
            item["number"],
            item["at"][:19].replace("T", " ") + "Z",
            item["actor"],
            item["summary"],
            "\n".join(describe_effect(item["effect"])),
        )
        for item in items
    ]


def describe_effect(effect: Mapping[str, Any], *, whole: bool = False) -> list[str]:
    """One line for each thing that happened to routes, such as ``broken: find-pets``."""
    lines = []
    for word in ("added", "changed", "removed", "broken"):
        names = effect.get(word) or []
        shown = names if whole else names[:_NAMED]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        if names:
            lines.append(f"{word}: {', '.join(shown)}{more}")
    return lines
