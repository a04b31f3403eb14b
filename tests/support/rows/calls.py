"""Bodies, HEAD, and the problems of routes and destinations."""

from __future__ import annotations

from tests.support.case import Answer, Call, Case, Request, ask, define, function, get, param, problem, route, rows, to

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_LIST = {"type": "array", "items": {"type": "integer"}}

_BODIES = define(
    route("add", "/addPet", to("v1", "addPet")),
    route("find", "/findPetWithId", to("v1", "findPetById")),
    route("search", "/findPets", to("v1", "findPets")),
    route("rename", "/rename", to("v1", "rename")),
    route("deep", "/deep", to("v1", "rename", id="{body.pet.ids.0}")),
    route("header", "/header", to("v1", "tenanted", **{"x-tenant": "{body.tenant.name}"})),
    route("plain", "/plain", to("v2")),
    functions=(
        function("rename", "PUT", "/pets/{id}/name", param("id", "path"), body=_JSON),
        function("tenanted", "POST", "/tenanted", param("x-tenant", "header"), body=_JSON),
    ),
)


def _post(target: str, body: str | bytes, kind: str | None = _JSON, **headers: str) -> Request:
    return ask("POST", target, body=body, kind=kind, **headers)


def _call(method: str, target: str, **more: object) -> Call:
    return Call("v1", method, target, **more)  # type: ignore[arg-type]


_BROKEN = problem("invalid_body", 400)

