"""What a request costs in a table of 10 and of 10,000 routes, when every request takes another route and another id."""

from __future__ import annotations

from contextlib import ExitStack

from bench.proxy.cases import Case, Sample, count_faults, judge, measure
from bench.proxy.field import Field, attempt, list_absent, median, say
from bench.proxy.peers import Peer, Proxy
from bench.report import table

FEWEST = 10
COMPARED = ("Coalmine", "Envoy")  # the others' configurations have no tables of routes that they look through alike


def measure_tables(field: Field) -> list[str]:
    problems: dict[str, str] = {}
    samples: dict[tuple[str, int], list[Sample]] = {}
    with ExitStack() as stack:
        started = start_all(field, stack, problems)
        for number in range(field.effort.rounds + 1):
            for (name, size), proxy in started.items():
                say(f"{size} routes: {name}, {f'round {number}' if number else 'warming up'}")
                run = attempt(f"{name}, {size:,} routes", lambda s=size, p=proxy: measure_once(field, s, p), problems)
                if run and number:
                    samples.setdefault((name, size), []).append(run)
    sizes = (FEWEST, field.effort.most_routes)
    rows = [
        _row(name, *(samples[name, size] for size in sizes))
        for name in COMPARED
        if {(name, size) for size in sizes} <= set(samples)
    ]
    head = ["", *(f"us of processor, {size:,} routes" for size in sizes), "ratio", "remarks"]
    return [*table(head, rows), *([""] if problems else []), *list_absent(problems)]


def start_all(field: Field, stack: ExitStack, problems: dict[str, str]) -> dict[tuple[str, int], Proxy]:
    started = {}
    for peer in field.peers:
        for size in (FEWEST, field.effort.most_routes) if peer.name in COMPARED else ():
            say(f"{size} routes: starting {peer.name}")
            proxy = attempt(
                f"{peer.name}, {size:,} routes", lambda p=peer, s=size: start_one(field, p, s, stack), problems
            )
            if proxy:
                started[peer.name, size] = proxy
    return started


def start_one(field: Field, peer: Peer, size: int, stack: ExitStack) -> Proxy:
    return peer.start(field.make_folder(f"{peer.name}-{size}"), field.upstream_port, stack, routes=size)


def measure_once(field: Field, size: int, proxy: Proxy) -> Sample:
    case = Case(f"{size} routes", "/service-{route}/pets/{n}", routes=size)
    return measure(case, proxy.process.pid, proxy.port, field.upstream, field.effort.seconds, field.folder)


def _row(name: str, few: list[Sample], many: list[Sample]) -> list[str]:
    ratio = median(b.cost / max(a.cost, 1e-9) for a, b in zip(few, many, strict=False))
    verdicts = [
        judge(*(median(values) for values in zip(*((s.proxy, s.load, s.others) for s in runs), strict=True)))
        for runs in (few, many)
    ]
    remarks = [*dict.fromkeys(filter(None, verdicts)), *count_faults((*few, *many))]
    costs = [f"{median(sample.cost for sample in runs):.1f}" for runs in (few, many)]
    return [name, *costs, f"{ratio:.2f}", "; ".join(remarks)]
