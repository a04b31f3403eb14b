"""``discover``: probe now, tell what came of it, wait for it."""

from __future__ import annotations

import pytest

from coalmine.model import Attempt, ProbeReport
from tests.admin_api.support import V1, V2
from tests.coalmine.cli.conftest import Cli


@pytest.fixture
def states(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the next probes find, in order; the last one is found for ever."""
    states = ["discovered"]
    attempt = Attempt(url="http://127.0.0.1:9001/x", reason="a guess", outcome="not_found", status=404, detail="no")

    def probe(upstream: str) -> ProbeReport:
        state = states.pop(0) if len(states) > 1 else states[0]
        return ProbeReport.model_validate({"upstream": upstream, "state": state, "attempts": (attempt,)})

    monkeypatch.setattr(cli.api.prober, "probe", probe)
    return states


def test_all_upstreams_that_are_looked_at(cli: Cli, states: list[str]) -> None:
    cli("create upstream static --name quiet --static-hosts h:1 --no-discovery")
    assert [item["upstream"] for item in cli("discover -o json").json] == [V1, V2]


def test_one_that_is_found(cli: Cli, states: list[str]) -> None:
    told = cli(f"discover {V1}")
    assert f"{V1}  discovered" in told.out
    assert told.err == ""


def test_one_that_is_not_found_is_exit_code_1(cli: Cli, states: list[str]) -> None:
    states[:] = ["not_found"]
    told = cli(f"discover {V1}", code=1)
    assert "not_found" in told.out
    assert f"coalmine describe upstream {V1} shows what was tried" in told.err


def test_waiting_until_it_is_found(cli: Cli, states: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coalmine.cli.discover._PAUSE_SECONDS", 0.0)
    states[:] = ["unreachable", "unreachable", "discovered"]
    assert "discovered" in cli(f"discover {V1} --wait 60").out


def test_an_unknown_upstream(cli: Cli) -> None:
    assert "did you mean" in cli(f"discover {V1}x", code=1).err


def test_what_was_tried_is_described(cli: Cli, states: list[str]) -> None:
    report = cli.api.prober.probe(V1)
    with cli.api.catalog.write() as writer:
        writer.save_discovery(V1, functions=[], report=report, documents=None)
    told = cli(f"describe upstream {V1}").out
    assert "http://127.0.0.1:9001/x  not_found  404     a guess           no" in told
