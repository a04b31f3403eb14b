"""``coalmine apply``, ``diff``, ``dump`` and ``check``: the configuration as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from coalmine.cli import output
from coalmine.cli.changes import count_changes, describe_changes
from coalmine.cli.complaint import ApiError
from coalmine.cli.files import Source, name_files, read_files, to_stream
from coalmine.cli.get import problem_rows
from coalmine.cli.output import Output
from coalmine.cli.shell import Shell, reads, writes
from coalmine.cli.text import clean

_DIFFERENT = 2  # as deck's --non-zero-exit-code: scripts tell "different" from "failed"

_Files = Annotated[
    list[str], typer.Option("--filename", "-f", help="a file, a directory or - (standard input); several: again")
]
_Replace = Annotated[bool, typer.Option("--replace", help="also remove what the files do not have")]


def register(app: typer.Typer) -> None:
    app.command("apply", help=_apply.__doc__)(writes(_apply))
    app.command("diff", help=_diff.__doc__)(reads(_diff))
    app.command("dump", help=_dump.__doc__)(reads(_dump))
    app.command("check", help=_check.__doc__)(reads(_check))


def _apply(shell: Shell, filename: _Files, replace: _Replace = False) -> None:
    """Makes what the files say: Coalmine's own form, or Gloo's manifests. All of it or nothing."""
    sources = read_files(filename)
    method, path = ("PUT", "/config") if replace else ("POST", "/config/apply")
    result = _send(shell, sources, method, path)
    if shell.output is not Output.table:
        shell.show(result)
        return
    for line in describe_changes(result["changes"]):
        output.write(clean(line))
    done = count_changes(result["changes"]) or "nothing to change"
    output.write(done + (" (dry run: nothing was changed)" if shell.dry_run else ""))
    for problem in result.get("problems") or ():
        shell.note(f"{problem['severity']}: {problem['where']}: {problem['detail']}  [{problem['code']}]")


def _diff(shell: Shell, filename: _Files, replace: _Replace = False) -> None:
    """Shows what apply would change. Exit code 2: something; 0: nothing."""
    sources = read_files(filename)
    result = _send(shell, sources, "POST", "/config/diff", {"replace": "true"} if replace else None)
    if shell.output is not Output.table:
        shell.show(result)
    else:
        for line in describe_changes(result["changes"]):
            output.write(clean(line))
    if result["changes"]:
        raise typer.Exit(_DIFFERENT)


def _send(shell: Shell, sources: list[Source], method: str, path: str, params: Mapping[str, str] | None = None) -> Any:
    content_type = "application/json" if len(sources) == 1 else "application/yaml"
    try:
        return shell.write(method, path, to_stream(sources), params=params, content_type=content_type)
    except ApiError as error:
        raise name_files(error, sources) from None


def _dump(shell: Shell) -> None:
    """Prints everything that people wrote, in the form that apply takes."""
    shell.show(shell.read("/config"))


def _check(shell: Shell) -> None:
    """Lists everything that is not as written or not found. Exit code 1: there is something."""
    problems = shell.read_all("/problems")
    known = {(problem["where"], problem["code"], problem["detail"]) for problem in problems}
    upstreams = shell.fetch_all("/upstreams")
    for upstream in upstreams:
        problems += [
            found for found in _find(upstream) if (found["where"], found["code"], found["detail"]) not in known
        ]
    health = _health(shell)
    problems = [*health, *problems]
    if shell.output is not Output.table:
        shell.show(problems)
    elif problems:
        output.print_table(*problem_rows(problems))
    if problems:
        shell.note(f"{len(problems)} problems")
        raise typer.Exit(1)
    if shell.output is Output.table:
        output.write("everything is as written")


# What a discovery state means for somebody who wants functions; the others are good.
_STATES = {
    "pending": "was never probed",
    "not_found": "answers, but no document was found",
    "unreachable": "cannot be reached",
    "stale": "cannot be read any more; its last known functions are kept",
}


def _find(upstream: Mapping[str, Any]) -> list[dict[str, Any]]:
    status = upstream.get("status") or {}
    where = f"upstreams/{upstream['name']}"
    found = [dict(problem) for problem in status.get("problems") or ()]
    state = status.get("discovery")
    if state in _STATES:
        detail = f"{_STATES[state]}; coalmine describe upstream {upstream['name']} shows what was tried"
        found.append({"severity": "warning", "where": where, "code": f"discovery_{state}", "detail": detail})
    return found


def _health(shell: Shell) -> list[dict[str, Any]]:
    try:
        health = shell.fetch("//readyz").value
    except ApiError as error:
        health = error.problem
    return [
        {"severity": "error", "where": check["name"], "code": "not_ready", "detail": check["detail"]}
        for check in health.get("checks") or ()
        if not check["ok"]
    ]
