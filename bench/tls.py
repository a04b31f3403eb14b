"""TLS in front of a worker beside TLS in front of nginx: requests, answers of 100 KB, handshakes, and idle connections.

    python -m bench.tls [--rounds N] [--seconds S] [--idle N] [--write]

As ``bench.proxy`` does it: one core for the proxy, another for wrk and the upstream, and in every round each case goes
through both proxies, one after the other. Both show the same certificate (ECDSA, P-256), speak TLS 1.2 and 1.3, and
forward in the clear; wrk shakes hands in full each time. Idle connections were used once each.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from bench.processes import PROXY_CORE, Process, list_family, pin, raise_file_limit, running, wait_until
from bench.proxy.cases import CASES, Case, Sample, Shares, list_faults, measure
from bench.proxy.field import median, say
from bench.proxy.gateway import ROUTES, Gateway, list_workers, make_routes
from bench.proxy.idle import ask, weigh
from bench.proxy.loads import ratios
from bench.proxy.peers import PEERS
from bench.proxy.upstream import START_SECONDS, free_port, start_upstream
from bench.report import describe_machine, describe_moment, table, write_part

OURS, THEIRS = "Coalmine", "nginx"
TAKEN = ("small GET", "100 KB answer", "a new connection each")
CLIENT_SECONDS = 10.0

Start = Callable[[Path, int, int, ExitStack], Process]
Samples = dict[str, list[Sample]]


def list_cases() -> list[Case]:
    return [replace(case, scheme="https") for case in CASES if case.name in TAKEN]


def issue(folder: Path) -> None:
    """cert.pem and key.pem in ``folder``."""
    leaf = trustme.CA().issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))


def start_ours(folder: Path, port: int, upstream: int, stack: ExitStack) -> Process:
    files = ["--tls-certificate", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
    gateway = Gateway(folder, free_port(), cores=PROXY_CORE, more=["--proxy-tls", f"127.0.0.1:{port}", *files])
    process = gateway.start(stack)
    gateway.define(upstream, make_routes(ROUTES))
    return process


def start_nginx(folder: Path, port: int, upstream: int, stack: ExitStack) -> Process:
    """As in ``bench.proxy``, and TLS on its port."""
    nginx = next(peer for peer in PEERS if peer.name == THEIRS)
    command = nginx.set_up(folder, port, upstream, 1)
    config = folder / "nginx.conf"
    tls = (
        f"listen 127.0.0.1:{port} ssl backlog=4096; ssl_protocols TLSv1.2 TLSv1.3;"
        f" ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
    )
    plain = f"listen 127.0.0.1:{port} backlog=4096;"
    assert plain in config.read_text()
    config.write_text(config.read_text().replace(plain, tls))
    return stack.enter_context(running(pin(PROXY_CORE, command), folder=folder))


STARTS: dict[str, Start] = {OURS: start_ours, THEIRS: start_nginx}


def start(name: str, folder: Path, upstream: int, stack: ExitStack) -> tuple[Process, int]:
    own, port = folder / f"{name}-{len(list(folder.iterdir()))}", free_port()
    own.mkdir(mode=0o755)
    issue(own)
    process = STARTS[name](own, port, upstream, stack)
    wait_until(lambda: answers(port), process, START_SECONDS)
    return process, port


def connect(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=CLIENT_SECONDS))


def answers(port: int) -> bool:
    with suppress(OSError), connect(port) as sock:
        return ask(sock)
    return False


def measure_all(given: argparse.Namespace, folder: Path) -> tuple[dict[str, Samples], dict[str, int]]:
    """By case and proxy; and bytes for each idle connection, first, for what has grown before hands out what it has."""
    with ExitStack() as stack:
        above = folder / "upstream"
        above.mkdir(mode=0o755)
        upstream, upstream_port = start_upstream(above, stack)
        proxies = {name: start(name, folder, upstream_port, stack) for name in STARTS}
        idle = {name: measure_idle(*proxy, given.idle) for name, proxy in proxies.items()}
        return measure_cases(given, folder, upstream.pid, proxies), idle


def measure_cases(
    given: argparse.Namespace, folder: Path, upstream: int, proxies: dict[str, tuple[Process, int]]
) -> dict[str, Samples]:
    found: dict[str, Samples] = {case.name: {name: [] for name in STARTS} for case in list_cases()}
    for number in range(given.rounds + 1):
        for case in list_cases():
            for name, (process, port) in proxies.items():
                sample = measure(case, process.pid, port, upstream, given.seconds if number else 1, folder)
                say(f"{case.name}, {name}: {sample}")
                found[case.name][name] += [sample] if number else []
    return found


def measure_idle(process: Process, port: int, count: int) -> int:
    """Bytes of the proxy's memory for each of so many connections; of ours, the worker's."""
    pids = list_workers(process.pid) or list_family(process.pid)
    before = weigh(pids)
    with ExitStack() as stack:
        assert all(ask(stack.enter_context(connect(port))) for _ in range(count))
        each = (weigh(pids) - before) // count
    say(f"{count} idle connections: {each} bytes each")
    return each


def describe(found: dict[str, Samples], idle: dict[str, int], count: int) -> list[str]:
    rows = []
    for case, samples in found.items():
        by_rate, by_cost = ratios(samples[OURS], samples[THEIRS])
        for name, taken in samples.items():
            rate, cost = (median(values) for values in zip(*((s.rate, s.cost) for s in taken), strict=True))
            ratio = f"{by_rate:.2f} ({by_cost:.2f})" if name == OURS else ""
            remarks = "; ".join(filter(None, [Shares.of(taken).judge(), *list_faults(taken)]))
            rows.append([case, name, f"{rate:,.0f}", f"{cost:.1f}", ratio, remarks])
    head = ["over TLS", "", "requests/s", "us of processor", "Coalmine has, of nginx (by processor)", "remarks"]
    weights = [[f"{count:,} idle connections", name, f"{each:,} bytes each"] for name, each in idle.items()]
    return [*table(head, rows), "", *table(["memory", "", ""], weights)]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=1_000)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    given, before = read_arguments(), os.getloadavg()[0]
    raise_file_limit()
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # nginx's workers have less rights than we
        lines = describe(*measure_all(given, Path(folder)), given.idle)
    moment = f"{describe_moment('make bench-tls', before)} ({describe_machine()})"
    sys.stdout.write("\n".join([moment, "", *lines, ""]))
    if given.write:
        write_part("tls", [moment, "", *lines])


if __name__ == "__main__":
    main()
