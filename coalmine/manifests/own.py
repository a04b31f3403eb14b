"""Coalmine's own form: what ``coalmine dump`` prints, and single objects. This file performs no I/O.

{upstreams: [...], virtual_services: [...], routes: [...]}      a set
{kind: route, name: ..., match: ...}                            one object; kind may be left out where the
                                                                keys leave no doubt
{items: [...]}                                                  a list, as the admin API answers
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coalmine.errors import Fault, nearest
from coalmine.manifests.faults import below, validate
from coalmine.manifests.names import distinct, make_name
from coalmine.model import Route, Upstream, VirtualService

Object = Upstream | VirtualService | Route
SECTIONS = ("upstreams", "virtual_services", "routes")
KINDS: dict[str, type[Object]] = {"upstream": Upstream, "virtualservice": VirtualService, "route": Route}
# Keys that only one kind has.
_TELLING: dict[str, type[Object]] = {
    "endpoints": Upstream,
    "discovery": Upstream,
    "domains": VirtualService,
    "match": Route,
    "destinations": Route,
    "redirect": Route,
    "direct_response": Route,
}


def parse_own(
    document: Mapping[str, Any], pointer: str, faults: list[Fault], taken: set[str]
) -> list[tuple[Object, str]]:
    """The objects of one document, each with its pointer; faults go into the list."""
    if any(section in document for section in SECTIONS):
        return _parse_set(document, pointer, faults, taken)
    if isinstance(document.get("items"), list):
        return _parse_list(document["items"], f"{pointer}/items", None, faults, taken)
    return _parse_list([document], pointer, None, faults, taken, single=True)


def _parse_set(
    document: Mapping[str, Any], pointer: str, faults: list[Fault], taken: set[str]
) -> list[tuple[Object, str]]:
    found: list[tuple[Object, str]] = []
    for key, value in document.items():
        if key in SECTIONS:
            model = (Upstream, VirtualService, Route)[SECTIONS.index(key)]
            if isinstance(value, list):
                found += _parse_list(value, f"{pointer}/{key}", model, faults, taken)
            elif value is not None:
                faults.append(Fault(f"{pointer}/{key}", "wrong_type", f"{key} should be a list"))
        elif key != "kind":
            close = nearest(key, SECTIONS)
            hint = f"did you mean {close}?" if close else None
            faults.append(Fault(f"{pointer}/{key}", "unknown_key", f"{key!r} is not a key of this object", hint))
    return found


def _parse_list(
    values: list[Any],
    pointer: str,
    model: type[Object] | None,
    faults: list[Fault],
    taken: set[str],
    *,
    single: bool = False,
) -> list[tuple[Object, str]]:
    found: list[tuple[Object, str]] = []
    taken.update(str(value["name"]) for value in values if isinstance(value, dict) and value.get("name"))
    for index, value in enumerate(values):
        at = pointer if single else f"{pointer}/{index}"
        if not isinstance(value, dict):
            faults.append(Fault(at, "wrong_type", "this should be a mapping"))
            continue
        kind = model or _kind(value, at, faults)
        parsed = _parse_object(kind, value, at, faults, taken) if kind else None
        if parsed is not None:
            found.append((parsed, at))
    return found


def _kind(value: Mapping[str, Any], pointer: str, faults: list[Fault]) -> type[Object] | None:
    given = value.get("kind")
    if given is None:
        told = {_TELLING[key] for key in value if key in _TELLING}
        if len(told) == 1:
            return told.pop()
        faults.append(Fault(pointer, "missing_key", "kind is missing", "add kind: upstream, virtual_service or route"))
        return None
    folded = str(given).replace("_", "").replace("-", "").lower()
    if folded not in KINDS:
        close = nearest(folded, KINDS)
        hint = f"did you mean {close}?" if close else "the kinds are upstream, virtual_service and route"
        faults.append(Fault(f"{pointer}/kind", "unsupported_manifest", f"{given!r} is no kind of Coalmine's", hint))
        return None
    return KINDS[folded]


def _parse_object(
    model: type[Object], value: Mapping[str, Any], pointer: str, faults: list[Fault], taken: set[str]
) -> Object | None:
    # `status` is what the admin API adds to a definition; it is nothing to apply.
    definition = {key: entry for key, entry in value.items() if key not in ("kind", "status")}
    if model is Route and definition.get("name") is None:
        definition["name"] = distinct(make_name(*_route_words(definition)), taken)
    locate: Callable[..., str] = below(pointer)
    return validate(model, definition, faults, locate)


def _route_words(definition: Mapping[str, Any]) -> list[str]:
    """What a nameless route is called after: its virtual service and its path."""
    match = definition.get("match")
    path = match.get("path") if isinstance(match, dict) else None
    words = [str(value) for value in path.values()] if isinstance(path, dict) else []
    return [str(definition.get("virtual_service") or "default"), *(words or ["root"])]
