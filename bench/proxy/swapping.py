"""What ``bench.swap`` finds, as a part of the comparison."""

from __future__ import annotations

from bench.proxy.field import Field
from bench.swap import describe, measure_swaps_of

TIMES = 3  # at most: one takes some forty seconds


def measure_swaps(field: Field) -> list[str]:
    return describe(measure_swaps_of(field.effort.most_routes, times=min(TIMES, field.effort.rounds)))
