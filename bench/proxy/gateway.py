"""Coalmine as its users run it: ``coalmine serve``, functions discovered from the upstream's document, routes applied.

Everything that is on by default is on: counters and histograms, deadlines, request ids, health of endpoints, discovery.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.processes import Process, list_family, pin, running, wait_until
from bench.proxy.finding import ROOT
from bench.proxy.upstream import START_SECONDS, answers, free_port, make_document, until

ROUTES = 1_000
NEAR_ROUTE = 500  # of those, the one that most requests take
MAX_CONNECTIONS = 12_000  # so that 10,000 can idle; the others' limits are set alike
ADMIN_SECONDS = 120.0


def make_routes(count: int) -> list[dict[str, Any]]:
    """``count`` routes that each call a function by another method and path, and a few for other cases."""
    routes = [_route(f"pets-{n}", f"/service-{n}/pets/{{id}}", "GET", "feedPet") for n in range(count)]
    return [
        *routes,
        _route("orders", f"/service-{NEAR_ROUTE}/orders", "POST", "addOrder"),
        _route("large", f"/service-{NEAR_ROUTE}/large", "GET", "findLarge"),
        _route("stream", f"/service-{NEAR_ROUTE}/stream", "GET", "findStream"),
    ]


def _route(name: str, path: str, method: str, function: str) -> dict[str, Any]:
    match = {"path": {"template": path}, "methods": [method]}
    return {"name": name, "match": match, "destinations": [{"upstream": "up", "function": function}]}


class Gateway:
    """``coalmine serve`` in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        cores: int | str,
        workers: int = 1,
        python: str | Path = sys.executable,
        more: Sequence[str] = (),
    ) -> None:
        self.port, self.admin, self.folder = port, free_port(), folder
        options = {
            "--proxy": f"127.0.0.1:{port}",
            "--admin": f"127.0.0.1:{self.admin}",
            "--database": f"sqlite:///{folder}/coalmine.db",
            "--workers": str(workers),
            "--max-connections": str(MAX_CONNECTIONS),
        }
        words = [word for option in options.items() for word in option]
        self.command = pin(cores, [str(python), "-m", "coalmine", "serve", *words, *more])
        self.process: Process | None = None

    def start(self, stack: ExitStack) -> Process:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = stack.enter_context(running(self.command, environ=environ, folder=self.folder))
        wait_until(lambda: answers(self.admin, "/readyz"), process, START_SECONDS)
        self.process = process
        return process

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=ADMIN_SECONDS)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path} answered {answer.status}: {told[:200].decode(errors='replace')}")
        return json.loads(told)

    def count_codes(self) -> Counter[str]:
        """Answers by their status and problems by their code, as the gateway itself counts them."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=ADMIN_SECONDS)
        try:
            connection.request("GET", "/metrics")
            return read_codes(connection.getresponse().read().decode())
        finally:
            connection.close()

    def define(self, upstream: int, routes: Iterable[dict[str, Any]]) -> None:
        """The upstream, its functions, then the routes; back when they are served."""
        up = {"name": "up", "endpoints": [f"http://127.0.0.1:{upstream}"]}
        self.ask("POST", "/api/v1/config/apply", {"upstreams": [up]})
        wanted = sum(len(item) for item in make_document()["paths"].values())
        until(
            lambda: self.ask("GET", "/api/v1/upstreams/up/functions")["total"] == wanted,
            START_SECONDS,
            "finding the functions",
        )
        self.ask("POST", "/api/v1/config/apply", {"routes": list(routes)})

    def workers(self) -> list[int]:
        assert self.process is not None
        return list_workers(self.process.pid)


def read_codes(metrics: str) -> Counter[str]:
    pattern = r'^coalmine_(?:requests|problem_replies)_total\{(?:.*,)?code="(\w+)".*\} (\d+)'
    found: Counter[str] = Counter()
    for code, count in re.findall(pattern, metrics, re.MULTILINE):
        found[code] += int(count)
    return found


def list_workers(pid: int) -> list[int]:
    """The processes of a gateway that serve the proxy's port."""
    return [one for one in list_family(pid) if _is_worker(one)]


def _is_worker(pid: int) -> bool:
    try:
        return b"coalmine.serve.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
