"""``coalmine canary``: release a new version of one function, step by step, and back.

A canary is named as ``VIRTUAL-SERVICE/X`` or ``X``: X is a route, a function that a route calls, or a path.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from coalmine.cli import output
from coalmine.cli.canary_rows import canary_rows, list_differences, list_steps, say_header, say_version
from coalmine.cli.changes import describe_changes
from coalmine.cli.client import segment
from coalmine.cli.complaint import ApiError
from coalmine.cli.output import Output
from coalmine.cli.pairs import split_pair
from coalmine.cli.shell import Shell, reads, writes
from coalmine.cli.text import clean
from coalmine.cli.trying import find_curl

_HELP = "VIRTUAL-SERVICE/X or X: a route, a function that a route calls, or a path"
_What = Annotated[str, typer.Argument(help=_HELP)]
_Percent = Annotated[int, typer.Argument(min=0, max=100, help="share of the requests that get the new version")]
_Force = Annotated[bool, typer.Option("--force", help="although somebody changed the routes since the last step")]
_AcceptBreaking = Annotated[
    bool, typer.Option("--accept-breaking", help="although callers of the old version may fail")
]
_Cookie = Annotated[str | None, typer.Option("--sticky-cookie", help="keep a user on one version by this cookie")]
_Header = Annotated[str | None, typer.Option("--sticky-header", help="... by this request header")]

_CLEAR = "\x1b[H\x1b[2J"  # a terminal draws from the top again (ECMA-48 CUP, ED)


def register(group: typer.Typer) -> None:
    group.command("start", help=_start.__doc__)(writes(_start))
    group.command("shift", help=_shift.__doc__)(writes(_shift))
    group.command("promote", help=_promote.__doc__)(writes(_promote))
    group.command("abort", help=_abort.__doc__)(writes(_abort))
    group.command("status", help=_status.__doc__)(reads(_status))


def _start(
    shell: Shell,
    what: _What,
    to: Annotated[str, typer.Option("--to", help="the new version: UPSTREAM or UPSTREAM/FUNCTION")],
    header: Annotated[
        str | None, typer.Option("--header", "-d", help="NAME=VALUE: requests with it always get the new version")
    ] = None,
    percent: Annotated[int, typer.Option("--percent", min=0, max=100, help="share of the other requests")] = 0,
    sticky_cookie: _Cookie = None,
    sticky_header: _Header = None,
    accept_breaking: _AcceptBreaking = False,
) -> None:
    """Starts a canary on a route: by a header, by a share of the requests, or both."""
    upstream, _, function = to.partition("/")
    body: dict[str, Any] = {"route": what, "upstream": upstream, "percent": percent}
    body |= {"function": function} if function else {}
    body |= {"header": _exact(header)} if header is not None else {}
    body |= _sticky(sticky_cookie, sticky_header)
    made = shell.write("POST", "/canaries", body, params=_params(accept_breaking=accept_breaking))
    shell.done(made, f"canary started: {_sentence(made)}")
    if not percent and header is None:
        share = f"coalmine canary shift {made['virtual_service']}/{made['name']} 10"
        shell.note(f"note: nobody gets the new version yet; a tenth of the requests: {share}")
    _tell_step(shell, made)


def _shift(
    shell: Shell,
    what: _What,
    percent: _Percent,
    force: _Force = False,
    sticky_cookie: _Cookie = None,
    sticky_header: _Header = None,
    accept_breaking: _AcceptBreaking = False,
) -> None:
    """Gives the new version another share of the requests."""
    body = {"percent": percent, **_sticky(sticky_cookie, sticky_header)}
    params = _params(force=force, accept_breaking=accept_breaking)
    made = shell.write("POST", f"{_path(what)}/shift", body, params=params)
    shell.done(made, f"canary shifted: {_sentence(made)}")
    _tell_step(shell, made)


def _promote(shell: Shell, what: _What, force: _Force = False, accept_breaking: _AcceptBreaking = False) -> None:
    """Sends everybody to the new version; the canary is over."""
    _end(shell, what, "promote", _params(force=force, accept_breaking=accept_breaking))


def _abort(shell: Shell, what: _What, force: _Force = False) -> None:
    """Restores everything as it was before the start; the canary is over."""
    _end(shell, what, "abort", _params(force=force))


def _end(shell: Shell, what: str, step: str, params: Mapping[str, str]) -> None:
    ended = shell.write("POST", f"{_path(what)}/{step}", params=params)
    shell.done(ended, ended["summary"])
    if shell.output is not Output.table:
        return
    if shell.dry_run:
        shell.note("\n".join(describe_changes(ended["changes"])))
        return
    shell.note("\n".join(_list_steps(shell, ended["changes"])))
    route = _find_route(shell, ended["route"])
    _suggest(shell, find_curl(shell, route) if route else None)


def _tell_step(shell: Shell, made: Mapping[str, Any]) -> None:
    """What became of the routes, what callers may notice, and a request to try; for people only."""
    if shell.output is not Output.table:
        return
    if not shell.dry_run:
        shell.note("\n".join(_list_steps(shell, made["step"]["changes"])))
    shell.note("\n".join(line for line in list_differences(made) if "no difference" not in line))
    if not shell.dry_run:
        _suggest(shell, *(find_curl(shell, made["written"], header) for header in _tried(made)))


def _tried(made: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
    """The headers to try: that of the testers, and none where others get the new version, too."""
    header = made.get("header")
    return [*([header] if header else []), *([None] if made["percent"] or not header else [])]


def _suggest(shell: Shell, *lines: str | None) -> None:
    for line in dict.fromkeys(filter(None, lines)):
        shell.note(f"try: {line}")


def _list_steps(shell: Shell, changes: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [change["object"].removeprefix("routes/") for change in changes if change["action"] != "remove"]
    found = {name: _find_route(shell, name) for name in names}
    return list(list_steps(changes, {name: route for name, route in found.items() if route}))


def _find_route(shell: Shell, name: str) -> Mapping[str, Any] | None:
    try:
        return dict(shell.fetch(f"/routes/{segment(name)}").value)
    except ApiError:  # somebody was quicker
        return None


def _status(
    shell: Shell,
    what: Annotated[str | None, typer.Argument(help="only this canary")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="look again and again, until Ctrl-C")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="seconds between two looks")] = 2,
) -> None:
    """Canaries under way: who gets the new version, how each version does, and what callers may notice."""
    while True:
        items = [shell.read(_path(what))] if what else shell.read_all("/canaries")
        if watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        shell.show(items, canary_rows)
        if shell.output is Output.table:
            for line in (line for item in items for line in list_differences(item)):
                output.write(clean(line))
        if not watch:
            return
        time.sleep(interval)


def _path(what: str) -> str:
    """A slash divides; everything else is one name."""
    return f"/canaries/{quote(what, safe='/')}"


def _params(**switches: bool) -> dict[str, str]:
    return {name: "true" for name, given in switches.items() if given}


def _exact(header: str) -> dict[str, str]:
    name, value = split_pair(header, "--header")
    return {"name": name, "exact": value}


def _sticky(cookie: str | None, header: str | None) -> dict[str, Any]:
    if cookie is not None and header is not None:
        raise typer.BadParameter("give one of --sticky-cookie and --sticky-header", param_hint="--sticky-cookie")
    if cookie is not None:
        return {"sticky": {"cookie": {"name": cookie}}}
    return {} if header is None else {"sticky": {"header": header}}


def _sentence(item: Mapping[str, Any]) -> str:
    header = say_header(item.get("header"))
    always = f", and all with {header}" if header else ""
    return f"{say_version(item['destination'])} gets {item['percent']}% of the requests of {item['name']}{always}"
