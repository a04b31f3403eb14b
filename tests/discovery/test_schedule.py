from __future__ import annotations

import pytest

from coalmine.model import DiscoveryState
from coalmine.settings import Settings
from discovery.options import ProbeOptions
from discovery.schedule import next_delay

ROWS: list[tuple[str, DiscoveryState, int, float, float]] = [
    ("a success: one interval", "discovered", 0, 0.0, 30),
    ("jitter only shortens, so that a change is noticed within one interval", "discovered", 0, 1.0, 25.5),
    ("an empty document is a success", "empty", 0, 0.0, 30),
    ("the first failure: one interval", "stale", 1, 0.0, 30),
    ("then twice as long", "stale", 2, 0.0, 60),
    ("up to four intervals for a service that is down", "unreachable", 9, 0.0, 120),
    ("up to sixteen for one without a document", "not_found", 9, 0.0, 480),
    ("however often it failed", "not_found", 10**9, 0.0, 480),
]


@pytest.mark.parametrize(
    ("state", "failures", "draw", "seconds"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_next_delay(state: DiscoveryState, failures: int, draw: float, seconds: float) -> None:
    assert next_delay(30, state, failures, draw) == pytest.approx(seconds)


def test_a_search_in_vain_is_as_rare_whether_functions_are_known_or_not() -> None:
    assert next_delay(30, "stale", 9, 0.0, searched=True) == next_delay(30, "not_found", 9, 0.0) == 480
    assert next_delay(30, "stale", 1, 0.0, searched=True) == 30


def test_options_come_from_the_settings() -> None:
    settings = Settings(discovery=False, probe_timeout_seconds=1.5, max_document_bytes=7, allow_link_local=True)
    options = ProbeOptions.of(settings)
    assert (options.enabled, options.timeout_seconds, options.max_bytes, options.allow_link_local) == (
        False,
        1.5,
        7,
        True,
    )
    assert options.user_agent.startswith("coalmine/")
