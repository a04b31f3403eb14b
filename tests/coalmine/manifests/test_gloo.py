"""Gloo's VirtualService, in the words of the article and beyond."""

from __future__ import annotations

from typing import Any

import pytest

from tests.coalmine.manifests.support import TO_CATS, faults_of, only, parse, route, service, short

FEED = """
- matcher:
    prefix: /feedCat
  routeAction:
    single:
      destinationSpec:
        rest:
          functionName: feedCat
          parameters:
            headers:
              :path: /feedCat/{id}
      upstream: {name: default-cats-v1-8080, namespace: gloo-system}
"""
LIST = """
- matcher:
    prefix: /listCats
  routeAction:
    single:
      destinationSpec: {rest: {functionName: listCats, parameters: {}}}
      upstream: {name: default-cats-v1-8080, namespace: gloo-system}
"""
PLAIN = """
- matcher:
    prefix: /cats
  routeAction:
    single:
      upstream: {name: default-cats-v1-8080, namespace: gloo-system}
  routePlugins:
    prefixRewrite:
      prefixRewrite: /api/cats
"""
HEADER = """
- matcher:
    headers:
    - {name: x-canary, regex: true, value: "true"}
    prefix: /listCats
  routeAction:
    single:
      destinationSpec: {rest: {functionName: listCats, parameters: {}}}
      upstream: {name: default-cats-v2-8080, namespace: gloo-system}
"""


def weighted(new: int, old: int) -> str:
    return f"""
- matcher:
    prefix: /feedCat
  routeAction:
    multi:
      destinations:
      - destination:
          destinationSpec: {{rest: {{functionName: feedCat, parameters: {{headers: {{":path": "/feedCat/{{id}}"}}}}}}}}
          upstream: {{name: default-cats-v2-8080, namespace: gloo-system}}
        weight: {new}
      - destination:
          destinationSpec: {{rest: {{functionName: feedCat, parameters: {{headers: {{":path": "/feedCat/{{id}}"}}}}}}}}
          upstream: {{name: default-cats-v1-8080, namespace: gloo-system}}
        weight: {old}
"""


def test_three_routes_as_the_first_part_of_the_article_has_them() -> None:
    config = parse(service(FEED + LIST + PLAIN))
    assert [item.model_dump(exclude_defaults=True) for item in config.virtual_services] == [{"name": "zoo"}]
    assert [short(item) for item in config.routes] == [
        {
            "name": "zoo-feed-cat",
            "virtual_service": "zoo",
            "match": {"path": {"prefix": "/feedCat"}},
            "destinations": [
                {
                    "upstream": "default-cats-v1-8080",
                    "function": "feedCat",
                    "parameters": {":path": "/feedCat/{id}"},
                }
            ],
        },
        {
            "name": "zoo-list-cats",
            "virtual_service": "zoo",
            "match": {"path": {"prefix": "/listCats"}},
            "destinations": [{"upstream": "default-cats-v1-8080", "function": "listCats"}],
        },
        {
            "name": "zoo-cats",
            "virtual_service": "zoo",
            "match": {"path": {"prefix": "/cats"}},
            "destinations": [{"upstream": "default-cats-v1-8080"}],
            "rewrite": {"prefix": "/api/cats"},
        },
    ]
    assert config.whole_virtual_services == {"zoo"}


def test_a_header_canary_first_in_the_list_needs_no_priority() -> None:
    config = parse(service(HEADER + FEED + LIST + PLAIN))
    canary = config.routes[0]
    assert canary.name == "zoo-list-cats-x-canary-true"
    assert short(canary)["match"] == {
        "path": {"prefix": "/listCats"},
        "headers": [{"name": "x-canary", "exact": "true"}],
    }
    assert [item.priority for item in config.routes] == [0, 0, 0, 0]


@pytest.mark.parametrize(("new", "old"), [(10, 90), (50, 50), (0, 100)], ids=["a tenth", "half", "rolled back"])
def test_weights_and_functions_stand_with_each_destination(new: int, old: int) -> None:
    (made,) = parse(service(weighted(new, old))).routes
    assert [(item.upstream, item.function, item.weight) for item in made.destinations] == [
        ("default-cats-v2-8080", "feedCat", new),
        ("default-cats-v1-8080", "feedCat", old),
    ]


def test_the_same_manifest_gives_the_same_set_twice() -> None:
    text = service(HEADER + FEED + LIST + LIST + PLAIN)
    assert parse(text) == parse(text)
    assert [item.name for item in parse(text).routes][2:4] == ["zoo-list-cats", "zoo-list-cats-2"]


