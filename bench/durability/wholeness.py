"""Promises 2, 3 and 4: a change is whole or absent, a refused one leaves everything up, an answered one is served."""

from __future__ import annotations

import http.client
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, ask, route, serving
from bench.write_to_served import LOOKS, stale, write

BATCH = 20
REFUSED = 50
WRITES = 1_000
_INVALID: tuple[dict[str, Any], ...] = (
    {"match": {"path": {"prefix": "no slash"}}, "direct_response": {}},
    {"match": {"path": {"regex": "("}}, "direct_response": {}},
    {"match": {"path": {"prefix": "/x"}}, "destinations": [{"upstream": "nobody"}]},
    {"match": {"path": {"prefix": "/x"}}, "direct_response": {}, "nonsense": 1},
    {},
)


def run(given: Given) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        yield apply_a_faulty_batch(gateway)
        yield refuse_many(gateway)
        yield write_and_ask(gateway, given.rounds(WRITES))


def apply_a_faulty_batch(gateway: Serving) -> Row:
    good = [route(f"b{number}", "A") for number in range(BATCH)]
    ask(gateway.admin, "POST", "/api/v1/config/apply", {"routes": good})
    before = _state(gateway)
    other = [route(f"b{number}", "B") for number in range(BATCH)]
    answer = ask(gateway.admin, "POST", "/api/v1/config/apply", {"routes": [*other, {"name": "bad", **_INVALID[0]}]})
    same = _state(gateway) == before
    served = sum(gateway.get(f"/b{number}").body == b"A" for number in range(BATCH))
    told = ", ".join(error["pointer"] for error in answer.json["errors"])
    result = f"{answer.status} at {told}; configuration {'unchanged' if same else 'changed'}"
    result += f", {served} of {BATCH} served as before"
    done = f"{BATCH} valid routes and an invalid one at the end, in one apply"
    return Row("2 Complete or absent", done, result, answer.status == 422 and same and served == BATCH)


def _state(gateway: Serving) -> tuple[Any, Any]:
    revisions = ask(gateway.admin, "GET", "/api/v1/revisions?limit=1").json["total"]
    return ask(gateway.admin, "GET", "/api/v1/config").json, revisions


def refuse_many(gateway: Serving) -> Row:
    before, refused, up, served = _state(gateway), 0, 0, 0
    for number in range(REFUSED):
        body = _INVALID[number % len(_INVALID)]
        refused += ask(gateway.admin, "PUT", f"/api/v1/routes/b{number % BATCH}", body).status == 422
        up += ask(gateway.admin, "GET", "/api/v1/routes").status == 200
        served += gateway.get(f"/b{number % BATCH}").body == b"A"
    same = _state(gateway) == before
    done = f"{REFUSED} invalid PUTs of routes that are served, after each a GET of both sides"
    result = f"{refused} × 422; admin answers {up} of {REFUSED}, proxy {served} of {REFUSED}; " + (
        "nothing changed" if same else "something changed"
    )
    return Row("3 A refused change leaves everything up", done, result, refused == up == served == REFUSED and same)


def write_and_ask(gateway: Serving, writes: int) -> Row:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin, timeout=60)
    times, old = [], 0
    for number in range(writes):
        times.append(write(connection, str(number)))
        old += stale(gateway.proxy, str(number))
    done = f"{writes} × PUT, then at once {LOOKS} requests on fresh connections to 2 workers"
    result = f"{old} of {writes * LOOKS} answers stale;"
    result += f" a write takes {statistics.median(times):.1f} ms (median), {max(times):.0f} ms (worst)"
    return Row("4 Live when the API says so", done, result, old == 0)
