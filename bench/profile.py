"""Where a worker's time goes: samples of its stack while it serves as much as it can take.

    python -m bench.profile [--case NAME] [--seconds S] [--rate HZ] [--top N] [--raw FILE] [--write]

The gateway, the routes and the load are those of ``bench.proxy``. Samples are taken by py-spy, from outside and without
a change to the worker; it is fetched into build/peers where there is none. ``--raw`` keeps all stacks, one a line with
its count, which is what flame graphs are made of. ``--write`` puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.processes import LOAD_CORE, PROXY_CORE, cpu_times, end_on_sigterm, pin
from bench.proxy.cases import CASES, SMALL, Case, run_wrk
from bench.proxy.field import say
from bench.proxy.finding import ROOT, fetch_missing, find
from bench.proxy.gateway import ROUTES, Gateway, make_routes
from bench.proxy.peers import PATH
from bench.proxy.upstream import free_port, start_upstream, wait_for
from bench.report import describe_machine, describe_moment, table, write_part

WARM_SECONDS = 2
MEASURE_SECONDS = 3
MARGIN_SECONDS = 2  # py-spy takes a while to begin
PACKAGES = re.compile(r".*/(?:site-packages|lib/python[\d.]+)/")


@dataclass(frozen=True)
class Profile:
    """``own`` and ``within`` count samples by function: in it itself, and in it or what it called."""

    samples: int
    own: Counter[str]
    within: Counter[str]


def read_stacks(lines: Iterable[str]) -> Profile:
    """Lines of ``outermost;...;innermost count``, as py-spy writes them."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = [shorten(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):  # a recursive one counts once
            within[frame] += int(count)
    return Profile(own.total(), own, within)


def shorten(frame: str) -> str:
    """``function (file)`` with the file as it is named in this repository, or in its package."""
    name, _, place = frame.partition(" (")
    place = place.rstrip(")").removeprefix(f"{ROOT}/")
    return f"{name} ({PACKAGES.sub('', place)})" if place else name


def list_top(profile: Profile, most: int) -> list[list[str]]:
    rows = []
    for frame, count in profile.own.most_common(most):
        name, _, place = frame.partition(" (")
        shares = [f"{times / profile.samples:.1%}" for times in (count, profile.within[frame])]
        rows.append([f"`{name}`", place.rstrip(")"), *shares])
    return rows


def start_recording(worker: int, seconds: int, rate: int, raw: Path) -> subprocess.Popen[str]:
    options = ["--function", "--format", "raw", "--rate", str(rate), "--duration", str(seconds)]
    command = [find("py-spy") or "py-spy", "record", *options, "--pid", str(worker), "--output", str(raw)]
    return subprocess.Popen(pin(LOAD_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def record(case: Case, gateway: Gateway, worker: int, seconds: int, rate: int) -> list[str]:
    """The stacks of a worker under load; SystemExit where py-spy may not read them."""
    raw = gateway.folder / "stacks"
    with start_recording(worker, seconds, rate, raw) as recording:
        try:
            run_wrk(case, gateway.port, seconds + MARGIN_SECONDS, gateway.folder)
            said, _ = recording.communicate(timeout=60)
        finally:
            recording.kill()
    if recording.returncode or not raw.exists():
        raise SystemExit(f"py-spy could not read process {worker}: {' '.join(said.split())[-300:]}")
    return raw.read_text().splitlines()


def describe_cost(case: Case, gateway: Gateway, worker: int) -> str:
    """By the kernel's account, without anybody looking on."""
    before = cpu_times([worker])
    told, _ = run_wrk(case, gateway.port, MEASURE_SECONDS, gateway.folder)
    used = [end - begin for end, begin in zip(cpu_times([worker]), before, strict=True)]
    own, kernel = (f"{seconds / max(1, told.requests) * 1e6:.1f}" for seconds in used)
    return f"{case.name}: {own} us of processor time per request in the worker's own code, {kernel} us in the kernel."


def profile_case(case: Case, seconds: int, rate: int) -> tuple[str, list[str]]:
    """A line on what a request cost, and the stacks."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the upstream's workers may be somebody else
        _, upstream = start_upstream(folder, stack)
        gateway = Gateway(folder, free_port(), cores=PROXY_CORE)
        process = gateway.start(stack)
        gateway.define(upstream, make_routes(ROUTES))
        wait_for(process, gateway.port, PATH)
        (worker,) = gateway.workers()
        run_wrk(case, gateway.port, WARM_SECONDS, folder)
        return describe_cost(case, gateway, worker), record(case, gateway, worker, seconds, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default=SMALL.name, choices=[case.name for case in CASES])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=200, help="samples a second")
    parser.add_argument("--top", type=int, default=25, help="functions that are listed")
    parser.add_argument("--raw", type=Path, help="where all stacks go")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    end_on_sigterm()
    for problem in fetch_missing(["py-spy", "wrk", "nginx"]):
        say(problem)
    before = os.getloadavg()[0]
    case = next(case for case in CASES if case.name == given.case)
    cost, stacks = profile_case(case, given.seconds, given.rate)
    if given.raw:
        given.raw.write_text("\n".join(stacks) + "\n")
    profile = read_stacks(stacks)
    head = ["function", "in", "itself", "with what it calls"]
    moment = f"{describe_moment('make bench-profile', before)} ({describe_machine()})"
    lines = [moment, "", f"{cost} {profile.samples:,} samples:", "", *table(head, list_top(profile, given.top))]
    print("\n".join(lines))
    if given.write:
        write_part("profile", lines)


if __name__ == "__main__":
    main()
