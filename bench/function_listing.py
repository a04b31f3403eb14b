"""How long the admin API takes for one page of 10,000 functions, over HTTP.

    python -m bench.function_listing [--check] [functions]

The catalog is filled with ten upstreams; then pages are asked for as people and the command line do: the first, one in
the middle, filtered and searched. ``--check`` ends with status 1 where a page takes 50 ms or more at the median.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from bench.write_to_served import gateway_on
from coalmine.catalog import Catalog
from coalmine.model import Discovery, Function, Parameter, ProbeReport, RequestBody, Response, Upstream

UPSTREAMS = 10
ROUNDS = 30
LONGEST_MS = 50.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {f"field{n}": {"type": "string", "maxLength": 80} for n in range(12)}}


def make_function(upstream: str, number: int) -> Function:
    return Function(
        upstream=upstream,
        name=f"updateThing{number}",
        method="PUT" if number % 3 == 0 else "GET",
        path=f"/api/things{number}/{{id}}",
        parameters=(
            Parameter(name="id", place="path", required=True, style="simple", schema_={"type": "integer"}),
            Parameter(name="limit", place="query", schema_={"type": "integer"}, description="how many at once"),
        ),
        request_body=RequestBody(content_types=("application/json",), schema_=SCHEMA),
        responses=(Response(status="200", content_types=("application/json",), schema_=SCHEMA),),
        summary=f"Updates the thing of kind {number}",
        tags=("thing", f"tag{number % 10}"),
        first_seen=NOW,
        last_seen=NOW,
    )


def fill(database: Path, count: int) -> None:
    catalog = Catalog(f"sqlite:///{database}")
    catalog.migrate()
    for number in range(UPSTREAMS):
        name = f"service-{number}"
        functions = [make_function(name, one) for one in range(count // UPSTREAMS)]
        report = ProbeReport(upstream=name, state="discovered", functions=len(functions), last_success_at=NOW)
        with catalog.write() as writer:
            writer.put_upstream(
                Upstream(name=name, endpoints=("http://127.0.0.1:9",), discovery=Discovery(enabled=False))
            )
            writer.save_discovery(name, functions=functions, report=report, documents=None)
    catalog.close()


def find_cursor(connection: http.client.HTTPConnection, pages: int) -> str:
    cursor = ""
    for _ in range(pages):
        connection.request("GET", f"/api/v1/functions?limit=1000{cursor and f'&cursor={cursor}'}")
        cursor = quote(json.loads(connection.getresponse().read())["next_cursor"])
    return cursor


def measure(admin: int, count: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    cases = {
        "the first page of 100": "?limit=100",
        "a page of 100 in the middle": f"?limit=100&cursor={find_cursor(connection, count // 2000)}",
        "100 of one upstream": "?limit=100&upstream=service-5",
        "100 of one tag": "?limit=100&tag=tag7",
        "a search with few results": f"?limit=100&q=kind+{count // UPSTREAMS - 1}",
        "the longest page (1,000)": "?limit=1000",
    }
    medians = []
    for name, query in cases.items():
        times, size = [], 0
        for _ in range(ROUNDS):
            started = time.perf_counter()
            connection.request("GET", f"/api/v1/functions{query}")
            size = len(connection.getresponse().read())
            times.append((time.perf_counter() - started) * 1000)
        median = statistics.median(times)
        print(f"{name}: median {median:.1f} ms, worst {max(times):.1f} ms, {size / 1000:.0f} kB")
        medians.append(median)
    return medians[:-1]  # the longest page is ten pages


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("functions", nargs="?", type=int, default=10_000)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        fill(Path(folder) / "coalmine.db", given.functions)
        with gateway_on(Path(folder), workers=1) as (_, admin):
            medians = measure(admin, given.functions)
    return int(given.check and max(medians) >= LONGEST_MS)


if __name__ == "__main__":
    sys.exit(main())
