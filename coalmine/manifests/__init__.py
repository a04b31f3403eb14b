"""Manifests: what people write in files, read into one set of definitions.

Rule 1: the form is known by the document: ``apiVersion`` of Gloo's, or Coalmine's own (``coalmine dump``).
Rule 2: every fault of all documents is found in one walk. What can be read of a faulty set is given with its faults,
so that who knows the other definitions can tell the rest; it is not to be applied.
Rule 3: the same documents give the same set, generated names included. This package performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coalmine.errors import Fault
from coalmine.manifests.extractors import PATH_KEY, translate_extractors
from coalmine.manifests.gloo import parse_virtual_service
from coalmine.manifests.gloo_upstream import parse_upstream
from coalmine.manifests.names import distinct
from coalmine.manifests.node import Node
from coalmine.manifests.own import KINDS, SECTIONS, Findings, Object, parse_own
from coalmine.model import Route, Upstream, VirtualService
from coalmine.model.faults import sort_faults
from coalmine.model.salvage import Reading

__all__ = ["PATH_KEY", "ConfigSet", "parse_manifests", "translate_extractors"]


@dataclass(frozen=True, slots=True)
class ConfigSet:
    """Definitions to apply, unless there are ``faults``. Of the virtual services in ``whole_virtual_services`` all
    routes are in the set: those it does not have are to go (a Gloo manifest says everything about its virtual service).
    """

    upstreams: tuple[Upstream, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    routes: tuple[Route, ...] = ()
    whole_virtual_services: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()
    # How each object was read: faults that only the catalog can find are told there.
    readings: tuple[Reading[Any], ...] = field(default=(), compare=False)
    # Kinds of which there are objects whose names cannot be read: nobody knows what is missing then.
    nameless: frozenset[type[Object]] = field(default=frozenset(), compare=False)
    text: Any = field(default=None, compare=False)  # what the pointers lead into

    def sort(self, faults: Iterable[Fault]) -> list[Fault]:
        """``faults`` in the order of the text, each once."""
        return sort_faults(faults, self.text)


def parse_manifests(documents: Sequence[Any], *, alone: bool = False) -> ConfigSet:
    """The definitions in parsed documents (JSON-like values), and every fault that the documents alone show.

    Pointers begin with the index of the document, unless it is ``alone``. What cannot be read stands in the set
    without its faulty places.
    """
    reading = _Reading()
    for index, document in enumerate(documents):
        reading.read(document, "" if alone else f"/{index}")
    text = documents[0] if alone else list(documents)
    return ConfigSet(
        tuple(entry for entry in reading.objects if isinstance(entry, Upstream)),
        tuple(entry for entry in reading.objects if isinstance(entry, VirtualService)),
        tuple(entry for entry in reading.objects if isinstance(entry, Route)),
        frozenset(reading.whole),
        tuple(sort_faults(reading.findings.faults, text)),
        tuple(reading.readings),
        frozenset(reading.findings.unread),
        text,
    )


@dataclass(slots=True)
class _Reading:
    """One walk over all documents."""

    objects: list[Object] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    findings: Findings = field(default_factory=Findings)
    readings: list[Reading[Any]] = field(default_factory=list)
    route_names: set[str] = field(default_factory=set)
    seen: dict[tuple[type, str], Reading[Any]] = field(default_factory=dict)

    def read(self, document: Any, pointer: str) -> None:
        if document is None:
            return  # an empty document between two ---
        if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
            for index, item in enumerate(document):
                self.read(item, f"{pointer}/{index}")  # what `get -o yaml` prints
        elif not isinstance(document, dict):
            hint = f"its keys are {', '.join(SECTIONS)}; or it is one object with its kind, or a manifest of Gloo's"
            self.findings.unread.update(KINDS.values())
            self.findings.faults.append(Fault(pointer, "wrong_type", "a document is a mapping", hint))
        elif document.get("kind") == "List" and isinstance(document.get("items"), list):
            for index, item in enumerate(document["items"]):
                self.read(item, f"{pointer}/items/{index}")
        elif _is_foreign(document):
            self._read_foreign(document, pointer)
        else:
            for entry in parse_own(document, pointer, self.findings, self.route_names):
                self._add(entry)

    def _read_foreign(self, document: dict[str, Any], pointer: str) -> None:
        node = Node(document, pointer, self.findings.faults)
        group, kind = str(document.get("apiVersion", "")).split("/")[0], document.get("kind")
        if "virtualHost" in document or (group == "gateway.solo.io" and kind == "VirtualService"):
            service, routes = parse_virtual_service(node, self.route_names)
            for route in routes:
                self._add(route)
            if service is not None:
                self._add(service)
            if service is not None and service.definition is not None and not service.is_missing("/name"):
                self.whole.add(service.definition.name)
        elif "upstreamSpec" in document or (group == "gloo.solo.io" and kind == "Upstream"):
            self._add(parse_upstream(node))
        else:
            node.fault("kind", f"{kind} of {group or 'no group'} cannot be applied here", hint=_hint(document))

    def _add(self, reading: Reading[Any]) -> None:
        self.findings.faults += reading.faults
        reading = self._make_harmless(reading)
        entry = reading.definition
        if entry is None:
            return
        key = (type(entry), entry.name)
        if key in self.seen:
            first = self.seen[key].locate("/name")
            detail = f"{entry.name} stands twice in this set"
            self.findings.faults.append(Fault(reading.locate("/name"), "duplicate_name", detail, related=first))
        self.seen.setdefault(key, reading)
        self.objects.append(entry)
        self.readings.append(reading)
        if isinstance(entry, Route):
            self.route_names.add(entry.name)

    def _make_harmless(self, reading: Reading[Any]) -> Reading[Any]:
        """What stands in for a name or for domains is not to meet those of others."""
        entry: Object | None = reading.definition
        if isinstance(entry, VirtualService) and reading.is_missing("/domains"):
            entry = entry.model_copy(update={"domains": (f"{entry.name}.invalid",)})
        if entry is not None and reading.is_missing("/name"):
            self.findings.unread.add(type(entry))
            taken = {name for kind, name in self.seen if kind is type(entry)}
            entry = entry.model_copy(update={"name": distinct(entry.name, taken)})
        return replace(reading, definition=entry)


def _is_foreign(document: dict[str, Any]) -> bool:
    return any(key in document for key in ("apiVersion", "virtualHost", "upstreamSpec"))


def _hint(document: dict[str, Any]) -> str:
    """How to say in Coalmine what a manifest of somebody else's says."""
    if document.get("kind") == "Service":
        return f"coalmine create upstream static {_flags_of_service(document)}"
    if document.get("kind") in ("Deployment", "Pod", "StatefulSet", "DaemonSet"):
        return "Coalmine runs no containers: start the service, then coalmine create upstream static"
    return "Coalmine takes VirtualService and Upstream of Gloo, and its own form (coalmine dump)"


def _flags_of_service(document: dict[str, Any]) -> str:
    """The name that Gloo's discovery would give the service's first port, and where that port would be."""
    metadata = Node(document, "", []).node("metadata")
    spec = Node(document, "", []).node("spec")
    ports = spec.nodes("ports") if spec else []
    name = metadata.text("name") if metadata else None
    port = ports[0].number("port") if ports else None
    if name is None or port is None or metadata is None:
        return "--name NAME --static-hosts HOST:PORT"
    return f"--name {metadata.text('namespace') or 'default'}-{name}-{port} --static-hosts HOST:{port}"
