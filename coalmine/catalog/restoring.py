"""Back to the state after a revision. Rule: what is as it was stays untouched, so that upstreams keep their functions
and routes their ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from coalmine.catalog.journal import SECTIONS, State, split_object
from coalmine.catalog.writer import Writer
from coalmine.errors import DefinitionError, Fault
from coalmine.model import Canary, Route, Upstream, VirtualService
from coalmine.model.revision import ObjectChange

_MODELS: dict[str, type[BaseModel]] = {
    SECTIONS["upstream"]: Upstream,
    SECTIONS["virtual_service"]: VirtualService,
    SECTIONS["route"]: Route,
    SECTIONS["canary"]: Canary,
}


def restore(writer: Writer, number: int) -> None:
    """Write everything as it was after revision ``number``; raises NotFoundError where that is not kept any more."""
    state = writer.load_state()
    changes, order = writer.revisions.undone(number, state.order)
    wanted = _parse(changes)
    for name, item in wanted.items():
        if item is None:
            _delete(writer, name)
        else:
            _put(writer, item)
    touched = set(wanted) | _restore_routes(writer, state, wanted, order)
    owners = {change.object: change.ownership_after for change in changes}
    writer.restore_owners({name: owners.get(name, state.owners.get(name)) for name in sorted(touched)})


def _parse(changes: Sequence[ObjectChange]) -> dict[str, Any]:
    """The definitions to write, None for what is to go; raises DefinitionError where one is none any more."""
    wanted: dict[str, Any] = {}
    faults: list[Fault] = []
    for change in changes:
        model = _MODELS[split_object(change.object)[0]]
        try:
            wanted[change.object] = None if change.after is None else model.model_validate(change.after)
        except ValidationError as error:
            detail = f"it is not valid in this version: {error.errors()[0]['msg']}"
            faults.append(Fault(f"/{change.object}", "invalid_value", detail))
    if faults:
        raise DefinitionError(faults)
    return wanted


def _restore_routes(writer: Writer, state: State, wanted: Mapping[str, Any], order: Sequence[str]) -> set[str]:
    """The routes in ``order``: from the first that stands elsewhere now, all are written anew."""
    section = SECTIONS["route"]
    kept = [name for name in state.order if wanted.get(f"{section}/{name}", True) is not None]
    same = 0
    while same < min(len(kept), len(order)) and kept[same] == order[same]:
        same += 1
    for name in kept[same:]:
        writer.delete_route(name)
    anew = {f"{section}/{name}" for name in order[same:]}
    for name in order:
        full = f"{section}/{name}"
        if full in wanted or full in anew:
            item = wanted.get(full, state.find(full))
            assert isinstance(item, Route), f"the order has {name}, which is in no revision"
            writer.put_route(item)
    return anew


def _put(writer: Writer, item: Any) -> None:
    """Everything but routes, which have an order."""
    if isinstance(item, Upstream):
        writer.put_upstream(item)
    elif isinstance(item, VirtualService):
        writer.put_virtual_service(item)
    elif isinstance(item, Canary):
        writer.put_canary(item)


def _delete(writer: Writer, name: str) -> None:
    section, own = split_object(name)
    if section == SECTIONS["upstream"]:
        writer.delete_upstream(own)
    elif section == SECTIONS["virtual_service"]:
        writer.delete_virtual_service(own)
    elif section == SECTIONS["canary"]:
        writer.delete_canary(own)
    else:
        writer.delete_route(own)
