"""Gloo's Upstream, and manifests of Kubernetes that are none of Coalmine's business."""

from __future__ import annotations

from typing import Any

import pytest

from coalmine.errors import Fault
from tests.coalmine.manifests.support import faults_of, parse

STATIC = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: cats, labels: {app: cats}}\nspec: "
KUBE = "{kube: {serviceName: cats, serviceNamespace: pets, servicePort: 8080, selector: {app: cats}"

UPSTREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "one host": ("{static: {hosts: [{addr: 10.0.0.1, port: 80}]}}", {"endpoints": ["http://10.0.0.1:80"]}),
    "two hosts with TLS": (
        "{static: {useTls: true, hosts: [{addr: a, port: 1}, {addr: b, port: 2}]}}",
        {"endpoints": ["https://a:1", "https://b:2"]},
    ),
    "port 443 is TLS": ("{static: {hosts: [{addr: a, port: 443}]}}", {"endpoints": ["https://a:443"]}),
    "TLS with files of its own": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {sni: cats.test, verifySubjectAltName: [cats.test],"
        " sslFiles: {rootCa: /tls/ca.pem, tlsCert: /tls/tls.crt, tlsKey: /tls/tls.key}}}",
        {
            "endpoints": ["https://a:1"],
            "tls": {
                "ca_file": "/tls/ca.pem",
                "client_certificate_file": "/tls/tls.crt",
                "client_key_file": "/tls/tls.key",
                "server_name": "cats.test",
            },
        },
    ),
    "a name to prove": (
        KUBE + "}, sslConfig: {verifySubjectAltName: [cats.test]}}",
        {"endpoints": ["https://cats.pets.svc.cluster.local:8080"], "tls": {"server_name": "cats.test"}},
    ),
    "TLS and no more": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {}}",
        {"endpoints": ["https://a:1"]},
    ),
    "the shape of 2019": (
        "{upstreamSpec: {static: {hosts: [{addr: a, port: 1}]}}}",
        {"endpoints": ["http://a:1"]},
    ),
    "a host and its document's place": (
        "{static: {hosts: [{addr: a, port: 1}], serviceSpec: {rest: {swaggerInfo: {url: 'http://a:1/x.json'}}}}}",
        {"endpoints": ["http://a:1"], "discovery": {"document_url": "http://a:1/x.json"}},
    ),
    "a service of a cluster": (KUBE + "}}", {"endpoints": ["http://cats.pets.svc.cluster.local:8080"]}),
    "a document's place": (
        KUBE
        + ", serviceSpec: {rest: {swaggerInfo: {url: 'http://cats.pets/swagger.json'}, transformations: {f: {}}}}}}",
        {
            "endpoints": ["http://cats.pets.svc.cluster.local:8080"],
            "discovery": {"document_url": "http://cats.pets/swagger.json"},
        },
    ),
}


@pytest.mark.parametrize(("spec", "expected"), UPSTREAMS.values(), ids=UPSTREAMS)
def test_upstreams(spec: str, expected: dict[str, Any]) -> None:
    (made,) = parse(STATIC + spec).upstreams
    assert made.model_dump(mode="json", exclude_defaults=True) == {
        "name": "cats",
        "labels": {"app": "cats"},
        **expected,
    }


def test_what_glooctl_prints_has_no_spec() -> None:
    text = """
discoveryMetadata: {}
metadata: {name: pets-cats-8080, namespace: gloo-system, resourceVersion: "20387", annotations: {x: y}}
status: {reportedBy: gloo, state: Accepted}
upstreamSpec:
  kube: {serviceName: cats, serviceNamespace: pets, servicePort: 8080, serviceSpec: {rest: {}}}
"""
    assert parse(text).upstreams[0].endpoints == ("http://cats.pets.svc.cluster.local:8080",)


def test_a_label_turns_discovery_off() -> None:
    text = STATIC.replace("app: cats", "discovery.solo.io/function_discovery: disabled")
    (made,) = parse(text + "{static: {hosts: [{addr: a, port: 1}]}}").upstreams
    assert (made.discovery.enabled, made.labels) == (False, {})


