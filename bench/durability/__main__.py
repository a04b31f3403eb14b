"""See the package; ``--help`` lists the sections."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

import bench.durability
from bench.durability.rows import Given, Row, write_table

SECTIONS = {
    "kills": "8, 9: kill -9 and fsync",
    "upgrades": "10: kill -9 while the schema is brought up to date, versions that do not fit",
    "damage": "11: flipped bytes, cut and foreign files",
    "writers": "12: many writers at once",
    "histories": "13: linearizability while the control process is killed",
    "wholeness": "2, 3, 4: all or nothing, refusals, served when answered",
    "sizes": "26, 27: 1,000 upstreams with 100 functions each, 10,000 routes",
    "disks": "29: full disks and failing ones",
    "doors": "who gets in: tokens, foreign pages, the gateway's own address",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=bench.durability.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    told = "\n".join(f"{name}: {what}" for name, what in SECTIONS.items())
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{told}\n(all of them by default)")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the counts of rounds")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long histories go on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="end with status 1 where a promise is not kept")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    rows: list[Row] = []
    for name in given.sections or SECTIONS:
        started = time.monotonic()
        for row in importlib.import_module(f"bench.durability.{name}").run(
            Given(given.scale, given.seconds, given.seed)
        ):
            print(f"{name}: {row.promise}: {row.result}", file=sys.stderr, flush=True)
            rows.append(row)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(write_table(rows))
    return int(given.check and not all(row.kept for row in rows))


if __name__ == "__main__":
    sys.exit(main())
