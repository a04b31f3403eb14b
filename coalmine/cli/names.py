"""Names of functions on the command line: ``upstream/function``, or the function alone where one has it."""

from __future__ import annotations

from coalmine.cli.client import segment
from coalmine.cli.shell import Shell
from coalmine.errors import NotFoundError, nearest


def function_path(name: str) -> str:
    """The admin API's path of ``upstream/function``."""
    upstream, _, function = name.partition("/")
    return f"/functions/{segment(upstream)}/{segment(function)}"


def resolve_function(shell: Shell, name: str, *, routed: bool = False) -> str:
    """``upstream/function``; raises NotFoundError where no function, or more than one, has the name.

    ``routed``: of several it is the one that the first route in effective order sends most requests to.
    """
    if "/" in name:
        return name
    functions = shell.fetch_all("/functions")
    full = [f"{entry['upstream']}/{entry['name']}" for entry in functions if entry["name"] == name]
    if len(full) == 1:
        return full[0]
    if full and routed and (called := _find_routed(shell, name)) is not None:
        return called
    if full:
        raise NotFoundError(f"{len(full)} upstreams have a function {name}", hint="say which: " + ", ".join(full[:5]))
    close = nearest(name, {entry["name"] for entry in functions})
    raise NotFoundError(
        f"there is no function {name}", hint=f"did you mean {close}?" if close else "coalmine get functions lists all"
    )


def _find_routed(shell: Shell, name: str) -> str | None:
    """What a client gets who asks for nothing in particular: routes with conditions count after those without."""
    routes = shell.fetch_all("/routes", {"function": name})
    for route in sorted(routes, key=lambda one: bool(one["match"].get("headers") or one["match"].get("query"))):
        called = [one for one in route["destinations"] if one.get("function") == name and one["weight"]]
        if called:
            largest = max(called, key=lambda one: int(one["weight"]))
            return f"{largest['upstream']}/{name}"
    return None
