"""Coalmine's own form: what ``coalmine dump`` prints, and single objects. This file performs no I/O.

{upstreams: [...], virtual_services: [...], routes: [...]}      a set
{kind: route, name: ..., match: ...}                            one object; kind may be left out where the
                                                                keys leave no doubt
{items: [...]}                                                  a list, as the admin API answers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coalmine.errors import Fault, nearest
from coalmine.manifests.faults import below
from coalmine.manifests.names import distinct, make_name
from coalmine.model import Route, Upstream, VirtualService
from coalmine.model.salvage import Reading, read_definition

Object = Upstream | VirtualService | Route
Readings = list[Reading[Any]]
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


@dataclass(slots=True)
class Findings:
    """What one walk finds; ``unread`` are the kinds of objects that are there and cannot even be named."""

    faults: list[Fault] = field(default_factory=list)
    unread: set[type[Object]] = field(default_factory=set)


def parse_own(document: Mapping[str, Any], pointer: str, findings: Findings, taken: set[str]) -> Readings:
    """The objects of one document; what is wrong with the document itself goes into ``findings``."""
    if any(section in document for section in SECTIONS):
        return _parse_set(document, pointer, findings, taken)
    if isinstance(document.get("items"), list):
        return _parse_list(document["items"], f"{pointer}/items", None, findings, taken)
    return _parse_list([document], pointer, None, findings, taken, single=True)


def _parse_set(document: Mapping[str, Any], pointer: str, findings: Findings, taken: set[str]) -> Readings:
    found: Readings = []
    for key, value in document.items():
        if key in SECTIONS:
            model = (Upstream, VirtualService, Route)[SECTIONS.index(key)]
            if isinstance(value, list):
                found += _parse_list(value, f"{pointer}/{key}", model, findings, taken)
            elif value is not None:
                findings.unread.add(model)
                findings.faults.append(Fault(f"{pointer}/{key}", "wrong_type", f"{key} should be a list"))
        elif key != "kind":
            close = nearest(key, SECTIONS)
            hint = f"did you mean {close}?" if close else None
            findings.unread |= {KINDS[close.replace("_", "").removesuffix("s")]} if close else set()
            findings.faults.append(
                Fault(f"{pointer}/{key}", "unknown_key", f"{key!r} is not a key of this object", hint)
            )
    return found


def _parse_list(
    values: list[Any],
    pointer: str,
    model: type[Object] | None,
    findings: Findings,
    taken: set[str],
    *,
    single: bool = False,
) -> Readings:
    found: Readings = []
    taken.update(str(value["name"]) for value in values if isinstance(value, dict) and value.get("name"))
    for index, value in enumerate(values):
        at = pointer if single else f"{pointer}/{index}"
        if not isinstance(value, dict):
            findings.faults.append(Fault(at, "wrong_type", "this should be a mapping"))
            findings.unread |= {model} if model else set(KINDS.values())
            continue
        kind = model or _kind(value, at, findings)
        if kind is not None:
            found.append(_parse_object(kind, value, at, taken))
    return found


def _kind(value: Mapping[str, Any], pointer: str, findings: Findings) -> type[Object] | None:
    given = value.get("kind")
    if given is None:
        told = {_TELLING[key] for key in value if key in _TELLING}
        if len(told) == 1:
            return told.pop()
        hint = "add kind: upstream, virtual_service or route"
        findings.faults.append(Fault(pointer, "missing_key", "kind is missing", hint))
        findings.unread.update(KINDS.values())
        return None
    folded = str(given).replace("_", "").replace("-", "").lower()
    if folded not in KINDS:
        close = nearest(folded, KINDS)
        hint = f"did you mean {close}?" if close else "the kinds are upstream, virtual_service and route"
        detail = f"{given!r} is no kind of Coalmine's"
        findings.faults.append(Fault(f"{pointer}/kind", "unsupported_manifest", detail, hint))
        findings.unread.update(KINDS.values())
        return None
    return KINDS[folded]


def _parse_object(model: type[Object], value: Mapping[str, Any], pointer: str, taken: set[str]) -> Reading[Any]:
    # `status` is what the admin API adds to a definition; it is nothing to apply.
    definition = {key: entry for key, entry in value.items() if key not in ("kind", "status")}
    if model is Route and definition.get("name") is None:
        definition["name"] = distinct(make_name(*_route_words(definition)), taken)
    return read_definition(model, definition, below(pointer))


def _route_words(definition: Mapping[str, Any]) -> list[str]:
    """What a nameless route is called after: its virtual service and its path."""
    match = definition.get("match")
    path = match.get("path") if isinstance(match, dict) else None
    words = [str(value) for value in path.values()] if isinstance(path, dict) else []
    return [str(definition.get("virtual_service") or "default"), *(words or ["root"])]
