"""The requests that all proxies get, how wrk sends them and what it tells: as many as a proxy can take."""

from __future__ import annotations

import json
import re
import resource
import statistics
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import LOAD_CORE, PINS, PROXY_CORE, busy_seconds, cpu_seconds, list_family, memory, pin
from bench.proxy.finding import find, library_environ
from bench.proxy.gateway import NEAR_ROUTE
from bench.proxy.peers import PATH
from bench.proxy.upstream import FILES

CONNECTIONS = 64
WRK_TIMEOUT = 30  # beyond its seconds
LATE_SECONDS = 2  # what wrk calls a timeout: it goes on waiting, and the answer comes
FULL = 0.95  # of a core: who has that little left is the bottleneck
DISTURBED = 0.3  # of a core, by other programs: they may be what limited the rate
NOTABLE = 0.05  # of the proxy's core: what other programs may take unmentioned
FULL_LOAD = "load generator and upstream were full, not the proxy"
ROOM = "nobody's core was full"
NEAR = f"/service-{NEAR_ROUTE}"
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
    """Requests under /service-500/, which all proxies send to /api/ of the upstream.

    ``{n}`` in the path becomes the number of the request, ``{route}`` that of one of ``routes``.
    """

    name: str
    path: str = PATH
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    answer_bytes: int = 0  # where throughput is what counts
    routes: int = 1
    connections: int = CONNECTIONS
    scheme: str = "http"
    lua: str = ""  # more of wrk's script


SMALL = Case("small GET")
CASES = (
    SMALL,
    Case("browser's headers", headers=BROWSER),
    Case("every request different", f"{NEAR}/pets/{{n}}?limit={{n}}"),
    Case("POST of 10 KB", f"{NEAR}/orders", {"Content-Type": "application/json"}, body="x" * 10_240),
    Case("100 KB answer", f"{NEAR}/large", answer_bytes=FILES["large"]),
    Case("1 MB stream", f"{NEAR}/stream", answer_bytes=FILES["stream"]),
    Case("a new connection each", headers={"Connection": "close"}),
    Case("1,000 connections", connections=1_000),
)


@dataclass(frozen=True)
class Told:
    """By wrk."""

    requests: int
    seconds: float
    errors: Counter[str]  # by kind: connections that broke, and answers other than 2xx or 3xx
    late: int = 0  # good answers that took longer than LATE_SECONDS

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True)
class Sample:
    rate: float  # requests a second
    cost: float  # microseconds of the proxy's processor time per request
    proxy: float  # share of its core that the proxy took
    load: float  # share of theirs that load generator and upstream took
    others: float  # share of the proxy's core that was neither idle nor the proxy's
    errors: Counter[str]
    load_others: float = 0.0  # the same of the core of load generator and upstream
    late: int = 0


