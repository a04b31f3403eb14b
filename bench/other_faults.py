"""Faults of what is around a gateway: other upstreams, certificate files. For ``bench.faults``."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from bench.clients import Load, clients
from bench.fault import CLIENTS, Fault, Outcome
from bench.running import Running, service, wait_until
from bench.start_faults import seconds, short
from bench.write_to_served import free_port

CONNECT_SECONDS = 2


def define(running: Running, name: str, endpoint: str, **more: object) -> None:
    """An upstream, and a route to it."""
    upstream = {"name": name, "endpoints": [endpoint], "discovery": {"enabled": False}}
    running.write("PUT", f"/upstreams/{name}", upstream)
    to = {"match": {"path": {"prefix": f"/{name}"}}, "destinations": [{"upstream": name}], **more}
    running.write("PUT", f"/routes/{name}", to)


def kill_upstream(running: Running) -> Outcome:
    """Another upstream dies; nobody else's requests notice."""
    with service() as port:
        off = {"enabled": False}
        dead = {"name": "dead", "endpoints": [f"http://127.0.0.1:{port}"], "discovery": off}
        running.write("PUT", "/upstreams/dead", dead)
        to = {"match": {"path": {"prefix": "/dead"}}, "destinations": [{"upstream": "dead"}]}
        running.write("PUT", "/routes/dead", to)
    statuses: set[str] = set()
    with clients(Load(running.proxy, "/dead", expected=(b"ok",), keep=8, fresh=0, pause=0.01)) as tally:
        time.sleep(2)
        noticed = short(running.ready())
    statuses.update(word[:3] for word in tally.words)
    return Outcome(noticed, f"its own route: {tally.sent} x {', '.join(sorted(statuses))}")


def hang_upstream(running: Running) -> Outcome:
    """200 requests to an upstream that never answers."""
    with service() as port:
        off = {"enabled": False}
        running.write(
            "PUT", "/upstreams/silent", {"name": "silent", "endpoints": [f"http://127.0.0.1:{port}"], "discovery": off}
        )
        to = {"match": {"path": {"prefix": "/silent"}}, "destinations": [{"upstream": "silent"}], "timeout_seconds": 2}
        running.write("PUT", "/routes/silent", to)
        with clients(Load(running.proxy, "/silent", keep=200, fresh=0, pause=1.0)) as tally:
            time.sleep(2.9)
            noticed = short(running.ready())
        times = sorted(tally.times)
        statuses = ", ".join(sorted({word[:3] for word in tally.words}))
    return Outcome(noticed, f"its own route: {statuses} after {times[0]:.2f} to {times[-1]:.2f} s (limit 2 s)")


def ask_other(running: Running, name: str, endpoint: str) -> Outcome:
    """What those see who ask for an upstream that is out of order, 8 at a time for two seconds."""
    define(running, name, endpoint)
    with clients(Load(running.proxy, f"/{name}", keep=8, fresh=0, pause=0.05)) as tally:
        time.sleep(2)
        noticed = short(running.ready())
    times = sorted(tally.times) or [0.0]
    seen = ", ".join(sorted({word[:3] if word[:3].isdigit() else "broken off" for word in tally.words}))
    return Outcome(noticed, f"its own route: {tally.sent} x {seen} after {times[0]:.2f} to {times[-1]:.2f} s")


def black_hole(running: Running) -> Outcome:
    """An upstream whose machine swallows connects: a listener whose queue is full does the same."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        port = listener.getsockname()[1]
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        return ask_other(running, "hole", f"http://127.0.0.1:{port}")


@contextmanager
def breaking() -> Iterator[int]:
    """The port of somebody who resets every connection in the middle of his answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_break_all, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _break_all(listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock:
            sock.recv(65_536)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
            time.sleep(0.01)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def break_answers(running: Running) -> Outcome:
    with breaking() as port:
        return ask_other(running, "breaking", f"http://127.0.0.1:{port}")


def lose_name(running: Running) -> Outcome:
    return ask_other(running, "nameless", "http://no-such-host.invalid:80")


def make_certificates(folder: Path) -> tuple[str, ...]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "served.pem"))
    port = free_port()
    (folder / "port").write_text(str(port))
    return "--proxy-tls", f"127.0.0.1:{port}", "--tls-certificate", str(folder / "served.pem")


def spoil_certificates(running: Running) -> Outcome:
    """A renewal that went wrong, and a worker that dies before anybody has noticed."""
    (running.folder / "served.pem").write_text("no certificate")
    before = running.children()["worker"]
    os.kill(before[-1], signal.SIGKILL)
    wait_until(lambda: len(set(running.children()["worker"]) - set(before)) == 1, "another worker")
    taken = wait_until(lambda: "those read before" in running.ready(), "what readyz says of it")
    context = ssl.create_default_context(cafile=str(running.folder / "ca.pem"))
    port, done = int((running.folder / "port").read_text()), 0
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as bare:
            context.wrap_socket(bare, server_hostname="localhost").close()
            done += 1
    return Outcome(f"200, tls: those read before are served; after {seconds(taken)}", f"{done} of 50 handshakes done")


def with_short_connects(folder: Path) -> tuple[str, ...]:
    return "--connect-timeout-seconds", str(CONNECT_SECONDS)


OTHERS: tuple[Fault, ...] = (
    Fault("another upstream is dead", kill_upstream),
    Fault("another upstream never answers", hang_upstream),
    Fault(f"another upstream swallows connects (limit {CONNECT_SECONDS} s)", black_hole, arguments=with_short_connects),
    Fault("another upstream resets in the middle of its answers", break_answers),
    Fault("the name of another upstream is not found", lose_name),
    Fault("certificates are spoilt, and a worker is killed", spoil_certificates, CLIENTS, arguments=make_certificates),
)