def test_the_later_shape_says_the_same() -> None:
    later = """
- matchers: [{prefix: /cats}]
  routeAction: {single: {upstream: {name: default-cats-v1-8080, namespace: gloo-system}}}
  options: {prefixRewrite: /api/cats}
"""
    assert parse(service(later)).routes == parse(service(PLAIN)).routes


def test_what_glooctl_prints_has_no_spec() -> None:
    text = """
metadata: {name: zoo, namespace: gloo-system}
virtualHost:
  domains: [cats.example.com]
  routes:
  - matcher: {prefix: /}
    routeAction: {single: {upstream: {name: cats}}}
"""
    config = parse(text)
    assert config.virtual_services[0].domains == ("cats.example.com",)
    assert config.routes[0].name == "zoo-root"


MATCHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "an exact path": ("exact: /a", {"path": {"exact": "/a"}}),
    "a pattern": ("regex: '/a/[0-9]+'", {"path": {"regex": "/a/[0-9]+"}}),
    "methods": ("prefix: /a, methods: [GET, head]", {"path": {"prefix": "/a"}, "methods": ["GET", "HEAD"]}),
    "a header that is there": ("prefix: /a, headers: [{name: x}]", {"headers": [{"name": "x", "present": True}]}),
    "an empty value: there": (
        "prefix: /a, headers: [{name: x, value: ''}]",
        {"headers": [{"name": "x", "present": True}]},
    ),
    "a literal value": ("prefix: /a, headers: [{name: x, value: 'a.c'}]", {"headers": [{"name": "x", "exact": "a.c"}]}),
    "a pattern for a value": (
        "prefix: /a, headers: [{name: x, value: 'a.c', regex: true}]",
        {"headers": [{"name": "x", "regex": "a.c"}]},
    ),
    "a header that differs": (
        "prefix: /a, headers: [{name: x, value: b, invertMatch: true}]",
        {"headers": [{"name": "x", "exact": "b", "invert": True}]},
    ),
    "a query parameter": (
        "prefix: /a, queryParameters: [{name: q, value: '1'}]",
        {"query": [{"name": "q", "exact": "1"}]},
    ),
    "no path: every path": ("methods: [GET]", {"methods": ["GET"]}),
}


@pytest.mark.parametrize(("matcher", "expected"), MATCHERS.values(), ids=MATCHERS)
def test_matchers(matcher: str, expected: dict[str, Any]) -> None:
    made = only(service(route(TO_CATS, matcher=matcher)))["match"]
    assert made == {"path": {"prefix": "/a"}, **expected} if "prefix: /a" in matcher else made == expected


def test_several_matchers_are_several_routes_with_one_action() -> None:
    text = service("- matchers: [{prefix: /cats}, {exact: /lions}]\n  " + TO_CATS)
    assert [short(item)["match"]["path"] for item in parse(text).routes] == [{"prefix": "/cats"}, {"exact": "/lions"}]


def test_a_route_without_matchers_takes_everything() -> None:
    assert only(service("- " + TO_CATS)) == {"destinations": [{"upstream": "cats"}]}


ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a service of a cluster": (
        "routeAction: {single: {kube: {ref: {name: cats, namespace: pets}, port: 80}}}",
        {"destinations": [{"upstream": "pets-cats-80"}]},
    ),
    "a redirect of the host": (
        "redirectAction: {hostRedirect: a.example.com, responseCode: FOUND}",
        {"redirect": {"host": "a.example.com"}},
    ),
    "a redirect is 301 unless it says otherwise": (
        "redirectAction: {pathRedirect: /b, httpsRedirect: true}",
        {"redirect": {"status": 301, "scheme": "https", "path": "/b"}},
    ),
    "a redirect by number": (
        "redirectAction: {prefixRewrite: /b, responseCode: 308}",
        {"redirect": {"status": 308, "prefix": "/b"}},
    ),
    "a direct response": (
        "directResponseAction: {status: 404, body: gone}",
        {"direct_response": {"status": 404, "body": "gone"}},
    ),
    "a parameter from a header": (
        "routeAction: {single: {upstream: {name: cats}, destinationSpec: {rest: {functionName: f, "
        "parameters: {headers: {X-User: '{user}'}}}}}}",
        {"destinations": [{"upstream": "cats", "function": "f", "parameters": {"user": "{header.x-user}"}}]},
    ),
    "the path by its own key": (
        "routeAction: {single: {upstream: {name: cats}, destinationSpec: {rest: {functionName: f, "
        "parameters: {path: '/cats/{ id }'}}}}}",
        {"destinations": [{"upstream": "cats", "function": "f", "parameters": {":path": "/cats/{id}"}}]},
    ),
    "a path without variables says nothing": (
        "routeAction: {single: {upstream: {name: cats}, destinationSpec: {rest: {functionName: f, "
        "parameters: {path: /cats}}}}}",
        {"destinations": [{"upstream": "cats", "function": "f"}]},
    ),
}


