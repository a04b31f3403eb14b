"""A canary taken through all its steps under load: not one request may fail, and each step holds when it is answered.

    python -m bench.canary_under_load [--check] [--workers N] [--clients N] [--seconds S]

Starts two pet stores and a gateway of its own. Clients ask for /findPets without a pause over connections that stay
open, one in ten as a tester with the header; every answer is compared with what the versions say, byte for byte.
Whatever else comes (another status or body, a closed connection, silence) is a failure. Requests that are under way
while a step is taken count as "changing": they may get either version, and must not fail. All others were sent after
the answer to the step, so testers must get the new version. ``--check`` ends with status 1 where one does not, or
fails.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.write_to_served import ask, gateway

V1, V2 = "default-petstore-v1-8080", "default-petstore-v2-8080"
HEADER = {"name": "x-canary", "exact": "true"}
PATIENCE_SECONDS = 10.0  # for an answer; then the request has failed
TESTERS = 10  # one client of so many
FEW = 5  # failures that are shown

# What is asked of /canaries, and which version testers get then.
STEPS: tuple[tuple[str, str, Any, str], ...] = (
    ("start --header", "", {"route": "bench/findPets", "upstream": V2, "header": HEADER}, "v2"),
    ("shift 10", "/find-pets/shift", {"percent": 10}, "v2"),
    ("shift 50", "/find-pets/shift", {"percent": 50}, "v2"),
    ("promote", "/find-pets/promote", None, "v2"),
    ("start again, 30 % v1", "", {"route": "bench/findPets", "upstream": V1, "header": HEADER, "percent": 30}, "v1"),
    ("abort", "/find-pets/abort", None, "v2"),
)


@dataclass
class Tally:
    """Answers by phase and version; testers apart."""

    phase: str = "changing"
    others: dict[str, Counter[str]] = field(default_factory=dict)
    testers: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    bodies: dict[bytes, str] = field(default_factory=dict)

    def add(self, phase: str, tester: bool, status: bytes, body: bytes) -> None:
        version = self.bodies.get(body) if status == b"200" else None
        if version is None:
            self.failures.append(f"{phase}: {status.decode()} {body[:200]!r}")
        else:
            # A step that was taken meanwhile may show in the answer.
            phase = phase if phase == self.phase else "changing"
            (self.testers if tester else self.others).setdefault(phase, Counter())[version] += 1


async def keep_asking(port: int, number: int, tally: Tally, stop: asyncio.Event) -> None:
    """One client, over one connection for as long as it lasts."""
    tester = number % TESTERS == 0
    request = b"GET /findPets HTTP/1.1\r\nhost: bench\r\n" + (b"x-canary: true\r\n" if tester else b"") + b"\r\n"
    while not stop.is_set():
        phase = tally.phase
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            tally.failures.append(f"{phase}: {error!r}")
            await asyncio.sleep(0.05)
            continue
        try:
            while not stop.is_set():
                phase = tally.phase
                writer.write(request)
                status, body, last = await asyncio.wait_for(read_answer(reader), PATIENCE_SECONDS)
                tally.add(phase, tester, status, body)
                if last:
                    break
        except (OSError, EOFError, TimeoutError) as error:
            tally.failures.append(f"{phase}: {error!r}")
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bool]:
    """Status, body, and whether the gateway closes the connection after it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head[9:12], await reader.readexactly(length), b"\r\nconnection: close" in head


@contextmanager
def petstore(version: str) -> Iterator[int]:
    """Its port."""
    folder = Path(__file__).parent.parent / "examples" / "petstore"
    command = [sys.executable, str(folder), "--version", version, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.terminate()


def call(admin: int, path: str, body: Any = None, method: str = "POST") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
    status, answer = ask(connection, method, f"/api/v1{path}", body)
    connection.close()
    if status >= 300:
        raise SystemExit(f"{method} {path}: {status} {answer.decode()}")


def prepare(admin: int, ports: dict[str, int]) -> None:
    for name, port in ports.items():
        call(admin, "/upstreams", {"name": name, "endpoints": [f"http://127.0.0.1:{port}"]})
        call(admin, f"/upstreams/{name}/probe")
    call(admin, "/virtual-services", {"name": "bench"})
    match, destination = {"path": {"prefix": "/findPets"}}, {"upstream": V1, "function": "findPets"}
    route = {"name": "find-pets", "virtual_service": "bench", "match": match, "destinations": [destination]}
    call(admin, "/routes", route)


def fetch_bodies(ports: dict[str, int]) -> dict[bytes, str]:
    """What each version answers when it is asked directly."""
    bodies = {}
    for name, port in ports.items():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        bodies[ask(connection, "GET", "/api/pets")[1]] = "v1" if name == V1 else "v2"
        connection.close()
    return bodies


async def run(proxy: int, admin: int, tally: Tally, clients: int, seconds: float) -> list[tuple[str, float]]:
    """The steps under load; the phases with the milliseconds that their step took."""
    stop = asyncio.Event()
    asking = [asyncio.create_task(keep_asking(proxy, number, tally, stop)) for number in range(clients)]
    tally.phase = "before"
    phases = [("before", 0.0)]
    await asyncio.sleep(seconds)
    for name, path, body, _ in STEPS:
        tally.phase = "changing"
        started = time.perf_counter()
        await asyncio.to_thread(call, admin, f"/canaries{path}", body)
        phases.append((name, (time.perf_counter() - started) * 1000))
        tally.phase = name
        await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*asking)
    return phases


def report(tally: Tally, phases: list[tuple[str, float]]) -> None:
    print("| step | taken in | others: v1 | v2 | share of v2 | testers: v1 | v2 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, taken in [*phases, ("changing", 0.0)]:
        others, testers = tally.others.get(name, Counter()), tally.testers.get(name, Counter())
        share = 100 * others["v2"] / max(1, others.total())
        cells = [name, f"{taken:.0f} ms" if taken else "", others["v1"], others["v2"], f"{share:.2f} %"]
        print("| " + " | ".join(map(str, [*cells, testers["v1"], testers["v2"]])) + " |")
    total = sum(one.total() for one in [*tally.others.values(), *tally.testers.values()])
    print(f"{total} requests, {len(tally.failures)} failed")
    for failure in tally.failures[:FEW]:
        print(f"  {failure}")


def find_wrong(tally: Tally) -> list[str]:
    """Steps after whose answer testers got the other version."""
    return [name for name, _, _, version in STEPS if set(tally.testers.get(name, ())) != {version}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load between two steps")
    given = parser.parse_args()
    with petstore("v1") as first, petstore("v2") as second, gateway(given.workers) as (proxy, admin):
        ports = {V1: first, V2: second}
        prepare(admin, ports)
        tally = Tally(bodies=fetch_bodies(ports))
        phases = asyncio.run(run(proxy, admin, tally, given.clients, given.seconds))
    report(tally, phases)
    wrong = find_wrong(tally)
    if wrong:
        print(f"testers got the other version after: {', '.join(wrong)}")
    return int(given.check and bool(wrong or tally.failures))


if __name__ == "__main__":
    sys.exit(main())