BODY = (
    *rows(
        "body",
        _BODIES,
        ("a function with a body gets the client's", _post("/addPet", '{"id":1}'), _call("POST", "/api/pets")),
        ("a body that is no JSON passes untouched", _post("/addPet", "{", _JSON), _call("POST", "/api/pets")),
        (
            "a multipart body passes untouched",
            _post("/addPet", "--x--", "multipart/form-data; boundary=x"),
            _call("POST", "/api/pets", headers=(("content-type", "multipart/form-data; boundary=x"),)),
        ),
        ("an id from a JSON body", _post("/findPetWithId", '{"id": 7}'), _call("GET", "/api/pets/7", body=b"")),
        (
            "an id from a form",
            _post("/findPetWithId", "a=1&id=7%2F8", _FORM),
            _call("GET", "/api/pets/7%2F8", body=b""),
        ),
        (
            "an id from a body whose type has a parameter and a suffix",
            _post("/findPetWithId", '{"id": "x"}', "application/merge-patch+json; charset=utf-8"),
            _call("GET", "/api/pets/x", body=b""),
        ),
        (
            "the query goes before the body",
            _post("/findPetWithId?id=1", '{"id": 2}'),
            _call("GET", "/api/pets/1", body=b""),
        ),
        ("numbers keep their text", _post("/findPetWithId", '{"id": 1.10}'), _call("GET", "/api/pets/1.10", body=b"")),
        (
            "numbers may be long",
            _post("/findPetWithId", '{"id": 12345678901234567890123}'),
            _call("GET", "/api/pets/12345678901234567890123", body=b""),
        ),
        (
            "a truth value is its JSON",
            _post("/findPetWithId", '{"id": true}'),
            _call("GET", "/api/pets/true", body=b""),
        ),
        ("null is missing", _post("/findPetWithId", '{"id": null}'), problem("missing_parameter", 400, parameter="id")),
        ("a body that is a list has no fields", _post("/findPetWithId", "[1]"), problem("missing_parameter", 400)),
        ("an empty JSON body has no fields", _post("/findPetWithId", " "), problem("missing_parameter", 400)),
        (
            "query parameters come from a body that nobody else gets",
            _post("/findPets?limit=1", '{"tags": ["a", "b,c"], "limit": 9}'),
            _call("GET", "/api/pets?limit=1&tags=a,b%2Cc", body=b""),
        ),
        (
            "several fields of a form are a list",
            _post("/findPets", "tags=a&tags=b+c&limit=5", _FORM),
            _call("GET", "/api/pets?tags=a,b%20c&limit=5", body=b""),
        ),
        (
            "a body that cannot be read does not matter to optional parameters",
            _post("/findPets", "x", "text/plain"),
            _call("GET", "/api/pets", body=b""),
        ),
        ("broken JSON", _post("/findPetWithId", '{"id": '), _BROKEN),
        ("JSON with NaN", _post("/findPetWithId", '{"id": NaN}'), _BROKEN),
        ("JSON that is not UTF-8", _post("/findPetWithId", b'{"id": "\xff"}'), _BROKEN),
        ("JSON that is nested without end", _post("/findPetWithId", "[" * 100_000), _BROKEN),
        (
            "half a character in JSON",
            _post("/findPetWithId", '{"id": "\\ud800"}'),
            problem("invalid_parameter", 400, parameter="id"),
        ),
        (
            "an object where a text belongs, nested",
            _post("/findPetWithId", '{"id": {"a": {"b": 1}}}'),
            problem("invalid_parameter", 400, parameter="id"),
        ),
        ("a body of another type", _post("/findPetWithId", "7", "text/plain"), problem("unsupported_media_type", 415)),
        ("a body without a type", _post("/findPetWithId", "id=7", None), problem("unsupported_media_type", 415)),
        (
            "a compressed body",
            _post("/findPetWithId", b"\x1f\x8b", _JSON, content_encoding="gzip"),
            problem("unsupported_media_type", 415, parameter="id"),
        ),
        (
            "a path parameter from a body that passes on unchanged",
            _post("/rename", '{"id": "a b", "name":"Rex" }'),
            _call("PUT", "/pets/a%20b/name"),
        ),
        ("a body that is not needed is not read", _post("/rename/7", "{"), _call("PUT", "/pets/7/name")),
        (
            "a template into the depth of a body",
            _post("/deep", '{"pet": {"ids": [7, 8]}}'),
            _call("PUT", "/pets/7/name"),
        ),
        ("a template into a body without the field", _post("/deep", '{"pet": 1}'), problem("missing_parameter", 400)),
        (
            "a header from the body",
            _post("/header", '{"tenant": {"name": "Zoë"}}'),
            _call("POST", "/tenanted", headers=(("x-tenant", "Zo\xc3\xab"),)),
        ),
        (
            "a header from the body with a line break",
            _post("/header", '{"tenant": {"name": "a\\r\\nx: y"}}'),
            problem("invalid_parameter", 400, parameter="x-tenant"),
        ),
        (
            "a template for an optional header and a body that cannot be read",
            _post("/header", "x", "text/plain"),
            _call("POST", "/tenanted", absent=("x-tenant",)),
        ),
        ("a form field with a dotted name", _post("/header", "tenant.name=a", _FORM), _call("POST", "/tenanted")),
        ("a plain destination gets any body", _post("/plain", "x", "text/plain"), Call("v2", "POST", "/plain")),
    ),
    Case(
        "a body beyond the limit is not read",
        "body",
        _BODIES,
        _post("/findPetWithId", '{"id": 1}'),
        problem("body_too_large", 413),
        body_limit=8,
    ),
    Case(
        "a body at the limit is read",
        "body",
        _BODIES,
        _post("/findPetWithId", '{"id":7}'),
        _call("GET", "/api/pets/7", body=b""),
        body_limit=8,
    ),
    Case(
        "a body that passes has no limit",
        "body",
        _BODIES,
        _post("/addPet", '{"id": 1}'),
        _call("POST", "/api/pets"),
        body_limit=1,
    ),
)

