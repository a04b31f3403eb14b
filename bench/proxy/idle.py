"""What a connection costs that only waits: 1,000 and 10,000 keep-alive connections that each were used once.

Every proxy is started anew for this, for one that has grown before hands out what it has. Of ours, the worker is
weighed; the processes beside it know of no connection. What the kernel keeps for a
connection is the same for all and not in these figures.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass

from bench.processes import cpu_seconds, list_family, memory
from bench.proxy.field import FAILURES, Field, list_absent, say
from bench.proxy.gateway import list_workers
from bench.proxy.peers import PATH, Peer
from bench.report import table
from bench.steady import is_whole

COUNTS = (1_000, 10_000)
SOURCES = 8  # addresses of the client: 28,000 ports each
SETTLE_SECONDS = 1.0
WATCH_SECONDS = 3.0
LOOKS = 100  # of them, how many are asked again at the end
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: bench.test\r\n\r\n".encode()


@dataclass(frozen=True)
class Idle:
    name: str
    start_mb: float
    bytes_each: tuple[int, ...]  # of the first 1,000, and of the others
    share: float  # of a core, while the most of them idle
    alive: int  # of LOOKS


class Holder:
    """Connections that are kept open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.held: list[socket.socket] = []

    def open_until(self, count: int) -> None:
        while len(self.held) < count:
            source = f"127.0.0.{2 + len(self.held) % SOURCES}"
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=10, source_address=(source, 0))
            # closed without lingering, so that no port is left waiting
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.held.append(sock)
            if not ask(sock):
                raise RuntimeError(f"connection {len(self.held)} was not answered")

    def count_alive(self) -> int:
        return sum(map(ask, self.held[:: max(1, len(self.held) // LOOKS)]))

    def close(self) -> None:
        for sock in self.held:
            sock.close()


def ask(sock: socket.socket) -> bool:
    try:
        sock.sendall(REQUEST)
        data = sock.recv(65_536)
        while data and not is_whole(data):
            data += sock.recv(65_536) or b"\r\n\r\n0\r\n\r\n"
    except OSError:
        return False
    return data[9:12] == b"200"


def measure_idle(field: Field) -> list[str]:
    found, failed = [], {}
    for peer in field.peers:
        say(f"idle connections: {peer.name}")
        try:
            found.append(measure_one(field, peer))
        except FAILURES as error:
            failed[peer.name] = f"not measured: {error}"
    return [*describe(found), *([""] if failed else []), *list_absent(failed)]


def measure_one(field: Field, peer: Peer) -> Idle:
    with ExitStack() as stack:
        proxy = peer.start(field.make_folder(peer.name), field.upstream_port, stack)
        holder = stack.enter_context(closing(Holder(proxy.port)))
        holder.open_until(1)  # and the connection to the upstream is there
        pids = list_workers(proxy.process.pid) or list_family(proxy.process.pid)
        sizes = [weigh(pids)]
        for count in COUNTS:
            holder.open_until(count)
            sizes.append(weigh(pids))
        each = [(sizes[1] - sizes[0]) // COUNTS[0], (sizes[2] - sizes[1]) // (COUNTS[1] - COUNTS[0])]
        used = cpu_seconds(pids)
        time.sleep(WATCH_SECONDS)
        share = (cpu_seconds(pids) - used) / WATCH_SECONDS
        return Idle(peer.name, sizes[0] / 1e6, tuple(each), share, holder.count_alive())


def weigh(pids: Iterable[int]) -> int:
    """Proportional, once all is quiet."""
    time.sleep(SETTLE_SECONDS)
    return memory(pids).pss


def describe(found: list[Idle]) -> list[str]:
    first, most = COUNTS
    head = ["", "MB before", f"bytes each, the first {first:,}", f"bytes each, the next {most - first:,}"]
    head += [f"of a core while {most:,} idle", f"of {LOOKS} asked again, answered"]
    rows = [
        [one.name, f"{one.start_mb:.0f}", *(f"{value:,}" for value in one.bytes_each), f"{one.share:.1%}", one.alive]
        for one in found
    ]
    return table(head, rows)
