"""How long a write to the admin API takes until every worker serves it.

    python bench/write_to_served.py [--check] [--workers N] [--routes N]

Starts a gateway of its own. Each of 200 writes replaces one route; its time is from sending the PUT to its answer,
because a write answers when the workers serve it. That this is true is looked at after each: fresh connections, enough
to reach every worker, must all get the new answer. ``--check`` ends with status 1 where the worst write takes longer
than 50 ms or one answer is stale.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

WRITES = 200
LONGEST_MS = 50.0
LOOKS = 8  # connections after each write: the kernel spreads them over the workers
START_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_for_port(port: int) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


@contextmanager
def gateway(workers: int) -> Iterator[tuple[int, int]]:
    """The ports of a gateway that is ready: proxy, admin."""
    with tempfile.TemporaryDirectory() as directory, gateway_on(Path(directory), workers=workers) as ports:
        yield ports


@contextmanager
def gateway_on(folder: Path, *, workers: int) -> Iterator[tuple[int, int]]:
    """A gateway whose catalog lies in ``folder``."""
    proxy, admin = free_port(), free_port()
    addresses = ["--proxy", f"127.0.0.1:{proxy}", "--admin", f"127.0.0.1:{admin}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "coalmine", "serve", *addresses, "--workers", str(workers)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(admin)
        yield proxy, admin
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(admin: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if ask(http.client.HTTPConnection("127.0.0.1", admin, timeout=5), "GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("the gateway does not become ready")
        time.sleep(0.05)


def fill(connection: http.client.HTTPConnection, count: int) -> None:
    """``count`` other routes, in one request."""
    routes = [
        {"name": f"other-{number}", "match": {"path": {"prefix": f"/other/{number}"}}, "direct_response": {}}
        for number in range(count)
    ]
    if routes:
        status, body = ask(connection, "POST", "/api/v1/config/apply", {"routes": routes})
        assert status in (200, 201), body


def write(connection: http.client.HTTPConnection, text: str) -> float:
    """Milliseconds."""
    route = {"name": "bench", "match": {"path": {"exact": "/bench"}}, "direct_response": {"status": 200, "body": text}}
    started = time.perf_counter()
    status, body = ask(connection, "PUT", "/api/v1/routes/bench", route)
    taken = (time.perf_counter() - started) * 1000
    assert status in (200, 201), body
    return taken


def stale(proxy: int, text: str) -> int:
    """How many of ``LOOKS`` fresh connections do not get ``text``."""
    found = 0
    for _ in range(LOOKS):
        connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=10)
        found += ask(connection, "GET", "/bench") != (200, text.encode())
        connection.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--routes", type=int, default=100)
    given = parser.parse_args()
    with gateway(given.workers) as (proxy, admin):
        connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
        fill(connection, given.routes)
        write(connection, "warm")
        times, old = [], 0
        for number in range(WRITES):
            times.append(write(connection, str(number)))
            old += stale(proxy, str(number))
    print(f"{given.routes} routes, {given.workers} workers, {WRITES} writes:", end=" ")
    print(f"median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms,", end=" ")
    print(f"{old} of {WRITES * LOOKS} answers stale")
    return int(given.check and (max(times) > LONGEST_MS or old > 0))


if __name__ == "__main__":
    sys.exit(main())
