"""``python -m tests.proxy.fuzz SECONDS [SEED] [PART]``: fuzz the engine for a while, tell what was found.

Each run is a number, from SEED on (default: the time): the same number gives the same bytes, so a finding can be
repeated. PART is requests, answers or live; without it the time is shared. It exits with 1 where something was found.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable

from tests.proxy.fuzz.inside import House, fuzz_answers, fuzz_requests
from tests.proxy.fuzz.live import fuzz_live

Fuzz = Callable[[random.Random, House], tuple[bytes, str | None]]
PARTS: dict[str, Fuzz] = {"requests": fuzz_requests, "answers": fuzz_answers}
SHOWN = 3  # findings of one kind


async def run_inside(name: str, seed: int, seconds: float = math.inf, most: float = math.inf) -> int:
    """How many findings in ``seconds`` or ``most`` runs; the loop gets a turn now and then, for timers."""
    house, runs, kinds = House(), 0, Counter[str]()
    started = time.monotonic()
    while runs < most and time.monotonic() < started + seconds:
        rng = random.Random(seed + runs)
        try:
            data, fault = PARTS[name](rng, house)
        except Exception:
            data, fault, house = b"", traceback.format_exc(), House()
        if fault is not None:
            kinds[fault[-50:] if not data else fault[:40]] += 1
            if max(kinds.values()) <= SHOWN:
                print(f"{name} {seed + runs}: {data!r}\n  {fault}", flush=True)
        runs += 1
        if runs % 500 == 0:
            await asyncio.sleep(0)
    print(
        f"{name}: {runs} runs from {seed} in {time.monotonic() - started:.0f} s, {sum(kinds.values())} findings",
        flush=True,
    )
    return sum(kinds.values())


def main(seconds: float, seed: int, part: str | None) -> int:
    parts = [part] if part else [*PARTS, "live"]
    share = seconds / len(parts)
    found = 0
    for name in parts:
        if name == "live":
            found += fuzz_live(seed, share)
        else:
            found += asyncio.run(run_inside(name, seed, share))
    return 1 if found else 0


if __name__ == "__main__":
    _, seconds, *rest = sys.argv
    sys.exit(main(float(seconds), int(rest[0]) if rest else int(time.time()), rest[1] if len(rest) > 1 else None))
