"""Requests at a fixed mean rate, whatever the answers take: what users who know nothing of each other do.

    python -m bench.steady PLAN         PLAN as JSON, see ``Plan``

Arrivals are drawn beforehand (exponential gaps, always the same ones), so every proxy gets the same sequence. A request
that finds no connection idle waits, and its time runs from when it was due, not from when it was sent: a proxy that
stalls is not spared the requests that should have come meanwhile (no coordinated omission). The generator measures
itself as well: how late it sent what it could have sent, and how much of a core it took.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle

from bench.processes import pin

GAPS = 50_000  # drawn once and gone through in a circle
LAST_ANSWERS_SECONDS = 5.0  # after the last request; what is not answered then is lost
LONGEST_WAIT_SECONDS = 0.1  # so that a stop is noticed
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *\d+\r\n", re.IGNORECASE)
BODY_END = b"0\r\n\r\n"  # of a chunked one


@dataclass(frozen=True)
class Plan:
    port: int
    rate: float  # requests a second, on average
    seconds: float  # or until SIGTERM
    paths: tuple[str, ...] = ("/",)  # asked by turns
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 64


@dataclass(frozen=True)
class Outcome:
    """``due`` are seconds by the monotonic clock, which all processes share; ``taken`` milliseconds from then on."""

    due: array[float]
    taken: array[float]
    lost: int  # never answered, or the connection broke
    failed: int  # answered, but not with 2xx
    late_p99_ms: float  # how late the generator sent requests for which it had a connection
    share: float  # of a core, taken by the generator
    statuses: array[int] = field(default_factory=lambda: array("H"))  # of the answers, in the order of ``taken``
    no_retry_after: int = 0  # answers of 503 that do not say when to come back

    def percentile(self, percent: float) -> float:
        return percentile(self.taken, percent)

    def of(self, status: int) -> list[float]:
        """Milliseconds of the answers with this status."""
        return [taken for taken, found in zip(self.taken, self.statuses, strict=True) if found == status]

    def between(self, begin: float, end: float) -> list[float]:
        return [taken for due, taken in zip(self.due, self.taken, strict=True) if begin <= due < end]


def percentile(values: Iterable[float], percent: float) -> float:
    """By nearest rank; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Connection:
    __slots__ = ("data", "due", "port", "sock")

    def __init__(self, port: int) -> None:
        self.port = port
        self.due = 0.0  # of the request under way; 0 is idle
        self.data = b""
        self.open()

    def open(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.data = b""

    def receive(self) -> bytes | None:
        """A whole answer, else None; ConnectionError where the other side ended it."""
        data = self.sock.recv(65_536)
        if not data:
            raise ConnectionResetError
        if self.data:
            data = self.data + data
        if is_whole(data):
            self.data = b""
            return data
        self.data = data
        return None


def is_whole(data: bytes) -> bool:
    """Whether one answer is complete, framed by its length or in chunks."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = LENGTH.search(data, 0, end)
    return len(data) >= end + 4 + int(length[1]) if length else data.endswith(BODY_END)


class Generator:
    def __init__(self, plan: Plan) -> None:
        draw = random.Random(1)
        self.gaps = cycle([draw.expovariate(plan.rate) for _ in range(GAPS)])
        self.requests = cycle([_write_request(plan, path) for path in plan.paths])
        self.poll = select.epoll()
        self.by_fd: dict[int, Connection] = {}
        self.idle: deque[Connection] = deque()
        self.due, self.taken, self.late = array("d"), array("d"), array("d")
        self.statuses = array("H")
        self.lost = self.failed = self.no_retry_after = 0
        self.freed = 0.0  # when a connection last became idle while there was none
        for _ in range(plan.connections):
            self.add(Connection(plan.port))
        self.next = time.monotonic() + 0.01
        self.end = self.next + plan.seconds

    def add(self, connection: Connection) -> None:
        self.by_fd[connection.sock.fileno()] = connection
        self.poll.register(connection.sock.fileno(), select.EPOLLIN)
        self.idle.append(connection)

    def run(self) -> None:
        while not self.finished(now := time.monotonic()):
            self.send_due(now)
            waits = self.next - now if self.idle and self.next < self.end else LONGEST_WAIT_SECONDS
            # epoll waits in whole milliseconds, select in microseconds
            if select.select([self.poll], [], [], max(0.0, min(waits, LONGEST_WAIT_SECONDS)))[0]:
                for fd, _ in self.poll.poll(0):
                    if fd in self.by_fd:
                        self.receive(self.by_fd[fd])
        self.lost += len(self.by_fd) - len(self.idle)
        while self.next < self.end:  # due, and never sent
            self.next += next(self.gaps)
            self.lost += 1

    def finished(self, now: float) -> bool:
        answered = self.next >= self.end and len(self.idle) == len(self.by_fd)
        return answered or now > self.end + LAST_ANSWERS_SECONDS

    def send_due(self, now: float) -> None:
        while self.next <= now and self.next < self.end and self.idle:
            connection = self.idle.popleft()  # the one that idled longest: all are used alike
            connection.due = self.next
            self.late.append(now - max(self.next, self.freed))
            self.next += next(self.gaps)
            try:
                connection.sock.send(next(self.requests))
            except OSError:
                self.replace(connection)

    def receive(self, connection: Connection) -> None:
        try:
            answer = connection.receive()
        except BlockingIOError:
            return
        except OSError:
            self.replace(connection)
            return
        if answer is None or not connection.due:
            return
        now = time.monotonic()
        self.due.append(connection.due)
        self.taken.append((now - connection.due) * 1000)
        self.statuses.append(int(answer[9:12]))
        if answer[9:10] != b"2":
            self.failed += 1
            self.no_retry_after += answer[9:12] == b"503" and RETRY_AFTER.search(answer) is None
        if not self.idle:
            self.freed = now
        connection.due = 0.0
        self.idle.append(connection)

    def replace(self, connection: Connection) -> None:
        """A connection that broke: what was under way on it is lost, and another takes its place."""
        self.by_fd.pop(connection.sock.fileno())
        connection.sock.close()  # leaves the poll as well
        if connection.due:
            self.lost += 1
            connection.due = 0.0
        else:
            self.idle.remove(connection)
        with suppress(OSError):  # nobody listens: what is due then waits and counts
            connection.open()
            self.add(connection)

    def stop(self, *_: object) -> None:
        self.end = min(self.end, time.monotonic())


def _write_request(plan: Plan, path: str) -> bytes:
    headers = {"Host": f"127.0.0.1:{plan.port}", **plan.headers}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Load:
    """A generator that runs in a process of its own, until ``finish``."""

    def __init__(self, plan: Plan, core: int | str) -> None:
        self.plan = plan
        command = [sys.executable, "-m", "bench.steady", json.dumps(asdict(plan))]
        self.process = subprocess.Popen(pin(core, command), stdout=subprocess.PIPE)

    def finish(self, *, now: bool = False) -> Outcome:
        if now:
            self.process.terminate()
        try:
            told, _ = self.process.communicate(timeout=self.plan.seconds + LAST_ANSWERS_SECONDS + 30)
        finally:
            self.process.kill()
            self.process.wait()
        if self.process.returncode:
            raise RuntimeError(f"the generator ended with status {self.process.returncode}")
        head, _, rest = told.partition(b"\n")
        described = json.loads(head)
        size = described.pop("answers") * 8
        due, taken, statuses = array("d", rest[:size]), array("d", rest[size : 2 * size]), array("H", rest[2 * size :])
        return Outcome(due, taken, statuses=statuses, **described)


def send_steadily(plan: Plan, core: int | str) -> Outcome:
    return Load(plan, core).finish()


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    generator = Generator(plan)
    signal.signal(signal.SIGTERM, generator.stop)
    gc.disable()
    began, used = time.monotonic(), time.process_time()
    generator.run()
    told = {
        "answers": len(generator.due),
        "lost": generator.lost,
        "failed": generator.failed,
        "no_retry_after": generator.no_retry_after,
        "late_p99_ms": percentile(generator.late, 99) * 1000,
        "share": (time.process_time() - used) / (time.monotonic() - began),
    }
    out = sys.stdout.buffer
    out.write(json.dumps(told).encode() + b"\n")
    out.write(generator.due.tobytes() + generator.taken.tobytes() + generator.statuses.tobytes())
    out.flush()
    os._exit(0)  # a million objects need no tidying up


if __name__ == "__main__":
    main()
