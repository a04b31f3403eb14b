"""What many tests share: the two pet stores, as real processes, once per session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes import Petstore, run_petstore

# The same examples each time: a change is judged by what it changes. Long hunts for others have commands of their own.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@dataclass(frozen=True)
class Petstores:
    v1: Petstore
    v2: Petstore


@pytest.fixture(scope="session")
def petstores() -> Iterator[Petstores]:
    """Nobody adds pets to these."""
    with run_petstore("v1") as v1, run_petstore("v2") as v2:
        yield Petstores(v1, v2)
