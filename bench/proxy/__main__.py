"""A worker of Coalmine beside other proxies, core for core: the same requests, round after round.

    python -m bench.proxy [--quick] [--rounds N] [--seconds S] [--only NAME ...] [--parts PART ...] [--no-fetch]

The proxy has one core, what sends and what answers share another. Each round runs every case through every proxy, so
that a noisy minute hits all of them; what counts are ratios within a round, and medians of those. What each part
measures says ``PARTS``. What is missing of the peers is fetched into build/peers. A run writes its parts of
docs/benchmarks.md, a quick one (a round of a second, to try the program itself) only prints them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.processes import PINS, end_on_sigterm, raise_file_limit
from bench.proxy import idle, latency, loads, scaling, swapping, tables
from bench.proxy.field import Effort, Field, attempt, prepare_field, say
from bench.proxy.finding import describe_origin, fetch_missing, find, find_version
from bench.proxy.interpreters import find_better, furnish, is_furnished
from bench.proxy.peers import OPTIMISED, OURS, PEERS, Peer
from bench.report import describe_machine, describe_moment, table, write_part

QUICK = Effort(rounds=1, seconds=1, warm_seconds=1, most_routes=1_000)

Tell = Callable[[str, list[str]], None]


@dataclass(frozen=True)
class Part:
    name: str
    measure: Callable[[Field], list[str]]
    all_run: bool = False  # wants all proxies started and standing by


PARTS = (
    Part("idle connections", idle.measure_idle),  # first, on proxies that have not grown yet
    Part("loads", loads.measure_loads, all_run=True),
    Part("latency", latency.measure_latency, all_run=True),
    Part("route tables", tables.measure_tables),
    Part("scaling", scaling.measure_scaling),
    Part("swaps", swapping.measure_swaps),
)


def describe_peers(peers: Sequence[Peer], problems: Sequence[str]) -> list[str]:
    versions = [[peer.name, peer.version(), peer.origin()] for peer in peers]
    versions += [["wrk", find_version("wrk"), describe_origin("wrk")]]
    pinned = "" if PINS else ["", "Nothing was pinned to a core: there is no taskset, or only one core."]
    return [
        describe_machine(),
        *pinned,
        "",
        *table(["", "version", "from"], versions),
        "",
        *(f"- {one}" for one in problems),
    ]


def measure_parts(field: Field, parts: Sequence[Part], tell: Tell) -> None:
    """Tells the lines of each part as soon as they are there: a run that is interrupted has not been for nothing."""
    with ExitStack() as stack:
        for part in parts:
            if part.all_run and not field.proxies:
                field.start(stack)
            if not part.all_run and field.proxies:
                stack.close()
                field.proxies.clear()
            tell(part.name, measure_part(field, part))


def measure_part(field: Field, part: Part) -> list[str]:
    say(f"== {part.name}")
    before, begun, problems = os.getloadavg()[0], time.monotonic(), {}
    lines = attempt(part.name, lambda: part.measure(field), problems)
    say(f"== {part.name} took {time.monotonic() - begun:.0f} s")
    told = lines if lines is not None else [f"Not measured: {problems[part.name]}"]
    effort = f"rounds {field.effort.rounds}, {field.effort.seconds} s each"
    return [f"{describe_moment('make bench', before)} ({effort})", "", *told]


def tell(name: str, lines: list[str], *, write: bool) -> None:
    print("\n".join(["", f"## {name}", "", *lines]), flush=True)
    if write:
        write_part(name, lines)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of one second, nothing written")
    parser.add_argument("--rounds", type=int, default=Effort.rounds)
    parser.add_argument("--seconds", type=int, default=Effort.seconds, help="of each case, proxy and round")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="of other proxies, such as nginx")
    parser.add_argument("--parts", nargs="*", default=[], choices=[part.name for part in PARTS], metavar="PART")
    parser.add_argument("--no-fetch", action="store_true", help="use what is there of the peers")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser.parse_args(arguments)


def choose(peers: Sequence[Peer], only: Sequence[str]) -> list[Peer]:
    """Ours and, of the others, those that are there and wanted."""
    wanted = {name.lower() for name in only}
    there = [
        peer for peer in peers if peer.is_there() and (peer is not OPTIMISED or (find_better() and is_furnished()))
    ]
    return [peer for peer in there if peer is OURS or not wanted or peer.name.lower() in wanted]


def main(arguments: Sequence[str]) -> int:
    given = read_arguments(arguments)
    end_on_sigterm()
    raise_file_limit()
    problems = [] if given.no_fetch else fetch_missing()
    for line in problems:
        say(line)
    if missing := [program for program in ("nginx", "wrk") if find(program) is None]:
        say(f"without {' and '.join(missing)} nothing can be measured: nginx is the upstream, wrk sends the requests")
        return 1
    if not given.no_fetch and find_better():
        problems += furnish()
    peers = choose(PEERS, given.only)
    problems += [f"{peer.name}: not there" for peer in PEERS if peer is not OPTIMISED and not peer.is_there()]
    effort = QUICK if given.quick else Effort(given.rounds, given.seconds)
    parts = [part for part in PARTS if not given.parts or part.name in given.parts]
    tell_part = partial(tell, write=not (given.quick or given.no_write or given.only))
    folder = Path(tempfile.mkdtemp(prefix="coalmine-bench-"))
    try:
        folder.chmod(0o755)  # workers of proxies may be somebody else
        with prepare_field(peers, folder, effort) as field:
            tell_part("machine", describe_peers(peers, problems))
            measure_parts(field, parts, tell_part)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
