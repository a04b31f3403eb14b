"""What a section tells: one row for each promise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """``scale`` multiplies every count of rounds; ``seconds`` is how long clients keep on; ``seed`` is for chance."""

    scale: float = 1.0
    seconds: float = 60.0
    seed: int = 1

    def rounds(self, full: int) -> int:
        return max(1, round(full * self.scale))


@dataclass(frozen=True, slots=True)
class Row:
    promise: str
    done: str
    result: str
    kept: bool


def write_table(rows: Iterable[Row]) -> str:
    lines = ["| promise | what was done | result | kept |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.promise} | {row.done} | {row.result} | {'yes' if row.kept else '**no**'} |" for row in rows]
    return "\n".join(lines)
