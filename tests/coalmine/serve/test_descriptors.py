"""No more connections than there are descriptors for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from coalmine.serve.descriptors import most_connections
from coalmine.settings import Settings
from tests.support.processes import ROOT


@pytest.mark.parametrize(
    ("limit", "requests", "most"),
    [
        (1_048_576, 5_000, 1_042_576),
        (20_000, 5_000, 14_000),
        (4_096, 5_000, 1_548),
        (4_096, 0, 1_548),
        (1_024, 5_000, 256),
        (64, 5_000, 16),
        (3, 5_000, 1),
    ],
)
def test_a_request_takes_a_descriptor_for_its_client_and_one_for_its_upstream(
    limit: int, requests: int, most: int
) -> None:
    assert most_connections(limit, Settings(max_requests=requests)) == most


def test_the_soft_limit_is_raised_and_what_the_hard_one_costs_is_said() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1200))
from coalmine.serve.descriptors import fit_descriptors
from coalmine.settings import Settings
print(fit_descriptors(Settings(), print).max_connections, resource.getrlimit(resource.RLIMIT_NOFILE))
print(fit_descriptors(Settings(max_connections=100), print).max_connections)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "open files are limited to 1200 (ulimit -Hn): each worker accepts at most 300 client connections"
        " instead of 10000",
        "300 (1200, 1200)",
        "100",
    ]