@pytest.mark.parametrize(("action", "expected"), ACTIONS.values(), ids=ACTIONS)
def test_actions(action: str, expected: dict[str, Any]) -> None:
    made = only(service(route(action)))
    made.pop("match")
    assert made == expected


def test_a_function_brings_its_own_path_so_a_prefix_rewrite_means_nothing() -> None:
    action = "routeAction: {single: {upstream: {name: cats}, destinationSpec: {rest: {functionName: f}}}}"
    assert "rewrite" not in only(service(route(action, more="options: {prefixRewrite: /x}")))


UNSAID: dict[str, tuple[str, str, str]] = {
    "delegation": ("delegateAction: {ref: {name: x}}", "/routes/0/delegateAction", "delegateAction"),
    "a group": ("routeAction: {upstreamGroup: {name: x}}", "/routes/0/routeAction/upstreamGroup", "upstreamGroup"),
    "a cloud function": (
        "routeAction: {single: {upstream: {name: x}, destinationSpec: {aws: {logicalName: f}}}}",
        "/routes/0/routeAction/single/destinationSpec/aws",
        "aws",
    ),
    "a changed answer": (
        "routeAction: {single: {upstream: {name: x}, destinationSpec: {rest: {functionName: f, "
        "responseTransformation: {body: {text: x}}}}}}",
        "/routes/0/routeAction/single/destinationSpec/rest/responseTransformation",
        "responseTransformation",
    ),
    "a subset": (
        "routeAction: {single: {upstream: {name: x}, subset: {values: {v: '1'}}}}",
        "/routes/0/routeAction/single/subset",
        "subset",
    ),
    "a redirect that drops the query": (
        "redirectAction: {hostRedirect: a, stripQuery: true}",
        "/routes/0/redirectAction/stripQuery",
        "stripQuery",
    ),
}


@pytest.mark.parametrize(("action", "pointer", "name"), UNSAID.values(), ids=UNSAID)
def test_what_cannot_be_said_is_named_and_never_dropped(action: str, pointer: str, name: str) -> None:
    (fault,) = faults_of(service(route(action)))
    assert (fault.pointer, fault.code) == ("/0/spec/virtualHost" + pointer, "unsupported_manifest")
    assert name in fault.detail


WRONG: dict[str, tuple[str, str, str]] = {
    "no action": ("name: x", "missing_key", "/routes/0"),
    "no destination": ("routeAction: {}", "missing_key", "/routes/0/routeAction"),
    "an empty list of destinations": ("routeAction: {multi: {}}", "missing_key", "/routes/0/routeAction/multi"),
    "no upstream": ("routeAction: {single: {}}", "missing_key", "/routes/0/routeAction/single/upstream"),
    "no weight": (
        "routeAction: {multi: {destinations: [{destination: {upstream: {name: x}}}]}}",
        "missing_key",
        "/routes/0/routeAction/multi/destinations/0/weight",
    ),
    "a weight without a destination": (
        "routeAction: {multi: {destinations: [{weight: 1}]}}",
        "missing_key",
        "/routes/0/routeAction/multi/destinations/0/destination",
    ),
    "weights that are all zero": (
        "routeAction: {multi: {destinations: [{weight: 0, destination: {upstream: {name: x}}}]}}",
        "no_weight",
        "/routes/0/routeAction/multi/destinations",
    ),
    "a text where a mapping should be": ("routeAction: all", "wrong_type", "/routes/0/routeAction"),
    "an unknown redirect": (
        "redirectAction: {hostRedirect: a, responseCode: ELSEWHERE}",
        "invalid_value",
        "/routes/0/redirectAction/responseCode",
    ),
    "braces that do not close": (
        "routeAction: {single: {upstream: {name: x}, destinationSpec: {rest: {functionName: f, "
        "parameters: {path: '/cats/{id'}}}}}",
        "unsupported_manifest",
        "/routes/0/routeAction/single/destinationSpec/rest/parameters/path",
    ),
}


