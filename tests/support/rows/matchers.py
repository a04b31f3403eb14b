"""Which route takes a request: paths, methods, headers, query, source, order and domains."""

from __future__ import annotations

from coalmine.model import VirtualService
from tests.support.case import Call, ask, define, get, problem, route, rows, to

V1, V2 = to("v1"), to("v2")


def _v1(target: str, method: str = "GET") -> Call:
    return Call("v1", method, target)


def _v2(target: str, method: str = "GET") -> Call:
    return Call("v2", method, target)


NO_ROUTE = problem("no_route", 404)

MATCHERS = (
    *rows(
        "matchers",
        define(route("pets", "/pets", V1), route("shop", {"exact": "/petshop"}, V2)),
        ("a prefix takes its own path", get("/pets"), _v1("/pets")),
        ("a prefix takes paths below it", get("/pets/7/photos"), _v1("/pets/7/photos")),
        ("a prefix takes whole segments only", get("/petshops"), NO_ROUTE),
        ("a prefix takes its path with a slash at the end", get("/pets/"), _v1("/pets/")),
        ("a path minds upper and lower case", get("/Pets"), NO_ROUTE),
        ("the query is no part of the path", get("/pets?/petshop"), _v1("/pets?/petshop")),
        ("an empty query is passed on", get("/pets?"), _v1("/pets?")),
        ("an exact path takes itself", get("/petshop"), _v2("/petshop")),
        ("an exact path takes nothing below it", get("/petshop/7"), NO_ROUTE),
        ("an exact path minds a slash at the end", get("/petshop/"), NO_ROUTE),
        ("an encoded letter is that letter", get("/%70ets"), _v1("/pets")),
        ("dot segments are resolved before matching", get("/x/../pets/./7"), _v1("/pets/7")),
        ("encoded dot segments are resolved too", get("/x/%2E%2e/pets"), _v1("/pets")),
        ("a path above the root is refused", get("/../pets"), problem("bad_request", 400)),
        ("two slashes stay two", get("/pets//7"), _v1("/pets//7")),
        ("an encoded slash is no slash to a matcher", get("/pets%2F7"), NO_ROUTE),
    ),
    *rows(
        "disguises",
        define(
            route("closed", "/admin", V2),
            route("me", {"exact": "/pets/mine"}, V2),
            route("pet", {"template": "/pets/{id}"}, V1),
            route("rest", "/", V1),
        ),
        ("two slashes are no way round a route", get("//admin"), problem("bad_request", 400)),
        ("two slashes further on are none", get("/admin//x"), _v2("/admin//x")),
        ("an encoded slash is no way round a route", get("/admin%2Fx"), problem("bad_request", 400)),
        ("an encoded slash in front is none", get("/%2Fadmin"), problem("bad_request", 400)),
        ("an encoded backslash is none", get("/x/..%5Cadmin"), problem("bad_request", 400)),
        ("parameters of a segment are none", get("/admin;v=1/x"), problem("bad_request", 400)),
        ("parameters of an exact path are none", get("/pets/mine;v=1"), problem("bad_request", 400)),
        ("a hidden dot segment is none", get("/x/..;/admin"), problem("bad_request", 400)),
        ("an encoded slash and a dot are none", get("/.%2Fadmin"), problem("bad_request", 400)),
        ("a letter that is encoded is that letter", get("/%61dmin/x"), _v2("/admin/x")),
        ("what is encoded twice is other data", get("/%2561dmin"), _v1("/%2561dmin")),
        ("an encoded slash is data where no earlier route is meant", get("/pets/a%2Fb"), _v1("/pets/a%2Fb")),
        ("empty segments are data where no earlier route is meant", get("/x//y"), _v1("/x//y")),
        ("an address in a path stays whole", get("/fetch/http://a.test//b"), _v1("/fetch/http://a.test//b")),
        ("parameters are data where no earlier route is meant", get("/pets/7;v=1"), _v1("/pets/7;v=1")),
    ),
    *rows(
        "matchers",
        define(
            route("pet", {"template": "/pets/{id}"}, V1),
            route("file", {"template": "/files/{name}.json"}, V2),
            route("digits", {"regex": "/numbers/[0-9]+"}, V1),
        ),
        ("a template takes one segment for each variable", get("/pets/7"), _v1("/pets/7")),
        ("a template takes no more segments than it has", get("/pets/7/8"), NO_ROUTE),
        ("a variable is never empty", get("/pets/"), NO_ROUTE),
        ("a variable may be part of a segment", get("/files/a.b.json"), _v2("/files/a.b.json")),
        ("a variable takes an encoded slash", get("/pets/a%2Fb"), _v1("/pets/a%2Fb")),
        ("a regular expression matches the whole path", get("/numbers/12"), _v1("/numbers/12")),
        ("a regular expression does not match a part", get("/numbers/12a"), NO_ROUTE),
    ),
    *rows(
        "matchers",
        define(route("get", "/m", V1, methods=["GET"]), route("post", "/m", V2, methods=["POST", "PUT"])),
        ("a method chooses the route", ask("PUT", "/m"), _v2("/m", "PUT")),
        ("a GET route takes HEAD", ask("HEAD", "/m"), _v1("/m", "HEAD")),
        ("a method that no route lists matches nothing", ask("DELETE", "/m"), NO_ROUTE),
    ),
    *rows(
        "matchers",
        define(
            route("exact", "/h", V2, headers=[{"name": "X-Canary", "exact": "true"}]),
            route("regex", "/r", V2, headers=[{"name": "x-version", "regex": "v[2-9]"}]),
            route("present", "/p", V2, headers=[{"name": "x-debug", "present": True}]),
            route("absent", "/a", V2, headers=[{"name": "x-debug", "present": False}]),
            route("not", "/n", V2, headers=[{"name": "x-tier", "exact": "free", "invert": True}]),
            route("rest", "/", V1),
        ),
        ("a header with the value takes the canary", get("/h", x_canary="true"), _v2("/h")),
        ("a header with another value does not", get("/h", x_canary="false"), _v1("/h")),
        ("a header value minds upper and lower case", get("/h", x_canary="True"), _v1("/h")),
        ("no header takes the plain route", get("/h"), _v1("/h")),
        ("a header matches a regular expression as a whole", get("/r", x_version="v2"), _v2("/r")),
        ("a header that matches in part does not match", get("/r", x_version="v22"), _v1("/r")),
        ("a header that is present", get("/p", x_debug=""), _v2("/p")),
        ("a header that has to be absent", get("/a", x_debug="1"), _v1("/a")),
        ("an inverted header condition", get("/n", x_tier="paid"), _v2("/n")),
        ("an inverted header condition holds without the header", get("/n"), _v2("/n")),
        ("an inverted header condition fails on the value", get("/n", x_tier="free"), _v1("/n")),
    ),
    *rows(
        "matchers",
        define(
            route("beta", "/q", V2, query=[{"name": "beta", "exact": "yes"}]),
            route("words", "/w", V2, query=[{"name": "q", "exact": "a b"}]),
            route("local", "/s", V2, source_cidrs=["127.0.0.8/29"]),
            route("rest", "/", V1),
        ),
        ("a query parameter with the value", get("/q?a=1&beta=yes"), _v2("/q?a=1&beta=yes")),
        ("a query parameter with another value", get("/q?beta=no"), _v1("/q?beta=no")),
        ("one of several values is enough", get("/q?beta=no&beta=yes"), _v2("/q?beta=no&beta=yes")),
        ("query values are compared decoded", get("/w?q=a+b"), _v2("/w?q=a+b")),
        ("query values are compared decoded, percent form", get("/w?%71=a%20b"), _v2("/w?%71=a%20b")),
        ("a source address in the network", get("/s", source="127.0.0.9"), _v2("/s")),
        ("a source address outside of it", get("/s", source="127.0.0.1"), _v1("/s")),
    ),
)

