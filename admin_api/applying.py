"""A whole set of definitions, written in one transaction: every fault of all of it is told, or all of it is done."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from admin_api.checks import judge_set
from admin_api.pages import walk
from admin_api.problems import InUseError
from coalmine.catalog import State, Writer, split_object
from coalmine.errors import ConflictError, DefinitionError
from coalmine.manifests import ConfigSet, parse_manifests
from coalmine.model import Route
from coalmine.model.revision import API_OWNER
from coalmine.routing.canary_status import find_replaced
from coalmine.settings import Settings


class TakenOver(BaseModel):
    """An object that belongs to the set now."""

    object: str
    owner: str = Field(description="to whom it belonged before")


def read_set(documents: list[Any]) -> ConfigSet:
    """The set in the documents of a body, with pointers into the body."""
    return parse_manifests(documents, alone=len(documents) == 1)


def apply_set(
    writer: Writer,
    config: ConfigSet,
    owner: str,
    settings: Settings,
    *,
    remove_others: bool = False,
    prune: bool = False,
) -> list[TakenOver]:
    """Write all of ``config`` as the set ``owner``; gives what belonged to others before.

    ``prune`` removes what the set had and has no more, and leaves everything of others alone. Raises DefinitionError
    with every fault of the set, those in its text and those among the others, which undoes it all.
    """
    prune = prune and not config.faults  # of a set that cannot be read nobody knows what it has no more
    state = writer.load_state()
    wanted = _names(config)
    taken = [TakenOver(object=name, owner=_owner(state, name)) for name in wanted if name in state.objects]
    taken = [one for one in taken if one.owner != owner]
    if prune:
        _refuse_foreign(taken + _foreign_routes(state, config, owner), owner)
    _remove(writer, config, remove_others=remove_others)
    if prune:
        _prune(writer, state, owner, keep=set(wanted), whole=config.whole_virtual_services)
    for upstream in config.upstreams:
        writer.put_upstream(upstream)
    for virtual_service in config.virtual_services:
        writer.put_virtual_service(virtual_service)
    for route in config.routes:
        writer.put_route(route)
    faults = judge_set(writer, config, settings)
    if faults:
        raise DefinitionError(config.sort(faults))
    writer.claim(wanted, owner)
    return taken


def end_replaced_canaries(writer: Writer, config: ConfigSet, *, remove_others: bool = False) -> list[str]:
    """End the canaries whose routes ``config`` replaced as a whole; gives their names.

    Nothing is left of them that a later step could go on from. A route that is changed alone is another matter: the
    canary stands, and its next step asks.
    """
    canaries = writer.list_canaries()
    services = {one.virtual_service for one in canaries} if remove_others else config.whole_virtual_services
    ended = [one.name for one in find_replaced(writer.load_definitions(), canaries, services)]
    for name in ended:
        writer.delete_canary(name)
    return ended


def _names(config: ConfigSet) -> list[str]:
    return [
        *(f"upstreams/{item.name}" for item in config.upstreams),
        *(f"virtual-services/{item.name}" for item in config.virtual_services),
        *(f"routes/{item.name}" for item in config.routes),
    ]


def _owner(state: State, name: str) -> str:
    return state.owners[name].owner if name in state.owners else API_OWNER


def _foreign_routes(state: State, config: ConfigSet, owner: str) -> list[TakenOver]:
    """The routes of others in virtual services that the set is to have to itself."""
    whole = config.whole_virtual_services
    routes = [name for name, item in state.objects.items() if isinstance(item, Route) and item.virtual_service in whole]
    return [TakenOver(object=name, owner=_owner(state, name)) for name in routes if _owner(state, name) != owner]


def _refuse_foreign(foreign: list[TakenOver], owner: str) -> None:
    if not foreign:
        return
    named = ", ".join(sorted({f"{one.object} ({one.owner})" for one in foreign})[:5])
    more = f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
    hint = "apply without prune first: that takes them over and says so"
    raise ConflictError(f"not of the set {owner}: {named}{more}", code="owned_by_other", hint=hint)


def _prune(writer: Writer, state: State, owner: str, keep: set[str], whole: frozenset[str]) -> None:
    """Remove what the set wrote once and has no more; raises InUseError where others still need it."""
    gone = [name for name in state.objects if _owner(state, name) == owner and name not in keep]
    for name in gone:
        section, own = split_object(name)
        {
            "upstreams": writer.delete_upstream,
            "virtual-services": writer.delete_virtual_service,
            "routes": writer.delete_route,
        }[section](own)
    used = {name: found for name in gone if (found := _list_users(writer, name, whole))}
    if used:
        users = sorted({user for found in used.values() for user in found})
        hint = "change them first, or keep these in the set"
        raise InUseError(f"{', '.join(used)} would go, and others need it: {', '.join(users[:5])}", users, hint=hint)


def _list_users(writer: Writer, name: str, whole: frozenset[str]) -> list[str]:
    section, own = split_object(name)
    if section == "upstreams":
        return [f"routes/{route}" for route in writer.routes_using(own)]
    if section == "routes":
        canary = writer.find_canary(own)
        return [f"canaries/{own}"] if canary and canary.virtual_service not in whole else []
    return [f"routes/{route.name}" for route in walk(writer.list_routes, virtual_service=own)]


def _remove(writer: Writer, config: ConfigSet, *, remove_others: bool) -> None:
    """Routes that are replaced are written anew: then the listed order is the order of their ages."""
    if remove_others:
        _remove_others(writer, config)
    for route in list(walk(writer.list_routes)):
        if remove_others or route.virtual_service in config.whole_virtual_services:
            writer.delete_route(route.name)


def _remove_others(writer: Writer, config: ConfigSet) -> None:
    """An upstream that stays is not deleted first: its functions would go with it."""
    for name in set(writer.names("upstream")) - {item.name for item in config.upstreams}:
        writer.delete_upstream(name)
    for name in set(writer.names("virtual_service")) - {item.name for item in config.virtual_services}:
        writer.delete_virtual_service(name)
