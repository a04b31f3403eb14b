"""Promises 26 and 27: 1,000 upstreams with 100 functions each, 10,000 routes, and functions that vanish."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, ask, serving, wait_until
from bench.function_listing import NOW, make_function
from coalmine.catalog import Catalog
from coalmine.model import Discovery, ProbeReport, Route, Upstream

UPSTREAMS = 1_000
FUNCTIONS = 100
ROUTES = 10_000
ROUNDS = 50
LONGEST_MS = 500.0
LONGEST_START = 10.0


def run(given: Given) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        upstreams = given.rounds(UPSTREAMS)
        fill(Path(folder) / "c.db", upstreams, given.rounds(ROUTES))
        with serving(Path(folder)) as gateway:
            gateway.stop()
            seconds = gateway.start_and_wait()
            yield from ask_for_lists(gateway, upstreams, given.rounds(ROUTES), seconds)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        yield lose_a_function(gateway)


def fill(database: Path, upstreams: int, routes: int) -> None:
    catalog = Catalog(f"sqlite:///{database}")
    catalog.migrate()
    with catalog.write() as writer:
        for number in range(upstreams):
            name = f"service-{number}"
            off = Discovery(enabled=False)
            writer.put_upstream(Upstream(name=name, endpoints=("http://127.0.0.1:9",), discovery=off))
            functions = [make_function(name, one) for one in range(FUNCTIONS)]
            report = ProbeReport(upstream=name, state="discovered", functions=FUNCTIONS, last_success_at=NOW)
            writer.save_discovery(name, functions=functions, report=report, documents=None)
        for number in range(routes):
            writer.put_route(make_route(number, upstreams))
    catalog.close()


def make_route(number: int, upstreams: int) -> Route:
    target = {"upstream": f"service-{number % upstreams}", "function": f"updateThing{number // upstreams % FUNCTIONS}"}
    match = {"path": {"prefix": f"/r{number}"}}
    return Route.model_validate({"name": f"r{number}", "match": match, "destinations": [target]})


def ask_for_lists(gateway: Serving, upstreams: int, routes: int, seconds: float) -> Iterator[Row]:
    size = f"{upstreams} upstreams with {FUNCTIONS} functions each, {routes} routes"
    started = f"ready after {seconds:.1f} s"
    yield Row("27 Starts with many", f"`coalmine serve` with {size}", started, seconds <= LONGEST_START)
    for path in ("upstreams", "functions", "routes", f"functions?q={FUNCTIONS - 1}", "problems"):
        times = sorted(_time(gateway, f"/api/v1/{path}") for _ in range(ROUNDS))
        worst = times[-1 - len(times) // 100]
        result = f"median {statistics.median(times):.0f} ms, p99 {worst:.0f} ms"
        yield Row("27 Lists many", f"{ROUNDS} × GET {path} with {size}", result, worst <= LONGEST_MS)


def _time(gateway: Serving, path: str) -> float:
    started = time.perf_counter()
    assert ask(gateway.admin, "GET", path).status == 200, path
    return (time.perf_counter() - started) * 1000


# A function that leaves its document -------------------------------------------------------------------


def lose_a_function(gateway: Serving) -> Row:
    """Its route answers by itself, and the wider route behind it, which goes elsewhere, never gets its requests."""
    _document(gateway, "findPets", "findPetById")
    ask(gateway.admin, "POST", "/api/v1/routes", {"name": "wide", **_answering("/", "elsewhere")})
    calls = {"destinations": [{"upstream": "pets", "function": "findPets"}]}
    ask(gateway.admin, "POST", "/api/v1/routes", {"name": "narrow", "match": {"path": {"prefix": "/pets"}}, **calls})
    seen = [_look(gateway)]
    _document(gateway, "findPetById")
    wait_until(lambda: _problems(gateway) == ["function_removed"], "the function does not vanish")
    seen.append(_look(gateway))
    ask(gateway.admin, "DELETE", "/api/v1/upstreams/pets?force=true")
    seen.append(_look(gateway))
    result = f"before, without the function, without the upstream: {'; '.join(seen)}"
    kept = all("elsewhere" not in one for one in seen) and "upstream_missing" in seen[-1]
    return Row("26 A vanished function's route does not fall through", "a wider route stands behind it", result, kept)


def _answering(prefix: str, text: str) -> dict[str, Any]:
    return {"match": {"path": {"prefix": prefix}}, "direct_response": {"status": 200, "body": text}}


def _document(gateway: Serving, *names: str) -> None:
    paths = {f"/{name}": {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}} for name in names}
    text = json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths})
    body = {"name": "pets", "endpoints": ["http://127.0.0.1:9"], "discovery": {"document": text}}
    answer = ask(gateway.admin, "PUT", "/api/v1/upstreams/pets", body)
    assert answer.status in (200, 201), answer
    active = "/api/v1/functions?upstream=pets&state=active"
    wait_until(lambda: ask(gateway.admin, "GET", active).json["total"] == len(names), "the document is not read")


def _problems(gateway: Serving) -> list[str]:
    return [one["code"] for one in ask(gateway.admin, "GET", "/api/v1/problems").json["items"]]


def _look(gateway: Serving) -> str:
    answer = gateway.get("/pets")
    return answer.json["code"] if answer.body.startswith(b"{") else f"{answer.status} {answer.body.decode()}"
