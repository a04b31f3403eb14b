"""How many rows the case table has, by group, and where they run: ``python -m tests.support.counts``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.support.case import Case
from tests.support.cases import CASES, DRY

# Who runs which rows; each is a test of its own.
ENGINES: dict[str, tuple[Case, ...]] = {"pure core": CASES, "admin dry run": DRY, "embedded engine": CASES}


def count(cases: Iterable[Case]) -> Counter[str]:
    return Counter(case.group for case in cases)


def lines() -> list[str]:
    """A Markdown table, and what comes from elsewhere."""
    counts = {engine: count(cases) for engine, cases in ENGINES.items()}
    made = ["| group | " + " | ".join(ENGINES) + " |", "| --- |" + " --- |" * len(ENGINES)]
    for group in count(CASES):
        made.append(f"| {group} | " + " | ".join(str(counted[group]) for counted in counts.values()) + " |")
    made.append("| all | " + " | ".join(str(counted.total()) for counted in counts.values()) + " |")
    origins = Counter(case.origin for case in CASES if case.origin.startswith("gateway-api "))
    made.append("")
    made.append(
        f"{origins.total()} rows come from {len(origins)} cases of the Gateway API's HTTPRoute conformance suite:"
    )
    made += [f"- {origin.removeprefix('gateway-api ')}: {number}" for origin, number in sorted(origins.items())]
    return made


if __name__ == "__main__":
    print("\n".join(lines()))
