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
from coalmine.cli.revisions import DIFFERENT, diff_revisions
from coalmine.cli.shell import Shell, reads, writes
from coalmine.cli.text import clean
from coalmine.cli.waiting import find_upstream, tell_problems, wait_for_discovery

_Files = Annotated[
    list[str], typer.Option("--filename", "-f", help="a file, a directory or - (standard input); several: again")
]
_MaybeFiles = Annotated[
    list[str] | None, typer.Option("--filename", "-f", help="a file, a directory or - (standard input); several: again")
]
_Replace = Annotated[bool, typer.Option("--replace", help="also remove everything that the files do not have")]
_Owner = Annotated[str, typer.Option("--owner", help="the name of this set of files: what it writes belongs to it")]
_Prune = Annotated[bool, typer.Option("--prune", help="also remove what this set wrote once and has no more")]
_DEFAULT_OWNER = "apply"  # as the admin API's
_NAMED = 5  # objects in one note


def register(app: typer.Typer) -> None:
    app.command("apply", help=_apply.__doc__)(writes(_apply))
    app.command("diff", help=_diff.__doc__)(reads(_diff))
    app.command("dump", help=_dump.__doc__)(reads(_dump))
    app.command("check", help=_check.__doc__)(reads(_check))


def _apply(
    shell: Shell,
    filename: _Files,
    replace: _Replace = False,
    owner: _Owner = _DEFAULT_OWNER,
    prune: _Prune = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="so many seconds until the functions that the set calls are found")
    ] = 0,
) -> None:
    """Makes what the files say: Coalmine's own form, or Gloo's manifests. All of it or nothing."""
    if replace and prune:
        raise typer.BadParameter("--replace removes everything else, --prune only what is the set's own: give one")
    method, path = ("PUT", "/config") if replace else ("POST", "/config/apply")
    result = _send(shell, read_files(filename), method, path, _query(owner, prune=prune))
    if shell.output is not Output.table:
        shell.show(result)
    else:
        _write_applied(shell, result, waits=wait > 0)
    if wait and not shell.dry_run:
        wait_for_discovery(shell, result["problems"], wait)


def _write_applied(shell: Shell, result: Mapping[str, Any], *, waits: bool) -> None:
    _write_result(shell, result)
    done = count_changes(result["changes"]) or "nothing to change"
    output.write(done + (" (dry run: nothing was changed)" if shell.dry_run else ""))
    for name in result["ended_canaries"]:
        ends = "would end" if shell.dry_run else "is over"
        shell.note(f"note: the canary on route {name} {ends}: the files replaced its routes")
    tell_problems(shell, result["problems"])
    if not waits and any(find_upstream(problem) for problem in result["problems"]):
        shell.note("coalmine check tells when they are found; apply --wait SECONDS waits for them")


def _diff(
    shell: Shell,
    revision: Annotated[
        list[int] | None, typer.Argument(min=0, help="two numbers: what differs between these revisions")
    ] = None,
    filename: _MaybeFiles = None,
    replace: _Replace = False,
    owner: _Owner = _DEFAULT_OWNER,
    prune: _Prune = False,
) -> None:
    """Shows what apply would change, or what differs between two revisions. Exit code 2: something; 0: nothing."""
    if revision:
        if filename or len(revision) != 2:
            raise typer.BadParameter("give two revisions, or files with -f", param_hint="REVISION")
        diff_revisions(shell, *revision)
        return
    if not filename:
        raise typer.BadParameter("say with which files to compare, or give two revisions", param_hint="-f")
    query = _query(owner, prune=prune) | ({"replace": "true"} if replace else {})
    result = _send(shell, read_files(filename), "POST", "/config/diff", query)
    if shell.output is not Output.table:
        shell.show(result)
    else:
        _write_result(shell, result)
    if result["changes"]:
        raise typer.Exit(DIFFERENT)


def _query(owner: str, *, prune: bool) -> dict[str, str]:
    """Only what is not the default: the REST call is to be as short as it can."""
    return ({} if owner == _DEFAULT_OWNER else {"owner": owner}) | ({"prune": "true"} if prune else {})


def _write_result(shell: Shell, result: Mapping[str, Any]) -> None:
    """Each change, to whom what it changes belongs, and what others did to the set."""
    for line in describe_changes(result["changes"], owner=result["owner"]):
        output.write(clean(line))
    for before in sorted({taken["owner"] for taken in result["taken_over"]}):
        names = [taken["object"] for taken in result["taken_over"] if taken["owner"] == before]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        shell.note(f"note: from {before} to {result['owner']} go over: {', '.join(names[:_NAMED])}{more}")
    for name in result["drifted"]:
        shell.note(f"note: {name} was changed by others since {result['owner']} wrote it")


def _send(shell: Shell, sources: list[Source], method: str, path: str, params: Mapping[str, str] | None = None) -> Any:
    content_type = "application/json" if len(sources) == 1 else "application/yaml"
    try:
        return shell.write(method, path, to_stream(sources), params=params, content_type=content_type)
    except ApiError as error:
        raise name_files(error, sources) from None


def _dump(
    shell: Shell,
    owner: Annotated[str | None, typer.Option("--owner", help="only what belongs to this set, or to api")] = None,
) -> None:
    """Prints everything that people wrote, in the form that apply takes."""
    shell.show(shell.read("/config", {} if owner is None else {"owner": owner}))


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
