"""Manifests: what people write in files, read into one set of definitions, whole or not at all.

Rule 1: the form is known by the document: ``apiVersion`` of Gloo's, or Coalmine's own (``coalmine dump``).
Rule 2: every fault of all documents is found in one walk; with one fault there is no set.
Rule 3: the same documents give the same set, generated names included. This package performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coalmine.errors import DefinitionError, Fault
from coalmine.manifests.extractors import PATH_KEY, translate_extractors
from coalmine.manifests.gloo import parse_virtual_service
from coalmine.manifests.gloo_upstream import parse_upstream
from coalmine.manifests.node import Node
from coalmine.manifests.own import Object, parse_own
from coalmine.model import Route, Upstream, VirtualService

__all__ = ["PATH_KEY", "ConfigSet", "parse_manifests", "translate_extractors"]


_SECTIONS: dict[type, str] = {Upstream: "upstreams", VirtualService: "virtual-services", Route: "routes"}


@dataclass(frozen=True, slots=True)
class ConfigSet:
    """Definitions to apply. Of the virtual services in ``whole_virtual_services`` all routes are in the set:
    those it does not have are to go (a Gloo manifest says everything about its virtual service)."""

    upstreams: tuple[Upstream, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    routes: tuple[Route, ...] = ()
    whole_virtual_services: frozenset[str] = frozenset()
    # Where each object stands: "routes/find-pets": "/0/routes/3", for faults that only the catalog can find.
    pointers: Mapping[str, str] = field(default_factory=dict, compare=False)


def parse_manifests(documents: Sequence[Any]) -> ConfigSet:
    """The definitions in parsed documents (JSON-like values); raises DefinitionError with every fault."""
    reading = _Reading()
    for index, document in enumerate(documents):
        reading.read(document, f"/{index}")
    if reading.faults:
        raise DefinitionError(reading.faults)
    return ConfigSet(
        tuple(entry for entry in reading.objects if isinstance(entry, Upstream)),
        tuple(entry for entry in reading.objects if isinstance(entry, VirtualService)),
        tuple(entry for entry in reading.objects if isinstance(entry, Route)),
        frozenset(reading.whole),
        {f"{_SECTIONS[kind]}/{name}": pointer for (kind, name), pointer in reading.seen.items()},
    )


@dataclass(slots=True)
class _Reading:
    """One walk over all documents."""

    objects: list[Object] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    route_names: set[str] = field(default_factory=set)
    seen: dict[tuple[type, str], str] = field(default_factory=dict)

    def read(self, document: Any, pointer: str) -> None:
        if document is None:
            return  # an empty document between two ---
        if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
            for index, item in enumerate(document):
                self.read(item, f"{pointer}/{index}")  # what `get -o yaml` prints
        elif not isinstance(document, dict):
            self.faults.append(Fault(pointer, "wrong_type", "a document is a mapping"))
        elif document.get("kind") == "List" and isinstance(document.get("items"), list):
            for index, item in enumerate(document["items"]):
                self.read(item, f"{pointer}/items/{index}")
        elif _is_foreign(document):
            self._read_foreign(document, pointer)
        else:
            for entry, at in parse_own(document, pointer, self.faults, self.route_names):
                self._add(entry, at)

    def _read_foreign(self, document: dict[str, Any], pointer: str) -> None:
        node = Node(document, pointer, self.faults)
        group, kind = str(document.get("apiVersion", "")).split("/")[0], document.get("kind")
        if "virtualHost" in document or (group == "gateway.solo.io" and kind == "VirtualService"):
            service, routes = parse_virtual_service(node, self.route_names)
            for route, at in routes:
                self._add(route, at)
            if service is not None:
                self._add(service, pointer)
                self.whole.add(service.name)
        elif "upstreamSpec" in document or (group == "gloo.solo.io" and kind == "Upstream"):
            upstream = parse_upstream(node)
            if upstream is not None:
                self._add(upstream, pointer)
        else:
            node.fault("kind", f"{kind} of {group or 'no group'} cannot be applied here", hint=_hint(document))

    def _add(self, entry: Object, pointer: str) -> None:
        key = (type(entry), entry.name)
        if key in self.seen:
            detail = f"{entry.name} stands twice in this set, first at {self.seen[key]}"
            self.faults.append(Fault(f"{pointer}/name", "duplicate_name", detail))
        self.seen.setdefault(key, pointer)
        self.objects.append(entry)
        if isinstance(entry, Route):
            self.route_names.add(entry.name)


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
