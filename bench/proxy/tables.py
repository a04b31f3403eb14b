"""What a request costs in a table of 10 and of 10,000 routes.

Asked in pairs, one table right after the other and by turns first: requests that take another of the ten routes that
both tables have each time, and requests that take another of all routes each time. No two requests of the first two
kinds have the same path, so that what is remembered of one path flatters neither table. What is known of the paths of
one directory (decision 0013) is known in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.proxy.cases import Case, Sample, Shares, list_faults, measure, run_wrk
from bench.proxy.field import Field, attempt, list_absent, median, say
from bench.proxy.peers import OURS, Peer, Proxy
from bench.report import table

FEWEST = 10
ENVOY = "Envoy"
COMPARED = (OURS.name, ENVOY)  # the others' configurations have no tables of routes that they look through alike
# The first times that a route is taken cost ten times as much as the later ones, and there are ten thousand of them.
WARM_SECONDS = (3, 10, 60)
TIMES = 3
MOST_SECONDS = 2  # short turns: what else the machine does then hits both of a pair
PAIRS = 5


@dataclass(frozen=True)
class Kind:
    name: str
    path: str
    all_routes: bool
    of: Sequence[str] = COMPARED


KINDS = (
    Kind("ten routes, another id each time", "/service-{route}/pets/{n}", all_routes=False, of=(OURS.name,)),
    Kind("all routes, another id each time", "/service-{route}/pets/{n}", all_routes=True),
    Kind("all routes, always the same id", "/service-{route}/pets/7", all_routes=True, of=(OURS.name,)),
)
WANTED = tuple((name, kind) for kind in KINDS for name in kind.of)


def measure_tables(field: Field) -> list[str]:
    problems: dict[str, str] = {}
    pairs: dict[tuple[str, Kind], list[tuple[Sample, Sample]]] = {}
    sizes = (FEWEST, field.effort.most_routes)
    with ExitStack() as stack:
        started = start_all(field, sizes, stack, problems)
        warm_up(field, started, problems)
        for number in range(min(PAIRS, 2 * field.effort.rounds)):
            for name, kind in WANTED:
                if {(name, size) for size in sizes} <= set(started):
                    say(f"{name}, {kind.name}, pair {number + 1}")
                    order = sizes if number % 2 else sizes[::-1]
                    runs = {size: measure_once(field, size, started[name, size], kind, problems) for size in order}
                    few, many = (runs[size] for size in sizes)
                    if few and many:
                        pairs.setdefault((name, kind), []).append((few, many))
    head = [
        "",
        "requests",
        *(f"us of processor, {size:,} routes" for size in sizes),
        "ratio",
        "of each pair",
        "remarks",
    ]
    rows = [_row(name, kind, found) for (name, kind), found in pairs.items()]
    return [*table(head, rows), *([""] if problems else []), *list_absent(problems)]


def start_all(
    field: Field, sizes: Sequence[int], stack: ExitStack, problems: dict[str, str]
) -> dict[tuple[str, int], Proxy]:
    started = {}
    for peer in field.peers:
        for size in sizes if peer.name in COMPARED else ():
            say(f"{size} routes: starting {peer.name}")
            proxy = attempt(
                f"{peer.name}, {size:,} routes", lambda p=peer, s=size: start_one(field, p, s, stack), problems
            )
            if proxy:
                started[peer.name, size] = proxy
    return started


def start_one(field: Field, peer: Peer, size: int, stack: ExitStack) -> Proxy:
    return peer.start(field.make_folder(f"{peer.name}-{size}"), field.upstream_port, stack, routes=size)


def warm_up(field: Field, started: dict[tuple[str, int], Proxy], problems: dict[str, str]) -> None:
    for (name, size), proxy in started.items():
        say(f"{size} routes: taking each of {name} a few times")
        attempt(f"{name}, {size:,} routes, taking each", lambda s=size, p=proxy: take_each(field, s, p), problems)


def take_each(field: Field, size: int, proxy: Proxy) -> None:
    """With other ids and with the same. RuntimeError where a minute is not enough for that."""
    for kind in (one for one in KINDS if one.all_routes):
        case = make_case(kind, size)
        # each time from the first route on
        runs = (run_wrk(case, proxy.port, seconds, field.folder)[0].requests for seconds in WARM_SECONDS)
        if not any(requests >= TIMES * size for requests in runs):
            raise RuntimeError(f"some of {size:,} routes were not taken {TIMES} times in {WARM_SECONDS[-1]} s")


def make_case(kind: Kind, size: int) -> Case:
    return Case(f"{size} routes", kind.path, routes=size if kind.all_routes else FEWEST)


def measure_once(field: Field, size: int, proxy: Proxy, kind: Kind, problems: dict[str, str]) -> Sample | None:
    case, seconds = make_case(kind, size), min(field.effort.seconds, MOST_SECONDS)
    found: Sample | None = attempt(
        f"{proxy.name}, {size:,} routes, {kind.name}",
        lambda: measure(case, proxy.process.pid, proxy.port, field.upstream, seconds, field.folder),
        problems,
    )
    return found


def _row(name: str, kind: Kind, pairs: Sequence[tuple[Sample, Sample]]) -> list[str]:
    ratios = [many.cost / max(few.cost, 1e-9) for few, many in pairs]
    every = [sample for pair in pairs for sample in pair]
    costs = [f"{median(sample.cost for sample in samples):.1f}" for samples in zip(*pairs, strict=True)]
    remarks = filter(None, [Shares.of(every).judge(), *list_faults(every)])
    each = " ".join(f"{ratio:.2f}" for ratio in ratios)
    return [name, kind.name, *costs, f"{median(ratios):.2f}", each, "; ".join(remarks)]
