"""What a call of a function costs over a plain forward.

    python -m bench.function_call [--rounds N] [--seconds S] [--write]

Twice: in this process, the decision and the head that is written for the upstream, without any input or output; and
through ``coalmine serve``, the gateway's processor time for a request, all its processes together. Both by the same
snapshot, which the gateway stored: 1,000 routes and those of the cases, functions read from a document. ``--write``
puts the figures into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import PROXY_CORE, end_on_sigterm
from bench.proxy.cases import BROWSER, Case, Sample, measure
from bench.proxy.field import median, say
from bench.proxy.gateway import ROUTES, Gateway, make_routes
from bench.proxy.upstream import free_port, start_upstream, wait_for
from bench.report import describe_machine, describe_moment, table, write_part
from coalmine.feed import read_snapshot_file
from coalmine.routing.decide import decide
from coalmine.routing.decision import Forward, ReadBody
from coalmine.routing.snapshot import Snapshot
from coalmine.settings import Settings
from proxy.embedded import Engine, EngineOptions
from proxy.embedded.forwarding import write_request_head
from proxy.embedded.request import Request, parse_request

CALLS = 2_000
TURNS = 15  # of all cases in this process; the best of each counts
AUTHORITY, REQUEST_ID = b"127.0.0.1:9001", b"0123456789abcdef0123456789abcdef"
ORDER = '{"customer": "ann", "pet": {"id": 7, "name": "Tom"}, "count": 2}'
HEADERS = {**BROWSER, "x-user": "ann"}
POSTED = {**HEADERS, "Content-Type": "application/json"}


@dataclass(frozen=True)
class Call:
    """``over`` is the plain forward that it is compared with; ``target`` what the upstream has to be asked for.

    ``{n}`` is another number in every request.
    """

    name: str
    route: dict[str, Any]
    path: str
    target: str
    over: str = "plain forward"
    body: str = ""

    @property
    def case(self) -> Case:
        return Case(self.name, self.path, POSTED if self.body else HEADERS, self.body)


def _to(function: str | None, **parameters: str) -> list[dict[str, Any]]:
    return [{"upstream": "up", **({"function": function, "parameters": parameters} if function else {})}]


CALLS_COMPARED = (
    Call(
        "plain forward",
        {"match": {"path": {"prefix": "/plain"}}, "rewrite": {"prefix": "/api/pets"}, "destinations": _to(None)},
        "/plain/{n}",
        "/api/pets/{n}",
    ),
    Call(
        "path parameter",
        {"match": {"path": {"template": "/by-path/{id}"}}, "destinations": _to("findPet")},
        "/by-path/{n}",
        "/api/pets/{n}",
    ),
    Call(
        "query parameter",
        {"match": {"path": {"exact": "/by-query"}}, "destinations": _to("findPets")},
        "/by-query?limit={n}",
        "/api/pets?limit={n}",
    ),
    Call(
        "header template",
        {"match": {"path": {"exact": "/by-header"}}, "destinations": _to("findPets", **{"x-token": "{header.x-user}"})},
        "/by-header?n={n}",
        "/api/pets?n={n}",
    ),
    Call(
        "plain forward of a POST",
        {"match": {"path": {"prefix": "/post"}}, "rewrite": {"prefix": "/api/pets"}, "destinations": _to(None)},
        "/post/{n}",
        "/api/pets/{n}",
        "plain forward of a POST",
        ORDER,
    ),
    Call(
        "body template",
        {"match": {"path": {"exact": "/by-body"}}, "destinations": _to("findPet", id="{body.pet.id}")},
        "/by-body?n={n}",
        "/api/pets/7?n={n}",
        "plain forward of a POST",
        ORDER,
    ),
)


def list_routes() -> list[dict[str, Any]]:
    own = [{"name": call.name.lower().replace(" ", "-"), **call.route} for call in CALLS_COMPARED]
    return [*make_routes(ROUTES), *own]


# In this process


def make_caller(snapshot: Snapshot) -> Callable[[Request, bytes], bytes]:
    """A function that decides about a request and writes the head for the upstream, as the engine does."""
    engine = Engine(EngineOptions.from_settings(Settings()))
    engine.apply(snapshot)
    served = engine.served

    def call(request: Request, body: bytes) -> bytes:
        decision = decide(served.table, request, engine.draw, limits=engine.limits)
        if isinstance(decision, ReadBody):
            decision = decision.resume(body)
        assert isinstance(decision, Forward), decision
        return write_request_head(decision, request, served.lanes.find(decision), AUTHORITY, REQUEST_ID)

    return call


def parse(call: Call, number: int) -> Request:
    method = "POST" if call.body else "GET"
    length = {"Content-Length": str(len(call.body))} if call.body else {}
    fields = {"Host": "bench.test", **call.case.headers, **length}
    path = call.path.replace("{n}", str(number))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    request = parse_request("\r\n".join(lines).encode() + b"\r\n\r\n", "127.0.0.1")
    assert isinstance(request, Request), request
    return request


def time_calls(snapshot: Snapshot) -> dict[str, float]:
    """Microseconds, by the name of the call."""
    caller, best = make_caller(snapshot), {call.name: float("inf") for call in CALLS_COMPARED}
    for call in CALLS_COMPARED:
        head = caller(parse(call, 8), call.body.encode())
        assert head.split()[1] == call.target.replace("{n}", "8").encode(), head
    gc.collect()
    gc.freeze()
    for _ in range(TURNS):
        for call in CALLS_COMPARED:
            best[call.name] = min(best[call.name], _time_once(caller, call))
    return best


def _time_once(caller: Callable[[Request, bytes], bytes], call: Call) -> float:
    requests, body = [parse(call, number) for number in range(CALLS)], call.body.encode()
    started = time.process_time()
    for request in requests:
        caller(request, body)
    return (time.process_time() - started) / CALLS * 1e6


# Through a gateway


def measure_calls(rounds: int, seconds: int) -> tuple[dict[str, list[Sample]], Snapshot]:
    samples: dict[str, list[Sample]] = {call.name: [] for call in CALLS_COMPARED}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the upstream's workers may be somebody else
        upstream, port = start_upstream(folder, stack)
        gateway = Gateway(folder, free_port(), cores=PROXY_CORE)
        process = gateway.start(stack)
        gateway.define(port, list_routes())
        wait_for(process, gateway.port, "/plain/7")
        for number in range(rounds + 1):
            for call in CALLS_COMPARED:
                say(f"{call.name}, {f'round {number}' if number else 'warming up'}")
                sample = measure(call.case, process.pid, gateway.port, upstream.pid, seconds if number else 1, folder)
                samples[call.name] += [sample] if number else []
        snapshot = read_snapshot_file(folder / "coalmine.db.snapshot.json")
    assert snapshot is not None
    return samples, snapshot


def describe(samples: dict[str, list[Sample]], best: dict[str, float]) -> list[str]:
    head = ["", "in process, us", "over the plain forward", "through a gateway, us of processor"]
    rows = []
    for call in CALLS_COMPARED:
        runs, plain = samples[call.name], samples[call.over]
        inside = best[call.name] - best[call.over]
        outside = median(a.cost - b.cost for a, b in zip(runs, plain, strict=True))
        errors = sum(run.errors.total() for run in runs)
        rows.append(
            [
                call.name,
                f"{best[call.name]:.1f}",
                f"{inside:+.1f}" if call.name != call.over else "",
                f"{median(run.cost for run in runs):.1f}" + (f", {errors} errors" if errors else ""),
                f"{outside:+.1f}" if call.name != call.over else "",
            ]
        )
    return table([*head, "over the plain forward"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()
    before = os.getloadavg()[0]
    samples, snapshot = measure_calls(given.rounds, given.seconds)
    lines = describe(samples, time_calls(snapshot))
    moment = f"{describe_moment('make bench-function-call', before)} ({describe_machine()})"
    print("\n".join([moment, "", *lines]))
    if given.write:
        write_part("function call", [moment, "", *lines])


if __name__ == "__main__":
    main()
