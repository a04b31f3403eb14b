"""Manifests of Gloo's for a small zoo, in the shapes that the petstore's have, and what is made of them."""

from __future__ import annotations

from typing import Any

import yaml

from coalmine.errors import Fault
from coalmine.manifests import ConfigSet, parse_manifests
from coalmine.model import Route


def parse(text: str) -> ConfigSet:
    """A manifest that has no faults."""
    config = parse_manifests(list(yaml.safe_load_all(text)))
    assert config.faults == ()
    return config


def faults_of(text: str) -> list[Fault]:
    return list(parse_manifests(list(yaml.safe_load_all(text))).faults)


def service(routes: str, *, name: str = "zoo", more: str = "") -> str:
    """A VirtualService around routes, which are written as a YAML list without indentation."""
    lines = "\n".join(" " * 6 + line for line in routes.strip("\n").splitlines())
    return f"""
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: gloo-system, resourceVersion: "7"}}
spec:
  displayName: the zoo
  virtualHost:
    domains: ['*']
    name: gloo-system.{name}
{more}
    routes:
{lines}
status: {{state: 1, reportedBy: gateway}}
"""


def route(action: str, *, matcher: str = "prefix: /cats", more: str = "") -> str:
    """One route in a list, in the shape of 2019."""
    return f"- matcher: {{{matcher}}}\n  {action}\n" + (f"  {more}\n" if more else "")


TO_CATS = "routeAction: {single: {upstream: {name: cats, namespace: gloo-system}}}"


def short(made: Route) -> dict[str, Any]:
    """A route's JSON without what is said by default."""
    return made.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def only(text: str) -> dict[str, Any]:
    """The one route of a manifest, without its name and virtual service."""
    (made,) = parse(text).routes
    return {key: value for key, value in short(made).items() if key not in ("name", "virtual_service")}
