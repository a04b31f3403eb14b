"""As many requests as each proxy can take, case by case, round after round, one proxy at a time."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.processes import list_family
from bench.proxy.cases import CASES, SMALL, Case, Sample, Shares, list_faults, measure, megabytes
from bench.proxy.field import Field, attempt, list_absent, median, say
from bench.proxy.gateway import list_workers
from bench.proxy.peers import OPTIMISED, OURS, Proxy
from bench.report import table

CONTENDERS = (OURS.name, OPTIMISED.name)
HEAD = ("", "requests/s", "Coalmine has", "us of processor", "Coalmine by that", "its core", "load's core", "remarks")


@dataclass
class Results:
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)  # by proxy and case
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    before: dict[str, tuple[float, float]] = field(default_factory=dict)  # megabytes, resident and proportional
    after: dict[str, tuple[float, float]] = field(default_factory=dict)
    # by ours and case: answers but for those with 200, as the gateway itself counts them
    counted: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    last_count: dict[str, Counter[str]] = field(default_factory=dict)

    def names(self, case: str) -> list[str]:
        return [name for name, of in self.samples if of == case]


def measure_loads(field: Field) -> list[str]:
    results = Results()
    results.before = weigh(field)
    for number in range(field.effort.rounds + 1):
        for case in CASES:
            say(f"{case.name}, {f'round {number}' if number else 'warming up'}")
            for proxy in field.list_running():
                measure_once(field, proxy, case, results, warming=number == 0)
    results.after = weigh(field)
    for name in results.names(SMALL.name):
        field.rates[name] = median(sample.rate for sample in results.samples[name, SMALL.name])
    return describe(results, field.absent)


def weigh(field: Field) -> dict[str, tuple[float, float]]:
    """Megabytes of each proxy, resident and proportional; of ours, those of the worker besides."""
    found = {}
    for proxy in field.list_running():
        found[proxy.name] = megabytes(list_family(proxy.process.pid))
        if proxy.gateway:
            found[f"{proxy.name}, the worker alone"] = megabytes(list_workers(proxy.process.pid))
    return found


def measure_once(field: Field, proxy: Proxy, case: Case, results: Results, *, warming: bool) -> None:
    seconds = field.effort.warm_seconds if warming else field.effort.seconds
    problems: dict[str, str] = {}
    sample = attempt(
        f"{proxy.name}, {case.name}",
        lambda: measure(case, proxy.process.pid, proxy.port, field.upstream, seconds, field.folder),
        problems,
    )
    for why in problems.values():
        results.problems[proxy.name, case.name] = why
    codes = count_codes(proxy, results)
    if sample and not warming:
        results.samples.setdefault((proxy.name, case.name), []).append(sample)
        results.counted.setdefault((proxy.name, case.name), Counter()).update(codes)


def count_codes(proxy: Proxy, results: Results) -> Counter[str]:
    """What ours counted since it was asked last; nothing of others, nor where it does not answer."""
    if proxy.gateway is None:
        return Counter()
    now = attempt(f"metrics of {proxy.name}", proxy.gateway.count_codes, {}) or Counter()
    before = results.last_count.get(proxy.name, now)
    results.last_count[proxy.name] = now
    return Counter({code: count for code, count in (now - before).items() if code != "200"})


def describe(results: Results, absent: dict[str, str]) -> list[str]:
    lines = ["#### Ratios", ""]
    lines += [
        "Coalmine's requests per second and core as a multiple of the other's, and in brackets the same by processor"
    ]
    lines += [
        "time per request, which also tells where not the proxy was the bottleneck. Medians of the rounds' ratios.",
        "A star: the core of one of the two had room left, so only the figure in brackets compares them.",
        "",
    ]
    lines += _list_ratios(results, OURS.name)
    if OPTIMISED.name in results.names(SMALL.name):
        lines += ["", f"The same for {OPTIMISED.name}, whose interpreter is named above:", ""]
        lines += _list_ratios(results, OPTIMISED.name)
    for case in CASES:
        lines += ["", f"#### {case.name[0].upper()}{case.name[1:]}", "", *_list_case(results, case)]
    lines += ["", "#### Memory", "", *_list_memory(results)]
    return [*lines, *([""] if absent else []), *list_absent(absent)]


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> tuple[float, float]:
    """By requests per second and by processor time, round by round."""
    pairs = list(zip(ours, theirs, strict=False))
    return median(a.rate / b.rate for a, b in pairs), median(b.cost / max(a.cost, 1e-9) for a, b in pairs)


def _list_ratios(results: Results, ours: str) -> list[str]:
    names = list(dict.fromkeys(name for name, _ in results.samples if name not in CONTENDERS))
    rows = [[case.name, *(_ratio_cell(results, ours, name, case) for name in names)] for case in CASES]
    return table([f"{ours} to", *names], rows)


def _ratio_cell(results: Results, ours: str, other: str, case: Case) -> str:
    one, another = (results.samples.get((name, case.name)) for name in (ours, other))
    if not one or not another:
        return "not measured"
    by_rate, by_cost = ratios(one, another)
    sure = Shares.of(one).bound and Shares.of(another).bound
    return f"{by_rate:.2f}{'' if sure else '*'} ({by_cost:.2f})"


def _list_case(results: Results, case: Case) -> list[str]:
    ours = results.samples.get((OURS.name, case.name))
    rows = [_row(name, case, results.samples[name, case.name], ours, results) for name in results.names(case.name)]
    failed = [
        [name, "not measured", *[""] * (len(HEAD) - 3), why]
        for (name, of), why in results.problems.items()
        if of == case.name and (name, of) not in results.samples
    ]
    return table(HEAD, [*rows, *failed])


def _row(
    name: str, case: Case, samples: Sequence[Sample], ours: Sequence[Sample] | None, results: Results
) -> list[str]:
    rate, cost, proxy, load = (
        median(values) for values in zip(*((s.rate, s.cost, s.proxy, s.load) for s in samples), strict=True)
    )
    by_rate, by_cost = ratios(ours, samples) if ours else (0.0, 0.0)
    throughput = f", {rate * case.answer_bytes / 1e6:,.0f} MB/s" if case.answer_bytes else ""
    return [
        name,
        f"{rate:,.0f}{throughput}{_spread([sample.rate for sample in samples])}",
        f"{by_rate:.2f}",
        f"{cost:.1f}",
        f"{by_cost:.2f}",
        f"{proxy:.0%}",
        f"{load:.0%}",
        "; ".join(_remarks(samples, Shares.of(samples).judge(), results, (name, case.name))),
    ]


def _spread(rates: Sequence[float]) -> str:
    """How far the rounds were apart, where there were several."""
    middle = statistics.median(rates)
    return f" ±{max(abs(rate - middle) for rate in rates) / middle:.0%}" if len(rates) > 1 else ""


def _remarks(samples: Sequence[Sample], verdict: str, results: Results, what: tuple[str, str]) -> Iterable[str]:
    faults = list_faults(samples)
    codes = results.counted.get(what, Counter())
    # 499 are the requests that wrk leaves behind at its end
    own = f"its own: {', '.join(f'{code} {count:,}' for code, count in codes.most_common())}"
    problem = results.problems.get(what)
    told = [verdict, *faults, own if codes and (faults or set(codes) - {"499"}) else ""]
    return filter(None, [*told, f"one round failed: {problem}" if problem else ""])


def _list_memory(results: Results) -> list[str]:
    head = ("MB", "at the start", "after all cases", "proportional, at the start", "proportional, after all cases")
    rows = []
    for name, (rss, pss) in results.before.items():
        after = results.after.get(name, (0.0, 0.0))
        rows.append([name, f"{rss:.0f}", f"{after[0]:.0f}", f"{pss:.0f}", f"{after[1]:.0f}"])
    return table(head, rows)
