"""A live gateway, a process of its own, between sockets: mutated requests from clients, mutated answers to them.

What is checked: the process lives and answers a plain request at once; no connection hangs once both ends have said
all; every byte that reaches the upstream is strict HTTP/1.1 to h11; no request reaches it that no client has sent.
"""

from __future__ import annotations

import math
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
# What takes longer than this is told with its bytes, though it is no finding: the engine's own waits are 1 s (for a
# body that is withheld) and 3 s (for a client that was refused to read why), and each has a reason.
SLOW_SECONDS = 5.0
LOOK_SECONDS = 0.05
PLAIN = request("GET", "/plain")


class Upstream:
    """Answers well or badly; keeps what it was asked. The same question gets the same answer throughout a batch."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._reading: dict[int, bytes] = {}  # what connections have sent that is not a whole request yet
        self.batch = 0
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
                self._reading[id(sock)] = self._reading.get(id(sock), b"") + data
                side.feed(data)
                if side.error:
                    self.faults.append(f"h11 refuses what is forwarded ({side.error}): {read!r}")
                    break
                for asked in side.requests[answered:]:
                    if asked.complete:
                        answered += 1
                        self._reading.pop(id(sock), None)
                        with self._lock:
                            self.seen.append(asked)
                        self._answer(sock, asked)
        self._reading.pop(id(sock), None)

    def _answer(self, sock: socket.socket, asked: Asked) -> None:
        rng = random.Random(f"{self._seed + self.batch} {asked.method} {asked.target!r} {asked.body!r}")
        if asked.target == b"/plain" or rng.random() < 0.5:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if asked.method == "HEAD" else b"ok"))
            return
        for piece in cut(rng, mutate(rng, ANSWERS)):
            sock.sendall(piece)
        sock.close()

    def unfinished(self) -> list[bytes]:
        """What has come of requests that are not whole."""
        return list(self._reading.values())


class Client:
    """One connection, one stream of mutated requests; what became of it and when is kept, for those that hang."""

    def __init__(self, address: tuple[str, int], seed: int) -> None:
        rng = random.Random(seed)
        self.data = mutate(rng, REQUESTS)
        self.pieces = cut(rng, self.data)
        self.got = b""
        self.fault = ""
        self.events: list[str] = []
        self._start = time.monotonic()
        try:
            with socket.create_connection(address, LONGEST_SECONDS) as sock:
                self._note("connected from", sock.getsockname()[1])
                self._talk(sock)
        except TimeoutError:
            self.fault = "the connection does not come to its end"
        except OSError as error:  # it was refused and closed before all was said
            self._note("ended by", error)
        self.seconds = time.monotonic() - self._start

    def _talk(self, sock: socket.socket) -> None:
        for piece in self.pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        self._note("all said", len(self.data))
        while data := sock.recv(65_536):
            self.got += data
            self._note("received", len(data))
            if time.monotonic() > self._start + LONGEST_SECONDS:
                raise TimeoutError
        self._note("end")

    def _note(self, *what: object) -> None:
        self.events.append(" ".join([f"{time.monotonic() - self._start:.3f}", *map(str, what)]))

    def tell(self) -> str:
        return f"sent {self.pieces!r}\n  events {self.events}\n  received {self.got!r}"


class Watch:
    """How long this machine, or this process, stood still: what hangs then proves nothing about the gateway."""

    def __init__(self) -> None:
        self.longest = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            self.longest = max(self.longest, now - last - LOOK_SECONDS)
            last = now

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest


def fuzz_live(seed: int, seconds: float, most: float = math.inf) -> int:
    """How many findings in ``seconds`` or ``most`` connections, of the numbers from ``seed`` on."""
    upstream, watch = Upstream(seed), Watch()
    with tempfile.TemporaryDirectory() as folder, run_coalmine(Path(folder)) as coalmine:
        _route_all(coalmine, upstream.port)
        workers = coalmine.children()["worker"]
        address = ("127.0.0.1", int(coalmine.proxy.rpartition(":")[2]))
        runs, findings, slowest = 0, Counter[str](), (0.0, 0)
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(CLIENTS) as pool:
            while runs < most and time.monotonic() < end:
                upstream.batch = runs
                numbers = range(seed + runs, seed + runs + BATCH)
                clients = list(pool.map(lambda number: Client(address, number), numbers))
                slowest = max(slowest, *((one.seconds, number) for number, one in zip(numbers, clients, strict=True)))
                faults = _judge(upstream, clients, numbers, address)
                _tell_slow(upstream, clients, numbers, address, watch.take())
                if coalmine.children()["worker"] != workers:
                    workers = coalmine.children()["worker"]
                    faults.append(f"the worker has died, numbers {numbers}")
                for fault in faults:
                    findings[fault[:40]] += 1
                    print(f"live: {fault}", flush=True)
                runs += BATCH
    print(
        f"live: {runs} connections from {seed} in {seconds:.0f} s, {sum(findings.values())} findings; "
        f"the longest took {slowest[0]:.1f} s (number {slowest[1]})",
        flush=True,
    )
    return sum(findings.values())


def _judge(upstream: Upstream, clients: list[Client], numbers: range, address: tuple[str, int]) -> list[str]:
    faults = [f"{n}: {c.fault}" for n, c in zip(numbers, clients, strict=True) if c.fault]
    faults += upstream.faults
    sent = {(asked.method, normalized(asked.target), asked.body) for c in clients for asked in read_requests(c.data)}
    with upstream._lock:
        seen, upstream.seen = upstream.seen, []
    upstream.faults.clear()
    if any(asked.odd_trailer for c in clients for asked in read_requests(c.data)):
        seen = []  # what h11 does not read to its end says nothing about what was sent
    faults += [f"{one} was never sent, numbers {numbers}" for one in seen if not _was_sent(one, sent)]
    return faults + _ask_plainly(address)


def _tell_slow(
    upstream: Upstream, clients: list[Client], numbers: range, address: tuple[str, int], stood_still: float
) -> None:
    """Everything that is needed to repeat what hung or was slow, and what comes of it alone."""
    for number, client in zip(numbers, clients, strict=True):
        if client.fault or client.seconds > SLOW_SECONDS:
            print(
                f"live: {number} took {client.seconds:.1f} s; meanwhile the machine or this process stood still for "
                f"up to {stood_still:.1f} s\n  {client.tell()}\n  unfinished upstream {upstream.unfinished()}",
                flush=True,
            )
            alone = Client(address, number)
            print(f"  alone it takes {alone.seconds:.1f} s: {alone.fault or 'it ends'}, {alone.events}", flush=True)


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
