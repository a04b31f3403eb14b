"""Coalmine's own form: what dump prints, single objects, lists of the admin API."""

from __future__ import annotations

import pytest

from coalmine.errors import Fault
from coalmine.manifests import ConfigSet, parse_manifests
from tests.coalmine.manifests.support import faults_of, parse

UPSTREAM = {"name": "cats", "endpoints": ["http://127.0.0.1:1"]}
SERVICE = {"name": "zoo", "domains": ["zoo.example.com"]}
ROUTE = {"name": "all-cats", "virtual_service": "zoo", "destinations": [{"upstream": "cats"}]}
ALL = {"upstreams": [UPSTREAM], "virtual_services": [SERVICE], "routes": [ROUTE]}


def names(config: ConfigSet) -> list[str]:
    return [item.name for item in (*config.upstreams, *config.virtual_services, *config.routes)]


@pytest.mark.parametrize(
    "documents",
    [
        [{"kind": "config", **ALL}],
        [{"upstreams": [UPSTREAM], "virtual_services": None}, {"virtual_services": [SERVICE], "routes": [ROUTE]}],
        [
            {"kind": "upstream", **UPSTREAM},
            {"kind": "virtual_service", **SERVICE},
            {"kind": "Route", **ROUTE},
        ],
        [UPSTREAM, SERVICE, ROUTE, None],
        [{"items": [UPSTREAM, SERVICE]}, {"items": [{**ROUTE, "status": {"state": "accepted"}}]}],
        [[UPSTREAM, SERVICE], [ROUTE]],
    ],
    ids=[
        "one set",
        "several sets",
        "objects with their kind",
        "objects that leave no doubt",
        "answers of the API",
        "lists",
    ],
)
def test_forms(documents: list[object]) -> None:
    config = parse_manifests(documents)
    assert names(config) == ["cats", "zoo", "all-cats"]
    assert config.whole_virtual_services == frozenset()


def test_a_set_comes_back_from_its_own_dump() -> None:
    config = parse_manifests([ALL])
    dumped = {
        key: [item.model_dump(mode="json", by_alias=True, exclude_defaults=True) for item in getattr(config, key)]
        for key in ALL
    }
    assert parse_manifests([dumped]) == config


def test_a_nameless_route_is_called_after_its_path_and_never_after_another_route() -> None:
    nameless = {"virtual_service": "zoo", "match": {"path": {"prefix": "/all"}}, "destinations": [{"upstream": "cats"}]}
    config = parse_manifests([{"routes": [nameless, nameless, {**ROUTE, "name": "zoo-all"}]}])
    assert [route.name for route in config.routes] == ["zoo-all-2", "zoo-all-3", "zoo-all"]
    assert parse_manifests([{"routes": [{"direct_response": {}}]}]).routes[0].name == "default-root"