REFUSED: dict[str, tuple[str, str, str]] = {
    "a cloud": ("{aws: {region: x}}", "/0/spec/aws", "unsupported_manifest"),
    "nothing": ("{}", "/0/spec", "unsupported_manifest"),
    "no host": ("{static: {hosts: []}}", "/0/spec/static/hosts", "missing_key"),
    "no port": ("{kube: {serviceName: cats}}", "/0/spec/kube", "missing_key"),
    "a document inside": (
        "{static: {hosts: [{addr: a, port: 1}], serviceSpec: {rest: {swaggerInfo: {inline: x}}}}}",
        "/0/spec/static/serviceSpec/rest/swaggerInfo/inline",
        "unsupported_manifest",
    ),
    "a secret": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {secretRef: {name: x, namespace: y}}}",
        "/0/spec/sslConfig/secretRef",
        "unsupported_manifest",
    ),
    "other names than the one that is asked for": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {sni: a.test, verifySubjectAltName: [b.test]}}",
        "/0/spec/sslConfig/verifySubjectAltName",
        "unsupported_manifest",
    ),
    "versions of TLS": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {parameters: {minimumProtocolVersion: TLSv1_0}}}",
        "/0/spec/sslConfig/parameters",
        "unsupported_manifest",
    ),
    "a file without a whole path": (
        "{static: {hosts: [{addr: a, port: 1}]}, sslConfig: {sslFiles: {rootCa: ca.pem}}}",
        "/0/spec/sslConfig/sslFiles/rootCa",
        "invalid_value",
    ),
    "a health check": (
        "{healthChecks: [{x: 1}], static: {hosts: [{addr: a, port: 1}]}}",
        "/0/spec/healthChecks",
        "unsupported_manifest",
    ),
    "an address that is none": (
        "{static: {hosts: [{addr: 'a b', port: 1}]}}",
        "/0/spec/static/hosts/0",
        "invalid_value",
    ),
    "a port that is a word": ("{static: {hosts: [{addr: a, port: x}]}}", "/0/spec/static/hosts/0/port", "wrong_type"),
    "hosts that are no list": ("{static: {hosts: x}}", "/0/spec/static/hosts", "wrong_type"),
    "a service's port that is a word": (
        "{kube: {serviceName: cats, servicePort: x}}",
        "/0/spec/kube/servicePort",
        "wrong_type",
    ),
    "a place of a document that is none": (
        "{static: {hosts: [{addr: a}], serviceSpec: {rest: {swaggerInfo: {url: x}}}}}",
        "/0/spec/static/serviceSpec/rest/swaggerInfo/url",
        "invalid_value",
    ),
    "a host twice": ("{static: {hosts: [{addr: a}, {addr: a}]}}", "/0/spec/static/hosts", "invalid_value"),
}


@pytest.mark.parametrize(("spec", "pointer", "code"), REFUSED.values(), ids=REFUSED)
def test_upstreams_that_cannot_be_said(spec: str, pointer: str, code: str) -> None:
    (fault,) = faults_of(STATIC + spec)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_an_upstream_needs_a_name() -> None:
    (fault,) = faults_of("kind: Upstream\napiVersion: gloo.solo.io/v1\nspec: {static: {hosts: [{addr: a, port: 1}]}}")
    assert (fault.pointer, fault.code) == ("/0/metadata", "missing_key")


KUBERNETES: dict[str, tuple[str, Fault]] = {
    "a service": (
        "{apiVersion: v1, kind: Service, metadata: {name: cats, namespace: pets}, spec: {ports: [{port: 8080}]}}",
        Fault(
            "/0/kind",
            "unsupported_manifest",
            "Service of v1 cannot be applied here",
            "coalmine create upstream static --name pets-cats-8080 --static-hosts HOST:8080",
        ),
    ),
    "a service that says little": (
        "{apiVersion: v1, kind: Service}",
        Fault(
            "/0/kind",
            "unsupported_manifest",
            "Service of v1 cannot be applied here",
            "coalmine create upstream static --name NAME --static-hosts HOST:PORT",
        ),
    ),
    "a deployment": (
        "{apiVersion: apps/v1, kind: Deployment}",
        Fault(
            "/0/kind",
            "unsupported_manifest",
            "Deployment of apps cannot be applied here",
            "Coalmine runs no containers: start the service, then coalmine create upstream static",
        ),
    ),
    "another kind of Gloo's": (
        "{apiVersion: gateway.solo.io/v1, kind: RouteTable}",
        Fault(
            "/0/kind",
            "unsupported_manifest",
            "RouteTable of gateway.solo.io cannot be applied here",
            "Coalmine takes VirtualService and Upstream of Gloo, and its own form (coalmine dump)",
        ),
    ),
}


@pytest.mark.parametrize(("text", "fault"), KUBERNETES.values(), ids=KUBERNETES)
def test_manifests_of_kubernetes_come_with_what_to_do_instead(text: str, fault: Fault) -> None:
    assert faults_of(text) == [fault]


def test_a_list_of_kubectls_is_its_items() -> None:
    items = f"{STATIC}{{static: {{hosts: [{{addr: a, port: 1}}]}}}}".replace("\n", "\n  ")
    config = parse(f"apiVersion: v1\nkind: List\nitems:\n- {items}")
    assert [read.locate("") for read in config.readings] == ["/0/items/0"]
