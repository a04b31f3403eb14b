"""A worker beside other proxies, core for core: the same requests, one proxy at a time, round after round.

    python -m bench.proxy_peers [--rounds N] [--seconds S] [--only NAME ...] [--install]

The proxy has one core, the load generator (wrk) and the upstream (nginx) share another. Each round runs every case
through every proxy, so that a noisy minute hits all of them. What is reported are medians: requests per second,
processor time of the proxy for one request, and how much of its core the proxy used: below 95 % somebody else was the
bottleneck, and only the processor time says something.

The others do what they do best: rewrite one path. The worker does all that it always does: a table of 1,000 routes, a
call of a function that changes method and path, counters and histograms, deadlines, request ids.
``--install`` fetches what is missing of the peers into build/peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers import PEERS, Peer, install, wait_for
from bench.write_to_served import free_port

CONNECTIONS = 64
UPSTREAM_PORT = free_port()
PROXY_CORE, LOAD_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")
SATURATED = 0.95
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://example.test/catalogue?page=2",
    "Cookie": "session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
}


@dataclass(frozen=True)
class Case:
    """Requests under /service-500/, which all proxies send to /api/ of the upstream."""

    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body_bytes: int = 0
    different: bool = False  # no two requests have the same query


CASES = (
    Case("small GET", "/service-500/pets/7"),
    Case("browser's headers", "/service-500/pets/7", BROWSER),
    Case("each one different", "/service-500/pets/7", different=True),
    Case("POST of 10 KB", "/service-500/orders", {"Content-Type": "application/json"}, 10_240),
    Case("100 KB answer", "/service-500/large"),
)


@dataclass
class Result:
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)  # microseconds of processor time per request
    shares: list[float] = field(default_factory=list)  # of the proxy's core
    errors: int = 0


def pin(core: str, command: Sequence[str]) -> list[str]:
    return ["taskset", "-c", core, *command]


def list_family(pid: int) -> list[int]:
    """A process and those it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += list_family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    total = 0
    for one in list_family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def memory_mb(pid: int) -> float:
    pages = (int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in list_family(pid))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def write_script(case: Case, folder: Path) -> Path:
    """What wrk shall send, in Lua."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in case.headers.items()]
    if case.body_bytes:
        lines += ['wrk.method = "POST"', f'wrk.body = string.rep("x", {case.body_bytes})']
    if case.different:
        lines += [
            "local n = 0",
            "request = function() n = n + 1; return wrk.format(nil, wrk.path .. '?limit=' .. n) end",
        ]
    path = folder / f"{case.name.replace(' ', '-')}.lua"
    path.write_text("\n".join(lines) + "\n")
    return path


def load(case: Case, port: int, seconds: int, folder: Path) -> tuple[int, float, int]:
    """Requests, seconds, errors."""
    url = f"http://127.0.0.1:{port}{case.path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(write_script(case, folder)), url]
    text = subprocess.run(pin(LOAD_CORE, command), capture_output=True, text=True, check=True).stdout
    requests = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    assert requests is not None, text
    errors = sum(map(int, re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", text)))
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[requests[3]]
    return int(requests[1]), float(requests[2]) * unit, errors


def measure(case: Case, peer: Peer, pid: int, seconds: int, folder: Path, result: Result) -> None:
    before, begun = cpu_seconds(pid), time.monotonic()
    requests, took, errors = load(case, peer.port, seconds, folder)
    used, elapsed = cpu_seconds(pid) - before, time.monotonic() - begun
    result.rates.append(requests / took)
    result.costs.append(used / requests * 1e6)
    result.shares.append(used / elapsed)
    result.errors += errors


def report(peers: Sequence[Peer], results: dict[tuple[str, str], Result], memory: dict[str, float]) -> None:
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()}")
    for case in CASES:
        print(f"\n| {case.name} | requests/s | ratio | us of processor | ratio | share of its core | errors |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        ours = results[PEERS[0].name, case.name]
        for peer in peers:
            result = results[peer.name, case.name]
            rate, cost, share = (statistics.median(row) for row in (result.rates, result.costs, result.shares))
            print(
                f"| {peer.name} | {rate:,.0f} | {statistics.median(ours.rates) / rate:.2f} | {cost:.1f} |"
                f" {cost / statistics.median(ours.costs):.2f} | {share:.0%}{'' if share >= SATURATED else ' (!)'} |"
                f" {result.errors} |"
            )
    print("\n" + ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in memory.items()))


def start(peer: Peer, folder: Path, stack: ExitStack) -> int:
    own = folder / peer.name.split()[0].lower()
    own.mkdir()
    command, options = peer.prepare(own, UPSTREAM_PORT)
    process = stack.enter_context(running(pin(PROXY_CORE, command), **options))
    wait_for(peer.port, CASES[0].path)
    return process.pid


def start_upstream(folder: Path, stack: ExitStack) -> None:
    (folder / "large").write_bytes(b"x" * 102_400)
    pet = json.dumps({"id": 7, "name": "Tom", "tag": "cat", "photos": ["http://example.test/tom.png"], "age": 4})
    config = folder / "upstream.conf"
    config.write_text(
        f"daemon off; worker_processes 1; error_log stderr crit; pid {folder}/upstream.pid;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on;\n"
        f" server {{ listen 127.0.0.1:{UPSTREAM_PORT} backlog=4096; default_type application/json;\n"
        f"  location = /api/large {{ alias {folder}/large; }}\n"
        f"  location / {{ return 200 '{pet}'; }} }} }}\n"
    )
    stack.enter_context(running(pin(LOAD_CORE, ["nginx", "-c", str(config)])))
    wait_for(UPSTREAM_PORT, "/api/pets/7")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=[], help="names of peers, such as nginx")
    parser.add_argument("--install", action="store_true", help="fetch missing peers into build/peers")
    given = parser.parse_args(arguments)
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            print(f"there is no {tool}", file=sys.stderr)
            return 1
    if given.install:
        install()
    peers = [
        peer
        for peer in PEERS
        if peer is PEERS[0] or (peer.find() and (not given.only or peer.name.split()[0].lower() in given.only))
    ]
    results = {(peer.name, case.name): Result() for peer in peers for case in CASES}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the upstream's workers may be somebody else
        start_upstream(folder, stack)
        pids = {peer.name: start(peer, folder, stack) for peer in peers}
        for number in range(given.rounds + 1):
            for case in CASES:
                for peer in peers:
                    warming = number == 0
                    result = Result() if warming else results[peer.name, case.name]
                    measure(case, peer, pids[peer.name], 1 if warming else given.seconds, folder, result)
        report(peers, results, {peer.name: memory_mb(pids[peer.name]) for peer in peers})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
