"""Rows: rate limits. Rows with ``earlier`` requests are about the one after them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.case import Answer, Call, Case, ask, define, get, problem, route, rows, to

SLOW = {"requests": 2, "per_seconds": 3600}
FOUND = Call("v1", "GET", "/api/pets")


def refused(*headers: tuple[str, str]) -> Answer:
    told = (("retry-after", "1800"), ("ratelimit-policy", '"*'), *headers)
    return replace(problem("rate_limited", 429), headers=(("content-type", "application/problem+json"), *told))


def limited(name: str, earlier: int, request: Any, expected: Any, **more: Any) -> Case:
    limit = {**SLOW, **more.pop("limit", {})}
    definitions = define(route("limited", "/pets", to("v1", "findPets"), rate_limit=limit, **more))
    (case,) = rows("rate limit", definitions, (name, request, expected))
    return replace(case, earlier=earlier)


CORS = {"allow_origins": ["https://app.test"], "allow_methods": ["GET"]}
HEADER = {"by": {"header": "X-User"}}
RATE_LIMIT = (
    limited("the first request passes", 0, get("/pets"), FOUND),
    limited("as many as the limit says pass at once", 1, get("/pets"), FOUND),
    limited("the next one is refused and told when to come back", 2, get("/pets"), refused()),
    limited("what is refused costs nothing more", 5, get("/pets"), refused()),
    limited("a burst may be larger than the limit", 3, get("/pets"), FOUND, limit={"burst": 4}),
    limited("a burst ends, too", 4, get("/pets"), refused(), limit={"burst": 4}),
    limited("each value of a header has a limit", 2, get("/pets", x_user="ann"), refused(), limit=HEADER),
    limited("requests without the header share one", 2, get("/pets"), refused(), limit=HEADER),
    limited("each address has a limit", 2, get("/pets"), refused(), limit={"by": {"source_address": True}}),
    limited(
        "a browser may read the refusal",
        2,
        get("/pets", origin="https://app.test"),
        refused(("access-control-allow-origin", "https://app.test")),
        cors=CORS,
    ),
    limited(
        "preflights are not counted",
        5,
        ask("OPTIONS", "/pets", origin="https://app.test", access_control_request_method="GET"),
        Answer(204),
        cors=CORS,
    ),
    limited("a fault is injected only into what passes", 2, get("/pets"), refused(), fault={"abort_status": 500}),
)