@pytest.mark.parametrize(("action", "code", "pointer"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_place(action: str, code: str, pointer: str) -> None:
    (fault,) = faults_of(service(route(action)))
    assert (fault.code, fault.pointer) == (code, "/0/spec/virtualHost" + pointer)


MATCHER_FAULTS: dict[str, tuple[str, str, str]] = {
    "two paths": ("prefix: /a, exact: /a", "invalid_value", ""),
    "a pseudo header": (
        "prefix: /a, headers: [{name: ':authority', value: x}]",
        "unsupported_manifest",
        "/headers/0/name",
    ),
    "letters of any case": ("prefix: /a, caseSensitive: false", "unsupported_manifest", "/caseSensitive"),
    "a connection's own method": ("connectMatcher: {x: 1}", "unsupported_manifest", "/connectMatcher"),
    "a misspelt key": ("prefix: /a, header: [{name: x}]", "unsupported_manifest", "/header"),
    "a path that is a number": ("prefix: 1", "invalid_value", "/prefix"),
    "a path without a slash": ("prefix: a", "invalid_value", "/prefix"),
    "a header whose name is none": (
        "prefix: /a, headers: [{name: 'a b', value: x}]",
        "invalid_value",
        "/headers/0/name",
    ),
    "a method that is none": ("prefix: /a, methods: [GET, 'a b']", "invalid_value", "/methods/1"),
    "a query parameter without a name": ("queryParameters: [{value: x}]", "invalid_value", "/queryParameters/0/name"),
    "a header that is no mapping": ("prefix: /a, headers: [x]", "wrong_type", "/headers/0"),
    "a method that is no text": ("prefix: /a, methods: [{}]", "wrong_type", "/methods/0"),
}


@pytest.mark.parametrize(("matcher", "code", "pointer"), MATCHER_FAULTS.values(), ids=MATCHER_FAULTS)
def test_matchers_that_cannot_be_taken(matcher: str, code: str, pointer: str) -> None:
    (fault,) = faults_of(service(route(TO_CATS, matcher=matcher)))
    assert (fault.code, fault.pointer) == (code, "/0/spec/virtualHost/routes/0/matcher" + pointer)


def test_a_misspelt_key_comes_with_the_nearest_known_one() -> None:
    (fault,) = faults_of(service(route(TO_CATS, matcher="prefix: /a, header: [{name: x}]")))
    assert fault.hint == "did you mean headers?"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("apiVersion: gateway.solo.io/v1\nkind: VirtualService\nspec: {virtualHost: {}}", "/0/metadata"),
        ("apiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec: {}", "/0/spec/virtualHost"),
    ],
    ids=["no name", "no virtual host"],
)
def test_what_a_virtual_service_needs(text: str, pointer: str) -> None:
    (fault,) = faults_of(text)
    assert (fault.pointer, fault.code) == (pointer, "missing_key")


def test_every_fault_of_every_document_is_told_at_once() -> None:
    text = service(route("routeAction: {clusterHeader: x}") + route("name: x")) + "---" + service("- {}", name="B@D")
    assert [fault.pointer for fault in faults_of(text)] == [
        "/0/spec/virtualHost/routes/0/routeAction/clusterHeader",
        "/0/spec/virtualHost/routes/1",
        "/1/metadata/name",
        "/1/spec/virtualHost/routes/0",
    ]


def test_a_wrong_domain_is_pointed_to() -> None:
    text = service(route(TO_CATS)).replace("['*']", "[a.example.com, 'b c']")
    (fault,) = faults_of(text)
    assert fault.pointer == "/0/spec/virtualHost/domains/1"


def test_tls_of_a_virtual_service_cannot_be_said() -> None:
    text = service(route(TO_CATS)).replace("  displayName: the zoo", "  sslConfig: {secretRef: {name: x}}")
    (fault,) = faults_of(text)
    assert fault.pointer == "/0/spec/sslConfig"


def test_each_object_has_its_place() -> None:
    places = {read.definition.name: read.locate("") for read in parse(service(LIST + PLAIN)).readings}
    assert places == {
        "zoo-list-cats": "/0/spec/virtualHost/routes/0",
        "zoo-cats": "/0/spec/virtualHost/routes/1",
        "zoo": "/0",
    }
