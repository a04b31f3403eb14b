"""Gloo's Upstream (``gloo.solo.io/v1``): static hosts, and services of Kubernetes by their cluster DNS name.

The functions that Gloo wrote into it (``transformations``) are passed over: Coalmine finds them itself.
This file performs no I/O.
"""

from __future__ import annotations

from typing import Any

from coalmine.manifests.faults import validate
from coalmine.manifests.node import Node
from coalmine.model import Upstream

_DISCOVERY_LABEL = "discovery.solo.io/function_discovery"


def parse_upstream(document: Node) -> Upstream | None:
    document.ignore("apiVersion", "kind", "status", "discoveryMetadata")
    metadata = document.node("metadata")
    name = metadata.text("name") if metadata else None
    if name is None:
        document.fault("metadata", "metadata.name is missing", code="missing_key")
    labels = metadata.node("labels") if metadata else None
    spec = document.node("upstreamSpec") or document.node("spec") or document
    spec = spec.node("upstreamSpec") or spec
    spec.ignore("discoveryMetadata")
    document.ignore("spec", "upstreamSpec", "metadata")
    endpoints, document_url = _parse_spec(spec)
    spec.finish("static", "kube", "upstreamSpec")
    if name is None or not endpoints:
        return None
    definition = {"name": name, "endpoints": endpoints, **_labelled(labels, document_url)}
    return validate(Upstream, definition, document.faults, lambda _: spec.pointer)


def _labelled(node: Node | None, document_url: str | None) -> dict[str, Any]:
    labels = {key: str(value) for key, value in node.items()} if node else {}
    enabled = labels.pop(_DISCOVERY_LABEL, "enabled") != "disabled"
    return {"labels": labels, "discovery": {"enabled": enabled, "document_url": document_url}}


def _parse_spec(spec: Node) -> tuple[list[str], str | None]:
    static, kube = spec.node("static"), spec.node("kube")
    if static is not None:
        return _static(spec, static), _document_url(static)
    if kube is not None:
        return _kube(kube, _scheme(spec, kube)), _document_url(kube)
    spec.fault(
        None,
        "this kind of upstream cannot be expressed",
        hint="coalmine create upstream static --name NAME --static-hosts HOST:PORT",
    )
    return [], None


def _static(spec: Node, static: Node) -> list[str]:
    static.ignore("serviceSpec")
    tls = static.flag("useTls") or spec.node("sslConfig") is not None
    endpoints = []
    for host in static.nodes("hosts"):
        address, port = host.text("addr") or "", host.number("port")
        # As Gloo does: port 443 is TLS unless said otherwise.
        scheme = "https" if tls or (port == 443 and not static.has("useTls")) else "http"
        endpoints.append(f"{scheme}://{address}" + (f":{port}" if port else ""))
        host.finish("addr", "port")
    if not endpoints:
        static.fault("hosts", "an upstream has at least one host", code="missing_key")
    static.finish("hosts", "serviceSpec")
    return endpoints


def _scheme(spec: Node, kube: Node) -> str:
    return "https" if spec.node("sslConfig") is not None or kube.raw("servicePort") == 443 else "http"


def _kube(kube: Node, scheme: str) -> list[str]:
    kube.ignore("selector", "serviceSpec")
    name, namespace = kube.text("serviceName"), kube.text("serviceNamespace") or "default"
    port = kube.number("servicePort")
    kube.finish("serviceName", "serviceNamespace", "servicePort")
    if name is None or port is None:
        kube.fault(None, "serviceName and servicePort are needed", code="missing_key")
        return []
    return [f"{scheme}://{name}.{namespace}.svc.cluster.local:{port}"]


def _document_url(node: Node) -> str | None:
    service = node.node("serviceSpec")
    rest = service.node("rest") if service else None
    info = rest.node("swaggerInfo") if rest else None
    if service is None or rest is None or info is None:
        return None
    rest.ignore("transformations")
    if info.has("inline"):
        info.fault("inline", "a document inside the upstream cannot be expressed", hint="give its url")
    return info.text("url")
