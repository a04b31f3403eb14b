"""``coalmine canary``: release a new version of one function, step by step, and back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from coalmine.cli.client import segment
from coalmine.cli.pairs import split_pair
from coalmine.cli.shell import Shell, reads, writes

_Route = Annotated[str, typer.Argument(help="the route that serves the function now")]
_Percent = Annotated[int, typer.Argument(min=0, max=100, help="share of the requests that get the new version")]
_Interval = Annotated[float, typer.Option("--interval", min=0.2, help="seconds between two looks")]


def register(group: typer.Typer) -> None:
    group.command("start", help=_start.__doc__)(writes(_start))
    group.command("shift", help=_shift.__doc__)(writes(_shift))
    group.command("promote", help=_promote.__doc__)(writes(_promote))
    group.command("abort", help=_abort.__doc__)(writes(_abort))
    group.command("status", help=_status.__doc__)(reads(_status))


def _start(
    shell: Shell,
    route: _Route,
    to: Annotated[str, typer.Option("--to", help="the new version: UPSTREAM or UPSTREAM/FUNCTION")],
    header: Annotated[
        str | None, typer.Option("--header", "-d", help="NAME=VALUE: requests with it always get the new version")
    ] = None,
    percent: Annotated[int, typer.Option("--percent", min=0, max=100, help="share of the other requests")] = 0,
) -> None:
    """Starts a canary on a route: by a header, by a share of the requests, or both."""
    upstream, _, function = to.partition("/")
    body: dict[str, Any] = {"route": route, "upstream": upstream, "percent": percent}
    body |= {"function": function} if function else {}
    if header is not None:
        name, value = split_pair(header, "--header")
        body["header"] = {"name": name, "exact": value}
    made = shell.write("POST", "/canaries", body)
    shell.done(made, f"canary started: {_sentence(made)}")


def _shift(shell: Shell, route: _Route, percent: _Percent) -> None:
    """Gives the new version another share of the requests."""
    made = shell.write("POST", f"/canaries/{segment(route)}/shift", {"percent": percent})
    shell.done(made, f"canary shifted: {_sentence(made)}")


def _promote(shell: Shell, route: _Route) -> None:
    """Makes the new version the only one; the canary is over."""
    made = shell.write("POST", f"/canaries/{segment(route)}/promote", {})
    shell.done(made, f"canary of {route} promoted: all requests get the new version")


def _abort(shell: Shell, route: _Route) -> None:
    """Restores the route as it was before; the canary is over."""
    made = shell.write("POST", f"/canaries/{segment(route)}/abort", {})
    shell.done(made, f"canary of {route} aborted: the route is as it was before")


def _status(
    shell: Shell,
    route: Annotated[str | None, typer.Argument(help="only the canary of this route")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="look again and again, until Ctrl-C")] = False,
    interval: _Interval = 2,
) -> None:
    """Canaries that are under way, and the share that the new version gets."""
    while True:
        items = [shell.read(f"/canaries/{segment(route)}")] if route else shell.read_all("/canaries")
        shell.show(items, _rows)
        if not watch:
            return
        time.sleep(interval)


def _rows(items: Any) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    columns = ("ROUTE", "VIRTUAL SERVICE", "NEW VERSION", "SHARE", "HEADER", "STARTED")
    return columns, [
        (
            item["name"],
            item["virtual_service"],
            _destination(item["destination"]),
            f"{item['percent']}%",
            _header(item.get("header")),
            item.get("started") or "",
        )
        for item in items
    ]


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