NO_MAPPING = Fault(
    "/0",
    "wrong_type",
    "a document is a mapping",
    "its keys are upstreams, virtual_services, routes; or it is one object with its kind, or a manifest of Gloo's",
)
FAULTS: dict[str, tuple[list[object], list[Fault]]] = {
    "no mapping": ([[1]], [NO_MAPPING]),
    "an empty list": ([[]], [NO_MAPPING]),
    "a text": (["x"], [NO_MAPPING]),
    "a fault in a list": (
        [[UPSTREAM, {"name": "x"}]],
        [Fault("/0/1", "missing_key", "kind is missing", "add kind: upstream, virtual_service or route")],
    ),
    "no kind": (
        [{"name": "x"}],
        [Fault("/0", "missing_key", "kind is missing", "add kind: upstream, virtual_service or route")],
    ),
    "a misspelt kind": (
        [{"kind": "rout"}],
        [Fault("/0/kind", "unsupported_manifest", "'rout' is no kind of Coalmine's", "did you mean route?")],
    ),
    "an unknown kind": (
        [{"kind": "ConfigMap"}],
        [
            Fault(
                "/0/kind",
                "unsupported_manifest",
                "'ConfigMap' is no kind of Coalmine's",
                "the kinds are upstream, virtual_service and route",
            )
        ],
    ),
    "a misspelt section": (
        [{"routes": [], "upstream": []}],
        [Fault("/0/upstream", "unknown_key", "'upstream' is not a key of this object", "did you mean upstreams?")],
    ),
    "an unknown section": (
        [{"routes": [], "x": []}],
        [Fault("/0/x", "unknown_key", "'x' is not a key of this object")],
    ),
    "a section that is no list": ([{"routes": {}}], [Fault("/0/routes", "wrong_type", "routes should be a list")]),
    "an entry that is no mapping": (
        [{"routes": [1]}],
        [Fault("/0/routes/0", "wrong_type", "this should be a mapping")],
    ),
    "a misspelt key": (
        [{"upstreams": [{**UPSTREAM, "discovery": {"intervall_seconds": 3}}]}],
        [
            Fault(
                "/0/upstreams/0/discovery/intervall_seconds",
                "unknown_key",
                "'intervall_seconds' is not a key of this object",
                "did you mean interval_seconds?",
            )
        ],
    ),
    "an unknown key": (
        [{**UPSTREAM, "zzz": 1}],
        [
            Fault(
                "/0/zzz",
                "unknown_key",
                "'zzz' is not a key of this object",
                "known keys: discovery, endpoints, health_check, labels, max_requests, name, tls",
            )
        ],
    ),
    "a key in a list": (
        [{**ROUTE, "destinations": [{"upstream": "cats", "wieght": 1}]}],
        [
            Fault(
                "/0/destinations/0/wieght",
                "unknown_key",
                "'wieght' is not a key of this object",
                "did you mean weight?",
            )
        ],
    ),
    "a key deep inside": (
        [{**ROUTE, "match": {"path": {"prefix": "/", "exakt": "/"}}}],
        [Fault("/0/match/path/exakt", "unknown_key", "'exakt' is not a key of this object", "did you mean exact?")],
    ),
    "a missing key": (
        [{"kind": "upstream", "name": "x"}],
        [Fault("/0/endpoints", "missing_key", "'endpoints' is missing")],
    ),
    "a name twice": (
        [{"upstreams": [UPSTREAM]}, UPSTREAM],
        [Fault("/1/name", "duplicate_name", "cats stands twice in this set", related="/0/upstreams/0/name")],
    ),
}


@pytest.mark.parametrize(("documents", "faults"), FAULTS.values(), ids=FAULTS)
def test_faults(documents: list[object], faults: list[Fault]) -> None:
    assert list(parse_manifests(documents).faults) == faults


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"destinations": [{"upstream": "cats", "weight": -1}]}, "invalid_value", "/0/destinations/0/weight"),
        ({"destinations": [{"upstream": "cats", "weight": "x"}]}, "wrong_type", "/0/destinations/0/weight"),
        ({"destinations": [{"upstream": "cats", "weight": 0}]}, "no_weight", "/0/destinations"),
        ({"retries": {"attempts": 1, "x/y~z": 1}}, "unknown_key", "/0/retries/x~1y~0z"),
    ],
    ids=["a negative weight", "a weight that is no number", "no weight at all", "a key that a pointer must escape"],
)
def test_wrong_values_are_pointed_to(change: dict[str, object], code: str, pointer: str) -> None:
    faults = parse_manifests([{**ROUTE, **change}]).faults
    assert [(fault.code, fault.pointer) for fault in faults] == [(code, pointer)]


def test_both_forms_may_stand_in_one_stream() -> None:
    text = "upstreams: [{name: cats, endpoints: ['http://127.0.0.1:1']}]\n---\n" + "apiVersion: v1\nkind: Pod"
    assert [fault.pointer for fault in faults_of(text)] == ["/1/kind"]
    assert names(parse(text.partition("---")[0])) == ["cats"]
