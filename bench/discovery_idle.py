"""What discovery costs: 1,000 upstreams in the steady state, and the time until 100 new ones are known.

    python -m bench.discovery_idle [upstreams] [interval seconds] [measured seconds]

The services are one process with one port per ten upstreams; half of them answer with an ETag, half without. Printed:
processor time of the worker (parsing process included) in percent of one core, requests, writes and publications.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from coalmine.catalog import Catalog
from coalmine.model import Discovery, Upstream
from discovery.worker import DiscoveryWorker

PATHS = {f"/things{n}/{{id}}": {"get": {"operationId": f"getThing{n}", "parameters": []}} for n in range(20)}
DOCUMENT = json.dumps({"openapi": "3.0.3", "info": {"title": "Things", "version": "1"}, "paths": PATHS}).encode()
ETAG = b'"one"'


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tagged: bool) -> None:
    """As little HTTP as probes need, so that the services cost nothing that looks like ours."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"GET /openapi.json "):
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    elif tagged and ETAG in head:
        writer.write(b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\nConnection: close\r\n\r\n" % ETAG)
    else:
        etag = b"ETag: %s\r\n" % ETAG if tagged else b""
        length = b"Content-Length: %d\r\n" % len(DOCUMENT)
        writer.write(b"HTTP/1.1 200 OK\r\n" + etag + length + b"Connection: close\r\n\r\n" + DOCUMENT)
    await writer.drain()
    writer.close()


async def serve(count: int) -> None:
    ports = []
    for number in range(count):
        server = await asyncio.start_server(
            lambda reader, writer, tagged=number % 2 == 0: answer(reader, writer, tagged), "127.0.0.1", 0
        )
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def cpu_seconds() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def add(catalog: Catalog, prefix: str, count: int, ports: list[int], interval: float) -> None:
    with catalog.write() as writer:
        for number in range(count):
            endpoint = f"http://127.0.0.1:{ports[number % len(ports)]}"
            discovery = Discovery(interval_seconds=interval)
            writer.put_upstream(Upstream(name=f"{prefix}-{number}", endpoints=(endpoint,), discovery=discovery))


async def until_known(catalog: Catalog, count: int) -> float:
    started = time.monotonic()
    while True:
        with catalog.read() as reader:
            if reader.list_functions(limit=1).total >= count * len(PATHS):
                return time.monotonic() - started
        await asyncio.sleep(0.05)


async def measure(catalog: Catalog, ports: list[int], count: int, interval: float, seconds: float) -> None:
    published = 0

    def changed() -> None:
        nonlocal published
        published += 1

    worker = DiscoveryWorker(catalog, changed=changed)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.2)
    add(catalog, "first", 100, ports, interval)
    worker.wake()
    print(f"100 new upstreams known after {await until_known(catalog, 100):.2f} s, {published} publications")
    add(catalog, "more", count - 100, ports, interval)
    worker.wake()
    print(f"{count} upstreams known after {await until_known(catalog, count):.2f} s more")
    await asyncio.sleep(interval)
    published, cpu, started = 0, cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (cpu_seconds() - cpu) / (time.monotonic() - started) * 100
    print(f"steady state, {count} upstreams at {interval:g} s: {share:.2f} % of one core, {published} publications")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(int(sys.argv[2])))
        return
    count, interval, seconds = (float(given) for given in (*sys.argv[1:], *("1000", "30", "60")[len(sys.argv) - 1 :]))
    command = [sys.executable, "-m", "bench.discovery_idle", "serve", str(max(1, int(count) // 10))]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as services,
    ):
        assert services.stdout is not None
        ports = json.loads(services.stdout.readline())
        catalog = Catalog(f"sqlite:///{Path(folder) / 'coalmine.db'}")
        catalog.migrate()
        asyncio.run(measure(catalog, ports, int(count), interval, seconds))
        catalog.close()
        services.kill()


if __name__ == "__main__":
    main()
