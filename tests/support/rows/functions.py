"""Calling functions: the six sources of a value, and how values are encoded into the call."""

from __future__ import annotations

from tests.support.case import Call, ask, define, function, get, param, problem, route, rows, to

NAMES = {"type": "array", "items": {"type": "string"}}


def _call(method: str, target: str, **more: object) -> Call:
    return Call("v1", method, target, **more)  # type: ignore[arg-type]


FUNCTION_PARAMETERS = (
    *rows(
        "function-parameters",
        define(
            route("find-pets", "/findPets", to("v1", "findPets")),
            route("find-pet", "/findPetWithId", to("v1", "findPetById")),
        ),
        ("the article: findPets by prefix", get("/findPets"), _call("GET", "/api/pets")),
        ("a slash behind the prefix is no segment", get("/findPets/"), _call("GET", "/api/pets")),
        ("the article: the segment behind the prefix is the id", get("/findPetWithId/1"), _call("GET", "/api/pets/1")),
        ("a slash behind the id is no segment", get("/findPetWithId/1/"), _call("GET", "/api/pets/1")),
        ("an id from the query is consumed", get("/findPetWithId?id=1"), _call("GET", "/api/pets/1")),
        (
            "the rest of the query stays in order",
            get("/findPetWithId?z=1&id=7&a=%41+b&z=2"),
            _call("GET", "/api/pets/7?z=1&a=%41+b&z=2"),
        ),
        (
            "an id in the path leaves one in the query alone",
            get("/findPetWithId/1?id=2"),
            _call("GET", "/api/pets/1?id=2"),
        ),
        (
            "declared query parameters pass as they are",
            get("/findPets?limit=1&tags=a,b"),
            _call("GET", "/api/pets?limit=1&tags=a,b"),
        ),
        ("undeclared query parameters pass too", get("/findPets?x=1"), _call("GET", "/api/pets?x=1")),
        ("raw query text is not touched", get("/findPets?a&&b=%7e&c=;"), _call("GET", "/api/pets?a&&b=%7e&c=;")),
        ("segments that nobody takes are refused", get("/findPets/1"), problem("unbound_path", 404)),
        ("one segment too many is refused", get("/findPetWithId/1/2"), problem("unbound_path", 404)),
        ("a missing id is named", get("/findPetWithId"), problem("missing_parameter", 400, parameter="id")),
        ("an id is not made of a slash", get("/findPetWithId/"), problem("missing_parameter", 400, parameter="id")),
        ("an empty id is missing", get("/findPetWithId//"), problem("missing_parameter", 400, parameter="id")),
        ("an empty id in the query is missing", get("/findPetWithId?id="), problem("missing_parameter", 400)),
        ("the client's method gives way to the function's", ask("POST", "/findPets"), _call("GET", "/api/pets")),
        (
            "a function without a body gets none",
            ask("POST", "/findPets", body="{}", kind="application/json"),
            _call("GET", "/api/pets", body=b""),
        ),
        (
            "headers of the client pass",
            get("/findPets", authorization="Bearer x"),
            _call("GET", "/api/pets", headers=(("authorization", "Bearer x"), ("host", "gateway.test"))),
        ),
    ),
    *rows(
        "function-parameters",
        define(
            route("pet", {"template": "/users/{user}/pets/{id}"}, to("v1", "findPetById")),
            route("pets", {"template": "/users/{limit}/pets"}, to("v1", "findPets")),
            route("named", {"regex": "/pet-(?P<id>[0-9]+)"}, to("v1", "findPetById")),
        ),
        ("a capture has the parameter's name", get("/users/7/pets/1"), _call("GET", "/api/pets/1")),
        ("a capture goes before the query", get("/users/7/pets/1?id=2"), _call("GET", "/api/pets/1?id=2")),
        ("a capture may be a query parameter", get("/users/3/pets"), _call("GET", "/api/pets?limit=3")),
        (
            "a capture replaces the client's query parameter",
            get("/users/3/pets?limit=9&x=1"),
            _call("GET", "/api/pets?x=1&limit=3"),
        ),
        ("a named group is a capture", get("/pet-12"), _call("GET", "/api/pets/12")),
    ),
    *rows(
        "function-parameters",
        define(
            route("literal", "/literal", to("v1", "findPetById", id=7)),
            route("query", "/query", to("v1", "findPetById", id="{query.pet}")),
            route("header", "/header", to("v1", "findPetById", id="{header.X-Pet}")),
            route("cookie", "/cookie", to("v1", "findPetById", id="{cookie.pet}")),
            route("path", {"template": "/path/{a}/{b}"}, to("v1", "findPetById", id="{path.a}-{path.b}")),
            route("mixed", "/mixed", to("v1", "findPetById", id="pet:{query.kind}/{header.x-n}")),
            route("page", "/page", to("v1", "findPets", limit=50)),
            route("limit", "/limit", to("v1", "findPets", limit="{query.limit}")),
            route("braces", "/braces", to("v1", "findPets", tags="{x}")),
            route("extract", "/e", to("v1", "findPetById", **{":path": "/e/{owner}/pet/{id}"})),
            route("article", "/findPetWithId", to("v1", "findPetById", **{":path": "/findPetWithId/{id}"})),
        ),
        ("a destination's literal", get("/literal"), _call("GET", "/api/pets/7")),
        ("a destination's literal goes first", get("/literal?id=8"), _call("GET", "/api/pets/7?id=8")),
        ("segments behind a literal bind to nothing", get("/literal/8"), problem("unbound_path", 404)),
        ("a template over the query consumes it", get("/query?pet=3&x=1"), _call("GET", "/api/pets/3?x=1")),
        ("a template without its value falls back", get("/query/4"), _call("GET", "/api/pets/4")),
        ("a template over a header", get("/header", x_pet="5"), _call("GET", "/api/pets/5", headers=(("x-pet", "5"),))),
        ("a template over a cookie", get("/cookie", cookie="a=1; pet=6"), _call("GET", "/api/pets/6")),
        ("a template over captures", get("/path/x/y"), _call("GET", "/api/pets/x-y")),
        (
            "a mixed template is encoded as a whole",
            get("/mixed?kind=a", x_n="b c"),
            _call("GET", "/api/pets/pet%3Aa%2Fb%20c"),
        ),
        (
            "a mixed template lacks as a whole",
            get("/mixed?kind=a"),
            problem("missing_parameter", 400, parameter="id"),
        ),
        ("a literal for a query parameter", get("/page"), _call("GET", "/api/pets?limit=50")),
        (
            "a literal replaces the client's value",
            get("/page?limit=1&x=2&limit=3"),
            _call("GET", "/api/pets?x=2&limit=50"),
        ),
        ("a template over the very parameter", get("/limit?limit=5"), _call("GET", "/api/pets?limit=5")),
        ("braces without a source are text", get("/braces"), _call("GET", "/api/pets?tags=%7Bx%7D")),
        ("an extractor takes parts of the path", get("/e/7/pet/8"), _call("GET", "/api/pets/8")),
        ("an extractor that does not fit gives nothing", get("/e?id=8"), _call("GET", "/api/pets/8")),
        ("the article's extractor", get("/findPetWithId/1?x=y"), _call("GET", "/api/pets/1?x=y")),
        ("the article's extractor takes one segment", get("/findPetWithId/1/2"), problem("unbound_path", 404)),
    ),
    *rows(
        "function-parameters",
        define(
            route("search", "/search", to("v1", "search")),
            route("owned", "/owned", to("v1", "ownedPet")),
            route("half", "/half", to("v1", "ownedPet", owner="me")),
            route("file", "/file", to("v1", "getFile")),
            route("undeclared", "/undeclared", to("v1", "undeclared")),
            functions=(
                function(
                    "search",
                    "GET",
                    "/search",
                    param("q", "query", required=True),
                    param("page", "query", "integer", default=1),
                    param("sort", "query", NAMES, explode=False, default=["name", "age"]),
                    param("x-trace", "header"),
                    param("x-tenant", "header", default="acme"),
                    param("lang", "cookie"),
                ),
                function("ownedPet", "GET", "/owners/{owner}/pets/{pet}", param("pet", "path"), param("owner", "path")),
                function("getFile", "GET", "/files/{name}.{ext}", param("name", "path"), param("ext", "path")),
                function("undeclared", "GET", "/things/{thing}"),
            ),
        ),
        (
            "defaults of the document are sent",
            get("/search?q=a"),
            _call("GET", "/search?q=a&page=1&sort=name,age", headers=(("x-tenant", "acme"),), absent=("x-trace",)),
        ),
        (
            "what the client sends goes before a default",
            get("/search?q=a&page=2&sort=x", x_tenant="other"),
            _call("GET", "/search?q=a&page=2&sort=x", headers=(("x-tenant", "other"),)),
        ),
        (
            "a required query parameter is missing",
            get("/search?page=2"),
            problem("missing_parameter", 400, parameter="q", instance="/search"),
        ),
        (
            "a header parameter may come from the query",
            get("/search?q=a&x-trace=t1&page=1&sort=b"),
            _call("GET", "/search?q=a&page=1&sort=b", headers=(("x-trace", "t1"),)),
        ),
        (
            "a cookie parameter may come from the query",
            get("/search?q=a&lang=de&page=1&sort=b", cookie="a=1"),
            _call("GET", "/search?q=a&page=1&sort=b", headers=(("cookie", "a=1; lang=de"),)),
        ),
        ("two segments bind in template order", get("/owned/ann/rex"), _call("GET", "/owners/ann/pets/rex")),
        ("one segment for two parameters is refused", get("/owned/ann"), problem("unbound_path", 404)),
        (
            "two parameters from the query",
            get("/owned?pet=rex&owner=ann"),
            _call("GET", "/owners/ann/pets/rex"),
        ),
        ("segments bind to what is still open", get("/half/rex"), _call("GET", "/owners/me/pets/rex")),
        ("two parameters in one segment", get("/file/report/pdf"), _call("GET", "/files/report.pdf")),
        ("a placeholder that nobody declared is a parameter", get("/undeclared/5"), _call("GET", "/things/5")),
    ),
)

