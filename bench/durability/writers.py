"""Promise 12: writers at the same time do not overwrite each other, and none is told that the database is locked."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, ask, run_threads, serving

WRITERS = 50
EACH = 4


def run(given: Given) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        yield write_one_route(gateway, given.rounds(EACH))
        yield write_many_routes(gateway, given.rounds(EACH))


def write_one_route(gateway: Serving, each: int) -> Row:
    """Everybody adds one to the number in it, as often as it takes."""
    gateway.put("counter", "0")
    statuses: Counter[int] = Counter()
    run_threads([lambda: _count_up(gateway, each, statuses)] * WRITERS)
    counted = int(gateway.get("/counter").body)
    done = f"{WRITERS} writers of one route, each adds 1 to it {each} times, with If-Match"
    result = f"counted to {counted} of {WRITERS * each}; answers: {_tell(statuses)}"
    return Row("12 No lost update", done, result, counted == WRITERS * each and set(statuses) <= {200, 412})


def _count_up(gateway: Serving, each: int, statuses: Counter[int]) -> None:
    while each:
        found = ask(gateway.admin, "GET", "/api/v1/routes/counter")
        number = int(found.json["direct_response"]["body"])
        status = gateway.put("counter", str(number + 1), if_match=found.etag or "").status
        statuses[status] += 1
        each -= status == 200


def write_many_routes(gateway: Serving, each: int) -> Row:
    statuses: Counter[int] = Counter()

    def write(number: int) -> None:
        for lap in range(each):
            statuses[gateway.put(f"own-{number}", str(lap)).status] += 1

    run_threads([lambda number=number: write(number) for number in range(WRITERS)])  # type: ignore[misc]
    right = sum(gateway.get(f"/own-{number}").body == str(each - 1).encode() for number in range(WRITERS))
    done = f"{WRITERS} writers, each writes a route of its own {each} times"
    result = f"{right} of {WRITERS} routes as written last; answers: {_tell(statuses)}"
    return Row("12 No “database is locked”", done, result, right == WRITERS and set(statuses) <= {200, 201})


def _tell(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
