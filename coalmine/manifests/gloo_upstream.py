"""Gloo's Upstream (``gloo.solo.io/v1``): static hosts, and services of Kubernetes by their cluster DNS name.

The functions that Gloo wrote into it (``transformations``) are passed over: Coalmine finds them itself.
This file performs no I/O.
"""

from __future__ import annotations

from coalmine.manifests.made import Made, MadeList, read_made
from coalmine.manifests.node import Node
from coalmine.model import Upstream
from coalmine.model.salvage import Reading

_OTHERS = ("aws", "awsEc2", "azure", "consul", "pipe")
_SSL_FILES = {"rootCa": "ca_file", "tlsCert": "client_certificate_file", "tlsKey": "client_key_file"}
_DISCOVERY_LABEL = "discovery.solo.io/function_discovery"


def parse_upstream(document: Node) -> Reading[Upstream]:
    """What Gloo's own form has wrong goes into the document's faults, the rest is with the reading."""
    document.ignore("apiVersion", "kind", "status", "discoveryMetadata")
    metadata = document.node("metadata")
    name = metadata.text("name") if metadata else None
    if name is None:
        document.fault("metadata", "metadata.name is missing", code="missing_key")
    source = document.at("metadata") if metadata is None or name is None else metadata.at("name")
    definition = Made(document.pointer).put("name", name, source)
    labels = metadata.node("labels") if metadata else None
    spec = document.node("upstreamSpec") or document.node("spec") or document
    spec = spec.node("upstreamSpec") or spec
    spec.ignore("discoveryMetadata")
    document.ignore("spec", "upstreamSpec", "metadata")
    _parse_spec(spec, definition)
    _take_labels(labels, definition)
    spec.finish("static", "kube", "upstreamSpec")
    return read_made(Upstream, definition, document.faults)


def _take_labels(node: Node | None, definition: Made) -> None:
    labels = {key: str(value) for key, value in node.items()} if node else {}
    if labels.pop(_DISCOVERY_LABEL, "enabled") == "disabled":
        definition["discovery"]["enabled"] = False
    if node is not None:
        definition.put("labels", labels, node.pointer)


def _parse_spec(spec: Node, definition: Made) -> None:
    static, kube = spec.node("static"), spec.node("kube")
    service, endpoints = static or kube, MadeList(spec.pointer)
    if static is not None:
        endpoints = _static(spec, static)
    elif kube is not None:
        endpoints = _kube(kube, _scheme(spec, kube))
    else:
        kind = next((key for key in _OTHERS if spec.has(key)), None)
        spec.ignore(*_OTHERS)
        hint = "coalmine create upstream static --name NAME --static-hosts HOST:PORT"
        spec.fault(kind, "this kind of upstream cannot be expressed", hint=hint)
    definition.put("endpoints", endpoints, endpoints.pointer)
    tls = _tls(spec)
    if tls is not None:
        definition.put("tls", tls, tls.pointer)
    definition.put("discovery", _discovery(service or spec), (service or spec).pointer)


def _static(spec: Node, static: Node) -> MadeList:
    static.ignore("serviceSpec")
    tls = static.flag("useTls") or spec.node("sslConfig") is not None
    endpoints, before = MadeList(static.at("hosts")), len(static.faults)
    for host in static.nodes("hosts"):
        address, port = host.text("addr") or "", host.number("port")
        # As Gloo does: port 443 is TLS unless said otherwise.
        scheme = "https" if tls or (port == 443 and not static.has("useTls")) else "http"
        endpoints.add(f"{scheme}://{address}" + (f":{port}" if port else ""), host.pointer)
        host.finish("addr", "port")
    if not endpoints and len(static.faults) == before:
        static.fault("hosts", "an upstream has at least one host", code="missing_key")
    static.finish("hosts", "serviceSpec")
    return endpoints


def _tls(spec: Node) -> Made | None:
    """Gloo's ``sslConfig``. Where it names no authority, Envoy would verify nobody; here the system's are asked."""
    config = spec.node("sslConfig")
    if config is None:
        return None
    tls, files = Made(config.pointer), config.node("sslFiles")
    for theirs, ours in _SSL_FILES.items():
        if files is not None and files.has(theirs):
            tls.put(ours, files.text(theirs), files.at(theirs))
    if files is not None:
        files.finish(*_SSL_FILES)
    if config.has("sni"):
        tls.put("server_name", config.text("sni"), config.at("sni"))
    _take_subject(config, tls)
    if config.has("secretRef"):
        config.ignore("secretRef")
        hint = "store its parts as files, and name them in sslFiles"
        config.fault("secretRef", "a secret of Kubernetes cannot be read from here", hint=hint)
    config.finish("sslFiles", "sni", "verifySubjectAltName")
    return tls if tls else None


def _take_subject(config: Node, tls: Made) -> None:
    """One name is proved, and it is the one that is asked for."""
    names = config.texts("verifySubjectAltName")
    if names and names != [tls.get("server_name", names[0])]:
        hint = "name one, the same as sni"
        config.fault("verifySubjectAltName", "an upstream proves one name, the one it is asked for", hint=hint)
    elif names:
        tls.put("server_name", names[0], config.at("verifySubjectAltName", 0))


def _scheme(spec: Node, kube: Node) -> str:
    return "https" if spec.node("sslConfig") is not None or kube.raw("servicePort") == 443 else "http"


def _kube(kube: Node, scheme: str) -> MadeList:
    kube.ignore("selector", "serviceSpec")
    name, namespace = kube.text("serviceName"), kube.text("serviceNamespace") or "default"
    port = kube.number("servicePort")
    kube.finish("serviceName", "serviceNamespace", "servicePort")
    endpoints = MadeList(kube.pointer)
    if not kube.has("serviceName") or not kube.has("servicePort"):
        kube.fault(None, "serviceName and servicePort are needed", code="missing_key")
    else:
        endpoints.add(f"{scheme}://{name}.{namespace}.svc.cluster.local:{port}", kube.pointer)
    return endpoints


def _discovery(node: Node) -> Made:
    found = Made(node.pointer)
    service = node.node("serviceSpec")
    rest = service.node("rest") if service else None
    info = rest.node("swaggerInfo") if rest else None
    if service is None or rest is None or info is None:
        return found
    rest.ignore("transformations")
    if info.has("inline"):
        info.fault("inline", "a document inside the upstream cannot be expressed", hint="give its url")
    return found.put("document_url", info.text("url"), info.at("url"))