_FIND_PET = define(
    route("pet", "/findPetWithId", to("v1", "findPetById")),
    route("template", {"template": "/pets/{id}/name"}, to("v1", "findPetById")),
    route("header", "/header", to("v1", "tagged")),
    route("partial", "/v", to("v1", "versioned")),
    functions=(
        function("tagged", "GET", "/tagged", param("x-tag", "header"), param("tag", "cookie"), param("q", "query")),
        function("versioned", "GET", "/api/v{version}/x", param("version", "path")),
    ),
)
_DOTS = problem("invalid_parameter", 400, parameter="id")

ENCODING = (
    *rows(
        "encoding",
        _FIND_PET,
        ("an encoded slash stays data", get("/findPetWithId/a%2Fb"), _call("GET", "/api/pets/a%2Fb")),
        ("an encoded question mark stays data", get("/findPetWithId/a%3Fb"), _call("GET", "/api/pets/a%3Fb")),
        ("an encoded number sign stays data", get("/findPetWithId/a%23b"), _call("GET", "/api/pets/a%23b")),
        ("an encoded percent sign stays one", get("/findPetWithId/100%25"), _call("GET", "/api/pets/100%25")),
        ("nothing is decoded twice", get("/findPetWithId/%2541"), _call("GET", "/api/pets/%2541")),
        ("unicode is UTF-8", get("/findPetWithId/%C3%BC"), _call("GET", "/api/pets/%C3%BC")),
        ("bytes that are no UTF-8 come out as they went in", get("/findPetWithId/%FF"), _call("GET", "/api/pets/%FF")),
        ("reserved characters are encoded", get("/findPetWithId/a;b=c,d"), _call("GET", "/api/pets/a%3Bb%3Dc%2Cd")),
        ("a colon is encoded", get("/findPetWithId/urn:x:1"), _call("GET", "/api/pets/urn%3Ax%3A1")),
        ("a capture is decoded once and encoded once", get("/pets/a%20b/name"), _call("GET", "/api/pets/a%20b")),
        ("a slash from the query is data", get("/findPetWithId?id=a/b"), _call("GET", "/api/pets/a%2Fb")),
        ("a question mark from the query is data", get("/findPetWithId?id=a?b"), _call("GET", "/api/pets/a%3Fb")),
        ("a plus in the query is a space", get("/findPetWithId?id=a+b"), _call("GET", "/api/pets/a%20b")),
        ("a plus in the path is a plus", get("/findPetWithId/a+b"), _call("GET", "/api/pets/a%2Bb")),
        ("two dots from the query", get("/findPetWithId?id=.."), _DOTS),
        ("one dot from the query", get("/findPetWithId?id=."), _DOTS),
        ("encoded dots from the query", get("/findPetWithId?id=%2e%2E"), _DOTS),
        ("dots encoded twice", get("/findPetWithId?id=%252e%252e"), _DOTS),
        ("dots encoded twice in the path", get("/findPetWithId/%252e%252e"), _DOTS),
        ("dots before a slash", get("/findPetWithId?id=../admin"), _DOTS),
        ("dots before a backslash", get("/findPetWithId?id=..%5Cadmin"), _DOTS),
        ("dots behind a slash", get("/findPetWithId?id=a/../.."), _DOTS),
        ("dots before path parameters", get("/findPetWithId?id=..;a"), _DOTS),
        ("dots in a name are harmless", get("/findPetWithId?id=a..b"), _call("GET", "/api/pets/a..b")),
        ("three dots are a name", get("/findPetWithId?id=..."), _call("GET", "/api/pets/...")),
        ("a dot in a part of a segment is harmless", get("/v?version=."), _call("GET", "/api/v./x")),
        ("NUL from the query", get("/findPetWithId?id=%00"), _DOTS),
        ("a line break from the query in the path", get("/findPetWithId?id=a%0D%0Ab"), _DOTS),
        (
            "dot segments of the client never reach a parameter",
            get("/findPetWithId/1/../2"),
            _call("GET", "/api/pets/2"),
        ),
        (
            "a line break in a header parameter",
            get("/header?x-tag=a%0D%0Ax-evil:1"),
            problem("invalid_parameter", 400, parameter="x-tag"),
        ),
        ("NUL in a header parameter", get("/header?x-tag=a%00"), problem("invalid_parameter", 400, parameter="x-tag")),
        (
            "a header value is not percent-encoded",
            get("/header?x-tag=a%20b%2Fc"),
            _call("GET", "/tagged", headers=(("x-tag", "a b/c"),)),
        ),
        (
            "a cookie value cannot add a cookie",
            get("/header?tag=a;%20admin=1"),
            _call("GET", "/tagged", headers=(("cookie", "tag=a%3B%20admin%3D1"),)),
        ),
    ),
)