ORDER = (
    *rows(
        "order",
        define(
            route("prefix", "/a", V1),
            route("longer", "/a/b", V2),
            route("regex", {"regex": "/a/.*"}, to("v1"), methods=["POST"]),
            route("template", {"template": "/a/{x}/d"}, to("v2")),
            route("exact", {"exact": "/a/b/d"}, to("v1")),
        ),
        ("an exact path goes before everything", get("/a/b/d"), _v1("/a/b/d")),
        ("a template goes before a regular expression", ask("POST", "/a/z/d"), _v2("/a/z/d", "POST")),
        ("a regular expression goes before a prefix", ask("POST", "/a/b/c"), _v1("/a/b/c", "POST")),
        ("a longer prefix goes before a shorter one", get("/a/b/c"), _v2("/a/b/c")),
        ("what is left falls to the shorter prefix", get("/a/c"), _v1("/a/c")),
    ),
    *rows(
        "order",
        define(
            route("plain", "/o", V1),
            route("canary", "/o", V2, headers=[{"name": "x-canary", "exact": "true"}]),
            route("young", "/y", V2),
            route("catch-all", "/forced", V1),
            route("priority", "/", V2, priority=10, headers=[{"name": "x-all", "present": True}]),
        ),
        ("more conditions win, whenever they were added", get("/o", x_canary="true"), _v2("/o")),
        ("priority goes before the kind of path", get("/forced/a", x_all="1"), _v2("/forced/a")),
        ("priority alone does not match", get("/forced/a"), _v1("/forced/a")),
    ),
    *rows(
        "order",
        define(route("first", "/same", V1), route("second", "/same", V2)),
        ("between equals the older one wins", get("/same"), _v1("/same")),
    ),
    *rows(
        "order",
        define(
            route("broken", "/b", to("gone", "findPets"), headers=[{"name": "x-canary", "exact": "true"}]),
            route("good", "/b", V1),
        ),
        (
            "a route that is broken does not fall through to the next",
            get("/b", x_canary="true"),
            problem("upstream_missing", 503),
        ),
    ),
)

_SERVICES = (
    VirtualService(name="main", domains=("shop.test",)),
    VirtualService(name="wild", domains=("*.shop.test",)),
    VirtualService(name="deep", domains=("*.eu.shop.test",)),
)

DOMAINS = (
    *rows(
        "domains",
        define(
            route("exact", "/", V1),
            route("wild", "/w", V2, virtual_service="wild"),
            route("deep", "/d", V2, virtual_service="deep"),
            services=_SERVICES,
        ),
        ("an exact domain", get("/", host="shop.test"), _v1("/")),
        ("the port of a host does not matter", get("/", host="shop.test:8080"), _v1("/")),
        ("a host does not mind upper and lower case", get("/", host="SHOP.test"), _v1("/")),
        ("a suffix takes a host below it", get("/w", host="a.shop.test"), _v2("/w")),
        ("a suffix takes a host far below it", get("/w", host="a.b.shop.test"), _v2("/w")),
        ("the longest suffix wins", get("/d", host="a.eu.shop.test"), _v2("/d")),
        ("the domain is chosen before the routes", get("/w", host="a.eu.shop.test"), NO_ROUTE),
        ("a suffix is no part of a name", get("/", host="xshop.test"), problem("no_virtual_service", 404)),
        ("a host that nobody has", get("/", host="other.test"), problem("no_virtual_service", 404)),
    ),
)