def write_script(case: Case, folder: Path) -> Path:
    """What wrk shall send, in Lua."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in case.headers.items()]
    if case.body:
        lines += ['wrk.method = "POST"', f"wrk.body = {json.dumps(case.body)}"]
    if "{" in case.path:
        # routes far from each other, so that no cache of the processor helps: 7919 is prime
        route = f"' .. (n * 7919 % {case.routes}) .. '"
        path = f"'{case.path}'".replace("{n}", "' .. n .. '").replace("{route}", route)
        lines += ["local n = 0", f"request = function() n = n + 1; return wrk.format(nil, {path}) end"]
    lines += [case.lua] if case.lua else []
    script = folder / f"{re.sub('[^a-z0-9]+', '-', case.name.lower())}.lua"
    script.write_text("\n".join(lines) + "\n")
    return script


def read_wrk(text: str) -> Told:
    """ValueError where wrk told no result."""
    requests = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if requests is None:
        raise ValueError(f"wrk told no result: {' '.join(text.split())[-200:]}")
    told = re.findall(r"(Non-2xx or 3xx responses|connect|read|write):? (\d+)", text)
    errors = Counter({kind: int(count) for kind, count in told if int(count)})
    late = sum(map(int, re.findall(r"timeout (\d+)", text)))
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[requests[3]]
    return Told(int(requests[1]), float(requests[2]) * unit, errors, late)


def run_wrk(case: Case, port: int, seconds: int, folder: Path) -> tuple[Told, float]:
    """What it told, and the seconds of processor time it took."""
    url = f"{case.scheme}://127.0.0.1:{port}{case.path.partition('{')[0]}"
    script = str(write_script(case, folder))
    command = [find("wrk") or "wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "-s", script, url]
    before = _children_seconds()
    done = subprocess.run(
        pin(LOAD_CORE, command),
        capture_output=True,
        text=True,
        timeout=seconds + WRK_TIMEOUT,
        check=False,
        env=library_environ(),
    )
    return read_wrk(done.stdout + done.stderr), _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(case: Case, proxy: int, port: int, upstream: int, seconds: int, folder: Path) -> Sample:
    """``proxy`` and ``upstream`` are process ids."""
    ours, theirs = list_family(proxy), list_family(upstream)
    cores = PROXY_CORE, LOAD_CORE
    busy, used, answering = list(map(busy_seconds, cores)), cpu_seconds(ours), cpu_seconds(theirs)
    told, asking = run_wrk(case, port, seconds, folder)
    used, answering = cpu_seconds(ours) - used, cpu_seconds(theirs) - answering
    busy = [busy_seconds(core) - before for core, before in zip(cores, busy, strict=True)]
    if told.requests == 0:
        raise ValueError(f"no request was answered; {describe_errors([told.errors]) or 'no errors'}")
    return Sample(  # shares of wrk's own seconds: while it starts, nobody has anything to do
        rate=told.rate,
        cost=used / told.requests * 1e6,
        proxy=min(1.0, used / told.seconds),
        load=min(1.0, (asking + answering) / told.seconds),
        others=max(0.0, (busy[0] - used) / told.seconds) if PINS else 0.0,
        load_others=max(0.0, (busy[1] - asking - answering) / told.seconds) if PINS else 0.0,
        errors=told.errors,
        late=told.late,
    )


def list_faults(samples: Sequence[Sample]) -> list[str]:
    """What of the answers was not as it should be, by wrk's count; nothing to say where all were."""
    late = sum(sample.late for sample in samples)
    told = describe_errors(sample.errors for sample in samples)
    return [*([told] if told else []), *([f"{late:,} answers took more than {LATE_SECONDS} s"] if late else [])]


def describe_errors(found: Iterable[Counter[str]]) -> str:
    """How many in all, and of which kinds; empty where there were none."""
    errors: Counter[str] = sum(found, Counter())
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in errors.most_common())
    return f"{errors.total():,} errors ({kinds})" if errors else ""


@dataclass(frozen=True)
class Shares:
    """Of the proxy's core: the proxy, and others. Of the other core: load generator with upstream, and others."""

    proxy: float
    others: float
    load: float
    load_others: float

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Shares:
        """Medians."""
        each = zip(*((one.proxy, one.others, one.load, one.load_others) for one in samples), strict=True)
        return cls(*map(statistics.median, each))

    @property
    def disturbed(self) -> bool:
        return max(self.others, self.load_others) >= DISTURBED

    @property
    def bound(self) -> bool:
        """It was the proxy's core that limited the rate."""
        return not self.disturbed and self.proxy + self.others >= FULL

    def judge(self) -> str:
        """Who limited the rate; nothing to say where it was the proxy alone."""
        remarks = [self._name_bottleneck()]
        if self.others >= NOTABLE:
            remarks.append(f"other programs took {self.others:.0%} of its core")
        if self.load_others >= NOTABLE:
            remarks.append(f"other programs took {self.load_others:.0%} of the load's core")
        return "; ".join(filter(None, remarks))

    def _name_bottleneck(self) -> str:
        if self.bound:
            return ""
        if self.disturbed:
            return "too disturbed to tell the bottleneck"
        full = self.load + self.load_others >= FULL
        return FULL_LOAD if full else ROOM


def megabytes(processes: Iterable[int]) -> tuple[float, float]:
    """Resident, and with shared pages counted by each one's share."""
    found = memory(processes)
    return found.rss / 1e6, found.pss / 1e6
