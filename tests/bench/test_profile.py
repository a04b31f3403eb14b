"""Stacks that were sampled become a table of functions."""

from __future__ import annotations

from bench.profile import list_top, read_stacks
from bench.proxy.finding import ROOT

LOOP = "run (asyncio/runners.py:118)"
WALK = "walk (/usr/lib/python3/site-packages/other/tree.py:3)"
STACKS = [
    f"{LOOP} 4",
    f"{LOOP};begin ({ROOT}/proxy/embedded/fast.py:65) 1",
    f"{LOOP};begin ({ROOT}/proxy/embedded/fast.py:65);{WALK} 2",
    f"{LOOP};{WALK};{WALK} 3",
]


def test_functions_are_listed_by_the_samples_in_themselves() -> None:
    assert list_top(read_stacks(STACKS), 3) == [
        ["`walk`", "other/tree.py:3", "50.0%", "50.0%"],
        ["`run`", "asyncio/runners.py:118", "40.0%", "100.0%"],
        ["`begin`", "proxy/embedded/fast.py:65", "10.0%", "30.0%"],
    ]
