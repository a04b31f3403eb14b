"""A live gateway, a process of its own, between sockets: mutated requests from clients, mutated answers to them.

What is checked: the process lives and answers a plain request at once; no connection hangs once both ends have said
all; every byte that reaches the upstream is strict HTTP/1.1 to h11; no request reaches it that no client has sent.
"""

from __future__ import annotations

import random
import re
import socket
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.proxy.fuzz.inside import normalized
from tests.proxy.fuzz.mutate import cut, mutate
from tests.proxy.fuzz.reading import Asked, ServerSide, read_requests
from tests.proxy.fuzz.seeds import ANSWERS, REQUESTS
from tests.proxy.support.client import request
from tests.support.processes import Coalmine, run_coalmine

CLIENTS = 8  # at once
BATCH = 200  # runs between two looks at everything
LONGEST_SECONDS = 20.0  # for one connection, when both ends have said all; less than any timeout of the engine
PLAIN = request("GET", "/plain")


class Upstream:
    """Answers well or badly; keeps what it was asked."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.seen: list[Asked] = []
        self.faults: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        side, read, answered = ServerSide(), b"", 0
        sock.settimeout(60)
        with sock, suppress(OSError):
            while data := sock.recv(65_536):
                read += data
                side.feed(data)
                if side.error:
                    self.faults.append(f"h11 refuses what is forwarded ({side.error}): {read!r}")
                    return
                for asked in side.requests[answered:]:
                    if asked.complete:
                        answered += 1
                        with self._lock:
                            self.seen.append(asked)
                        self._answer(sock, asked)

    def _answer(self, sock: socket.socket, asked: Asked) -> None:
        with self._lock:
            rng = random.Random(self._rng.random())
        if asked.target == b"/plain" or rng.random() < 0.5:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if asked.method == "HEAD" else b"ok"))
            return
        for piece in cut(rng, mutate(rng, ANSWERS)):
            sock.sendall(piece)
        sock.close()


class Client:
    """One connection, one stream of mutated requests."""

    def __init__(self, address: tuple[str, int], seed: int) -> None:
        rng = random.Random(seed)
        self.data = mutate(rng, REQUESTS)
        self.fault = ""
        end = time.monotonic() + LONGEST_SECONDS
        try:
            with socket.create_connection(address, LONGEST_SECONDS) as sock:
                self._talk(sock, cut(rng, self.data), end)
        except TimeoutError:
            self.fault = "the connection does not come to its end"
        except OSError:
            pass  # it was refused and closed before all was said

    def _talk(self, sock: socket.socket, pieces: list[bytes], end: float) -> None:
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65_536):
            if time.monotonic() > end:
                raise TimeoutError


def fuzz_live(seed: int, seconds: float) -> int:
    upstream = Upstream(seed)
    with tempfile.TemporaryDirectory() as folder, run_coalmine(Path(folder)) as coalmine:
        _route_all(coalmine, upstream.port)
        workers = coalmine.children()["worker"]
        address = ("127.0.0.1", int(coalmine.proxy.rpartition(":")[2]))
        runs, findings = 0, Counter[str]()
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(CLIENTS) as pool:
            while time.monotonic() < end:
                numbers = range(seed + runs, seed + runs + BATCH)
                clients = list(pool.map(lambda number: Client(address, number), numbers))
                faults = _judge(upstream, clients, numbers, address)
                if coalmine.children()["worker"] != workers:
                    workers = coalmine.children()["worker"]
                    faults.append(f"the worker has died, numbers {numbers}")
                for fault in faults:
                    findings[fault[:40]] += 1
                    print(f"live: {fault}", flush=True)
                runs += BATCH
    print(f"live: {runs} connections from {seed} in {seconds:.0f} s, {sum(findings.values())} findings", flush=True)
    return sum(findings.values())


def _judge(upstream: Upstream, clients: list[Client], numbers: range, address: tuple[str, int]) -> list[str]:
    faults = [f"{n}: {c.fault}: {c.data!r}" for n, c in zip(numbers, clients, strict=True) if c.fault]
    faults += upstream.faults
    sent = {(asked.method, normalized(asked.target), asked.body) for c in clients for asked in read_requests(c.data)}
    with upstream._lock:
        seen, upstream.seen = upstream.seen, []
    upstream.faults.clear()
    if any(asked.odd_trailer for c in clients for asked in read_requests(c.data)):
        seen = []  # what h11 does not read to its end says nothing about what was sent
    faults += [f"{one} was never sent, numbers {numbers}" for one in seen if not _was_sent(one, sent)]
    return faults + _ask_plainly(address)


def _was_sent(one: Asked, sent: set[tuple[str, bytes, bytes]]) -> bool:
    return one.target == b"/plain" or (one.method, one.target, one.body) in sent


def _ask_plainly(address: tuple[str, int]) -> list[str]:
    try:
        with socket.create_connection(address, 2) as sock:
            sock.settimeout(2)
            sock.sendall(PLAIN)
            got = sock.recv(65_536)
    except OSError as error:
        return [f"a plain request meets {error!r}"]
    return [] if re.match(rb"HTTP/1\.1 200 OK\r\n", got) else [f"a plain request is answered {got!r}"]


def _route_all(coalmine: Coalmine, port: int) -> None:
    endpoints = {"endpoints": [f"http://127.0.0.1:{port}"], "discovery": {"enabled": False}}
    made = coalmine.api("upstreams", method="POST", body={"name": "up", **endpoints})
    routed = coalmine.api("routes", method="POST", body={"name": "all", "destinations": [{"upstream": "up"}]})
    assert (made.status, routed.status) == (201, 201), (made.body, routed.body)
