"""``coalmine canary``: release a new version of one function, step by step, and back.

A canary is named as ``VIRTUAL-SERVICE/X`` or ``X``: X is a route, a function that a route calls, or a path.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from coalmine.cli.changes import describe_changes
from coalmine.cli.pairs import split_pair
from coalmine.cli.shell import Shell, reads, writes

_HELP = "VIRTUAL-SERVICE/X or X: a route, a function that a route calls, or a path"
_What = Annotated[str, typer.Argument(help=_HELP)]
_Percent = Annotated[int, typer.Argument(min=0, max=100, help="share of the requests that get the new version")]
_Force = Annotated[bool, typer.Option("--force", help="although somebody changed the routes since the last step")]
_Cookie = Annotated[str | None, typer.Option("--sticky-cookie", help="keep a user on one version by this cookie")]
_Header = Annotated[str | None, typer.Option("--sticky-header", help="... by this request header")]


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
) -> None:
    """Starts a canary on a route: by a header, by a share of the requests, or both."""
    upstream, _, function = to.partition("/")
    body: dict[str, Any] = {"route": what, "upstream": upstream, "percent": percent}
    body |= {"function": function} if function else {}
    body |= {"header": _exact(header)} if header is not None else {}
    made = shell.write("POST", "/canaries", body | _sticky(sticky_cookie, sticky_header))
    shell.done(made, f"canary started: {_sentence(made)}")


def _shift(
    shell: Shell,
    what: _What,
    percent: _Percent,
    force: _Force = False,
    sticky_cookie: _Cookie = None,
    sticky_header: _Header = None,
) -> None:
    """Gives the new version another share of the requests."""
    body = {"percent": percent, **_sticky(sticky_cookie, sticky_header)}
    made = shell.write("POST", f"{_path(what)}/shift", body, params=_params(force))
    shell.done(made, f"canary shifted: {_sentence(made)}")


def _promote(shell: Shell, what: _What, force: _Force = False) -> None:
    """Sends everybody to the new version; the canary is over."""
    _end(shell, what, "promote", force)


def _abort(shell: Shell, what: _What, force: _Force = False) -> None:
    """Restores everything as it was before the start; the canary is over."""
    _end(shell, what, "abort", force)


def _end(shell: Shell, what: str, step: str, force: bool) -> None:
    ended = shell.write("POST", f"{_path(what)}/{step}", params=_params(force))
    shell.note("\n".join(describe_changes(ended["changes"])))
    shell.done(ended, ended["summary"])


def _status(
    shell: Shell,
    what: Annotated[str | None, typer.Argument(help="only this canary")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="look again and again, until Ctrl-C")] = False,
    interval: Annotated[float, typer.Option("--interval", min=0.2, help="seconds between two looks")] = 2,
) -> None:
    """Canaries that are under way, and the share that the new version gets."""
    while True:
        items = [shell.read(_path(what))] if what else shell.read_all("/canaries")
        shell.show(items, _rows)
        if not watch:
            return
        time.sleep(interval)


def _path(what: str) -> str:
    """A slash divides; everything else is one name."""
    return f"/canaries/{quote(what, safe='/')}"


def _params(force: bool) -> dict[str, str]:
    return {"force": "true"} if force else {}


def _exact(header: str) -> dict[str, str]:
    name, value = split_pair(header, "--header")
    return {"name": name, "exact": value}


def _sticky(cookie: str | None, header: str | None) -> dict[str, Any]:
    if cookie is not None and header is not None:
        raise typer.BadParameter("give one of --sticky-cookie and --sticky-header", param_hint="--sticky-cookie")
    if cookie is not None:
        return {"sticky": {"cookie": {"name": cookie}}}
    return {} if header is None else {"sticky": {"header": header}}


def _rows(items: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    columns = ("ROUTE", "VIRTUAL SERVICE", "NEW VERSION", "SHARES", "HEADER", "STARTED", "NOTE")
    return columns, [
        (
            item["name"],
            item["virtual_service"],
            _destination(item["destination"]),
            _shares(item["status"]["shares"]),
            _header(item.get("header")),
            item.get("started") or "",
            "; ".join(item["status"]["drift"]),
        )
        for item in items
    ]


def _shares(shares: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"{_destination(share['destination'])} {share['percent']:g}%" for share in shares)


def _sentence(item: Mapping[str, Any]) -> str:
    header = _header(item.get("header"))
    always = f", and all with {header}" if header else ""
    return f"{_destination(item['destination'])} gets {item['percent']}% of the requests of {item['name']}{always}"


def _destination(entry: Mapping[str, Any]) -> str:
    return f"{entry['upstream']}/{entry['function']}" if entry.get("function") else str(entry["upstream"])


def _header(header: Mapping[str, Any] | None) -> str:
    if not header:
        return ""
    return f"{header['name']}={header.get('exact') or header.get('regex') or '(present)'}"