HEAD = rows(
    "head",
    define(
        route("find", "/findPets", to("v1", "findPets")),
        route("add", "/addPet", to("v1", "addPet")),
        route("plain", "/plain", to("v2"), methods=["GET"]),
        route("direct", "/direct", direct_response={"status": 200, "body": "hello"}),
        route("by-id", "/byId", to("v1", "findPetById")),
        route("required", "/required", to("v1", "needs")),
        route("checked", "/checked", to("v1", "needs"), validate=True),
        functions=(function("needs", "POST", "/needs", param("q", "query", required=True), body=_JSON),),
    ),
    ("HEAD calls a GET function as HEAD", ask("HEAD", "/findPets?limit=1"), _call("HEAD", "/api/pets?limit=1")),
    (
        "HEAD never does what a POST does",
        ask("HEAD", "/addPet"),
        Answer(405, "method_not_allowed", (("allow", "POST, OPTIONS"),)),
    ),
    ("TRACE never does what a POST does", ask("TRACE", "/addPet"), problem("method_not_allowed", 405)),
    ("GET calls another function by its own method", get("/addPet"), _call("POST", "/api/pets")),
    ("OPTIONS is about the path of the function", ask("OPTIONS", "/addPet"), _call("OPTIONS", "/api/pets")),
    (
        "a preflight where nothing is said about CORS is for the service",
        ask("OPTIONS", "/findPets?limit=1", origin="https://a.test", access_control_request_method="GET"),
        _call("OPTIONS", "/api/pets?limit=1", headers=(("origin", "https://a.test"),)),
    ),
    ("OPTIONS needs what stands in the path", ask("OPTIONS", "/byId"), problem("missing_parameter", 400)),
    ("OPTIONS needs nothing else", ask("OPTIONS", "/required"), _call("OPTIONS", "/needs")),
    ("OPTIONS is not checked", ask("OPTIONS", "/checked"), _call("OPTIONS", "/needs")),
    (
        "fields that speak of a body go with the body",
        ask("POST", "/findPets", body="{}", kind="application/json", content_language="en"),
        _call("GET", "/api/pets", absent=("content-type", "content-language"), body=b""),
    ),
    ("HEAD stays HEAD on a plain destination", ask("HEAD", "/plain"), Call("v2", "HEAD", "/plain")),
    ("HEAD of a direct response", ask("HEAD", "/direct"), Answer(200)),
    ("HEAD of a problem", ask("HEAD", "/none"), problem("no_route", 404)),
)

_BROKEN_FUNCTIONS = (
    function("badHeader", "GET", "/x", param("x y", "header")),
    function("badPath", "GET", "/x/{a", param("a", "path")),
    function("removed", "GET", "/old").model_copy(update={"state": "removed"}),
    function("framing", "GET", "/framing", param("Content-Length", "header"), param("Accept", "header", required=True)),
)

PROBLEMS = (
    *rows(
        "problems",
        define(
            route("gone", "/gone", to("gone")),
            route("unknown", "/unknown", to("v1", "nothing")),
            route("half", "/half", to("v1", weight=50), to("gone", weight=50)),
            route("bad-header", "/bad-header", to("v1", "badHeader")),
            route("bad-path", "/bad-path", to("v1", "badPath")),
            route("removed", "/removed", to("v1", "removed")),
            route("framing", "/framing", to("v1", "framing")),
            route("rewrite", "/rewrite", to("v1"), rewrite={"regex": {"pattern": "(", "substitution": ""}}),
            functions=_BROKEN_FUNCTIONS,
        ),
        ("no route", get("/none"), problem("no_route", 404, instance="/none", type="/problems/no_route")),
        ("an upstream that was deleted", get("/gone"), problem("upstream_missing", 503)),
        ("a function that nobody knows", get("/unknown"), problem("function_unknown", 503)),
        ("the good half of a route serves", get("/half"), Call("v1", "GET", "/half"), (0.49,)),
        ("the broken half answers", get("/half"), problem("upstream_missing", 503), (0.51,)),
        ("a header parameter that is no header", get("/bad-header"), problem("route_invalid", 503)),
        ("a function path that is no path", get("/bad-path"), problem("route_invalid", 503)),
        ("a function that left its document is called on", get("/removed"), _call("GET", "/old")),
        (
            "no document can set the framing",
            get("/framing?Content-Length=0"),
            _call("GET", "/framing?Content-Length=0"),
        ),
        ("a rewrite that is no pattern", get("/rewrite"), problem("invalid_regex", 503)),
    ),
    *rows(
        "problems",
        define(route("pending", "/", to("v1", "later")), pending=frozenset({"v1"})),
        ("a function of a document that was never read", get("/"), problem("function_unknown", 503)),
    ),
)
