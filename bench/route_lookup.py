"""What finding a route costs, by the number of routes: it must not grow.

    python bench/route_lookup.py [--check]

One row per kind of table, one column per size; microseconds for one ``match`` of a request that one of the routes
takes, averaged over routes all over the table, the best of several rounds. The ratio is that of the largest table to
the smallest; ``--check`` ends with status 1 where one exceeds 2.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from coalmine.model import Route
from coalmine.routing.decision import RequestHead
from coalmine.routing.order import order_routes
from coalmine.routing.snapshot import ServedRoute, ServedVirtualService, make_snapshot
from coalmine.routing.table import RouteTable

SIZES = (10, 1_000, 10_000)
ROUNDS = 25
CALLS = 2_000
LARGEST_RATIO = 2.0
RETRIES = 3  # a neighbour that wants the memory for itself spoils the largest table first
# What a browser sends besides: conditions have to look past these.
HEADERS = [
    (b"host", b"example.com"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, br"),
    (b"accept-language", b"en"),
    (b"cookie", b"a=b"),
]

Case = Callable[[int], tuple[dict[str, Any], RequestHead]]  # number of a route: its match, a request for it


def prefix(number: int) -> tuple[dict[str, Any], RequestHead]:
    return {"path": {"prefix": f"/service/v{number}"}}, RequestHead(
        "GET", f"/service/v{number}/pets/7", headers=HEADERS
    )


def exact(number: int) -> tuple[dict[str, Any], RequestHead]:
    return {"path": {"exact": f"/service/v{number}"}}, RequestHead("GET", f"/service/v{number}", headers=HEADERS)


def template(number: int) -> tuple[dict[str, Any], RequestHead]:
    match = {"path": {"template": f"/service/v{number}/pets/{{id}}"}, "methods": ["GET"]}
    return match, RequestHead("GET", f"/service/v{number}/pets/7", headers=HEADERS)


def prefix_and_header(number: int) -> tuple[dict[str, Any], RequestHead]:
    match = {"path": {"prefix": f"/service/v{number}"}, "headers": [{"name": "x-canary", "exact": "true"}]}
    headers = [*HEADERS, (b"x-canary", b"true")]
    return match, RequestHead("GET", f"/service/v{number}/pets/7", headers=headers)


def header_values(number: int) -> tuple[dict[str, Any], RequestHead]:
    match = {"path": {"prefix": "/service"}, "headers": [{"name": "x-user", "exact": f"user-{number}"}]}
    return match, RequestHead("GET", "/service/pets/7", headers=[*HEADERS, (b"x-user", b"user-%d" % number)])


def priorities(number: int) -> tuple[dict[str, Any], RequestHead]:
    match, head = (prefix, exact, template)[number % 3](number)
    return {**match, "priority": number}, head


CASES: dict[str, Case] = {
    "prefix": prefix,
    "exact": exact,
    "template": template,
    "prefix and header": prefix_and_header,
    "header values on one path": header_values,
    "mixed, a priority each": priorities,
}


def make_route(number: int, match: dict[str, Any]) -> Route:
    rest = {key: value for key, value in match.items() if key != "priority"}
    return Route.model_validate(
        {
            "name": f"r{number}",
            "match": rest,
            "priority": match.get("priority", 0),
            "direct_response": {"status": 200},
        }
    )


Match = Callable[[RequestHead], object]


def prepare(case: Case, size: int) -> tuple[Match, list[RequestHead], float]:
    """A compiled table, requests for its routes, and the seconds that compiling took."""
    routes = order_routes(make_route(number, case(number)[0]) for number in range(size))
    served = ServedVirtualService("bench", ("*",), tuple(map(ServedRoute, routes)))
    snapshot = make_snapshot((), (served,))
    started = time.perf_counter()
    service = RouteTable.compile(snapshot).virtual_services[0]
    compiling = time.perf_counter() - started
    heads = [case(number)[1] for number in random.Random(1).choices(range(size), k=CALLS)]
    assert all(service.match(head) is not None for head in heads)
    return service.match, heads, compiling


def measure(case: Case, size: int) -> tuple[float, float]:
    """Microseconds of one match in the best round, and seconds that compiling took.

    One table at a time: what a growing table costs beyond the steps of a lookup are misses of the processor's caches,
    and tables that take turns would only measure those.
    """
    match, heads, compiling = prepare(case, size)
    gc.collect()
    gc.freeze()  # what is long-lived here is long-lived in a worker too
    return min(time_once(match, heads) for _ in range(ROUNDS)) / CALLS * 1e6, compiling


def time_once(match: Match, heads: list[RequestHead]) -> float:
    started = time.process_time()
    for head in heads:
        match(head)
    return time.process_time() - started


def main(arguments: list[str]) -> int:
    print(f"{'microseconds per lookup':28}" + "".join(f"{size:>10,}" for size in SIZES) + "     ratio   compile")
    worst = 0.0
    for name, case in CASES.items():
        results = [measure(case, size) for size in SIZES]
        for _ in range(RETRIES):
            if results[-1][0] > LARGEST_RATIO * results[0][0]:
                results = [min(result, measure(case, size)) for result, size in zip(results, SIZES, strict=True)]
        ratio = results[-1][0] / results[0][0]
        worst = max(worst, ratio)
        row = "".join(f"{microseconds:10.2f}" for microseconds, _ in results)
        print(f"{name:28}{row}{ratio:10.2f}{results[-1][1]:8.2f} s")
    return int("--check" in arguments and worst > LARGEST_RATIO)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
