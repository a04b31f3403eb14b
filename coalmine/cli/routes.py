"""``coalmine add route``, ``edit route``, ``remove route``: one request each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from coalmine.cli import kinds
from coalmine.cli.client import segment
from coalmine.cli.complaint import ApiError
from coalmine.cli.flag_hints import speak_flags
from coalmine.cli.route_flags import FLAGS, apply_flags
from coalmine.cli.shell import Shell, give_signature, writes
from coalmine.errors import NotFoundError

_VirtualService = Annotated[str | None, typer.Option("--name", help="the VIRTUAL SERVICE (default: default)")]
_RouteName = Annotated[str | None, typer.Option("--route-name", help="the route's own name (default: generated)")]


def register_add(group: typer.Typer) -> None:
    _register(group, _with_flags(_add))


def register_edit(group: typer.Typer) -> None:
    _register(group, _with_flags(_edit))


def register_remove(group: typer.Typer) -> None:
    _register(group, _remove)


def _register(group: typer.Typer, command: Callable[..., None]) -> None:
    for position, word in enumerate(("route", "r")):
        group.command(word, hidden=position > 0, help=inspect.getdoc(command))(writes(command))
    group.callback()(_group)  # one command alone would swallow its own name


def _group() -> None:
    """Routes."""


def _with_flags(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of a route; it gets their values as one mapping."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
    names = {flag.name for flag in FLAGS}

    def command(*args: Any, **given: Any) -> None:
        flags = {name: value for name, value in given.items() if name in names}
        function(*args, **{name: value for name, value in given.items() if name not in names}, flags=flags)

    command.__doc__ = function.__doc__
    return give_signature(command, [*own, *(flag.parameter() for flag in FLAGS)])


def _add(
    shell: Shell,
    *,
    name: _VirtualService = None,
    route_name: _RouteName = None,
    flags: dict[str, Any],
) -> None:
    """A new route. Its place among the others is computed: a more special one is asked first."""
    body = apply_flags({}, flags)
    if "path" not in body.get("match", {}):
        raise typer.BadParameter("say which path", param_hint="--path-prefix, --path-exact, --path-regex or --template")
    if not body.get("destinations"):
        raise typer.BadParameter("say where to send its requests", param_hint="--dest-name or --dest")
    if flags.get("index") is not None:
        shell.note("note: --index is not needed; the order is computed (--priority overrules it)")
    body |= {"name": route_name} if route_name else {}
    body |= {"virtual_service": name} if name else {}
    made = _write(shell, "POST", "/routes", body)
    shell.done(made, f"route {made['name']} added to {made['virtual_service']}: {_summary(made)}")
    _warn(shell, made)


def _edit(
    shell: Shell,
    route: Annotated[str, typer.Argument(help="the route's name")],
    *,
    name: _VirtualService = None,
    flags: dict[str, Any],
) -> None:
    """Changes a route. What is given replaces what was there; --dest NAME=WEIGHT changes only the weight.

    A route that goes on with an earlier definition of a function takes the present one.
    """
    path = f"/routes/{segment(route)}"
    found = shell.fetch(path)
    before = {key: value for key, value in found.value.items() if key != "status"}
    after = apply_flags(before, flags) | ({"virtual_service": name} if name else {})
    if after == before and not _has_new_definition(found.value):
        raise typer.BadParameter("say what to change, for example --dest UPSTREAM=WEIGHT")
    made = _write(shell, "PUT", path, after, etag=found.etag)
    shell.done(made, f"route {route} changed: {_summary(made)}")
    _warn(shell, made)


def _has_new_definition(route: dict[str, Any]) -> bool:
    """Whether writing the route as it is takes something: a function that changed since."""
    problems = (route.get("status") or {}).get("problems") or ()
    return any(problem["code"] == "function_changed" for problem in problems)


def _write(shell: Shell, method: str, path: str, body: dict[str, Any], etag: str | None = None) -> Any:
    try:
        return shell.write(method, path, body, etag=etag)
    except ApiError as error:
        raise speak_flags(error) from None


def _remove(
    shell: Shell,
    route: Annotated[str | None, typer.Argument(help="the route's name")] = None,
    name: Annotated[str | None, typer.Option("--name", help="with --index: the VIRTUAL SERVICE")] = None,
    index: Annotated[int | None, typer.Option("--index", "-x", min=0, help="its place in the order, from 0")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", hidden=True)] = None,
) -> None:
    """Removes a route, by its name or by its place in a virtual service."""
    if route is None:
        if name is None or index is None:
            raise typer.BadParameter("say which route: its name, or --name VIRTUAL-SERVICE --index N")
        route = _route_at(shell, name, index)
    shell.write("DELETE", f"/routes/{segment(route)}")
    shell.done({"removed": route}, f"route {route} removed")


def _route_at(shell: Shell, virtual_service: str, index: int) -> str:
    routes = shell.fetch_all("/routes", {"virtual_service": virtual_service})
    if index >= len(routes):
        raise NotFoundError(
            f"{virtual_service} has {len(routes)} routes, none at index {index}",
            hint=f"coalmine get routes --vs {virtual_service}",
        )
    return str(routes[index]["name"])


def _summary(route: dict[str, Any]) -> str:
    goes_to = kinds.describe_action(route).replace("\n", ", ")
    return f"{kinds.describe_match(route.get('match') or {})} -> {goes_to}"


def _warn(shell: Shell, route: dict[str, Any]) -> None:
    status = route.get("status") or {}
    if status.get("shadowed_by"):
        shell.note(f"warning: the route can never match; {status['shadowed_by']} takes all its requests")
    for problem in status.get("problems") or ():
        shell.note(f"warning: {problem['detail']}  [{problem['code']}]")
