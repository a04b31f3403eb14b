"""``proxy stats``: what a person sees."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coalmine.cli.stats_rows import destination_rows, find_period, list_sums, say_period, worker_rows
from tests.coalmine.cli.conftest import Cli
from tests.proxy.support.upstream import RawUpstream
from tests.support.processes import ROOT, clean_environment, run_coalmine, wait_until


def told(
    requests: int, time: str = "2026-01-02T03:04:05Z", *, seconds: float | None = 200.0, **more: Any
) -> dict[str, Any]:
    latency = {"mean": 0.002, "p50": 0.0015, "p95": 0.25, "p99": 2.5}
    names = {"virtual_service": "main", "route": "r", "function": "", "upstream": "up"}
    destination = {**names, "requests": requests, "errors": 1, "seconds": latency, "upstream_seconds": latency}
    worker = {"number": 1, "pid": 7, "version": "abc", "current": True, "hung": False, "problem": None}
    worker |= {"uptime_seconds": 50.0, "resident_bytes": 31_457_280, **more}
    gauges = {
        "requests_in_flight": 3,
        "client_connections": 8,
        "upstream_connections": 6,
        "upstream_connections_idle": 2,
    }
    return {
        "time": time, "seconds": seconds, "requests": requests, "errors": 1, "gauges": gauges,
        "counters": {"retries": 9}, "destinations": [destination], "workers": [worker],
    }  # fmt: skip


def test_one_look_shows_the_average_since_the_start_of_the_gateway_and_not_of_a_worker_that_was_replaced() -> None:
    _, [row] = destination_rows(told(100), None)
    assert row == ("main", "r", "-", "up", 100, "0.5", "1 (1%)", "1.5 ms", "250 ms", "2.5 s")
    assert list(list_sums(told(100), None)) == [
        "requests       100 (1 errors), 3 in flight",
        "clients        8 connections",
        "upstreams      6 connections, 2 of them idle; 9 retries, 0 ejections, 0 timeouts",
        "per second     since the gateway's start, 3 min 20 s ago",
    ]


def test_later_looks_show_what_happened_since_the_last() -> None:
    before, after = told(100), told(150, "2026-01-02T03:04:07.500000Z")
    assert find_period(after, before) == 2.5
    assert destination_rows(after, before)[1][0][5] == "20"
    assert list(list_sums(after, before))[-1] == "per second     since the last look, 2.5 s ago"


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "current"),
        ({"current": False}, "behind"),
        ({"hung": True}, "does not answer"),
        ({"problem": "no"}, "refuses the snapshot: no"),
    ],
)
def test_a_worker_has_a_state(more: dict[str, Any], state: str) -> None:
    assert worker_rows(told(1, **more))[1] == [(1, 7, "abc", state, "50 s", "30 MB")]


def test_what_the_system_does_not_tell_is_a_dash() -> None:
    unknown = told(1, seconds=None, uptime_seconds=None, resident_bytes=None, version=None)
    assert worker_rows(unknown)[1] == [(1, 7, "-", "current", "-", "-")]
    assert destination_rows(unknown, None)[1][0][5] == "-"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.234, "1.23 s"), (61, "1 min 1 s"), (3 * 3600 + 720, "3 h 12 min"), (90_000, "1 d 1 h")],
)
def test_a_period_is_said_in_its_largest_units(seconds: float, words: str) -> None:
    assert say_period(seconds) == words


def test_the_call_can_be_shown_instead(cli: Cli) -> None:
    assert cli("proxy stats -o curl --route r").out.endswith("/api/v1/stats?route=r'\n")
    assert cli("proxy stats -o json").json["destinations"] == cli("proxy stats --json").json["destinations"] == []
    assert "requests       0 (0 errors)" in cli("proxy stats").out


def test_a_gateway_at_work_is_watched(tmp_path: Path) -> None:
    with RawUpstream() as upstream, run_coalmine(tmp_path, arguments=["--no-discovery"]) as coalmine:
        coalmine.api("upstreams", method="POST", body={"name": "up", "endpoints": [upstream.origin]})
        coalmine.api("routes", method="POST", body={"name": "all", "destinations": [{"upstream": "up"}]})
        for _ in range(3):
            assert coalmine.get("/").status == 200
        shown = json.loads(coalmine.cli("proxy", "stats", "-o", "json"))
        assert [(one["route"], one["requests"]) for one in shown["destinations"]] == [("all", 3)]
        assert [one["current"] for one in shown["workers"]] == [True]
        command = [sys.executable, "-m", "coalmine", "proxy", "stats", "-w", "--interval", "0.2"]
        environ = {**clean_environment(), "COALMINE_ADMIN_URL": coalmine.admin}
        with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            seen: list[str] = []
            wait_until(lambda: "last look" in (seen.append(watching.stdout.readline()) or seen[-1]), "a second look")
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=20)
        assert any(line.split()[:5] == ["default", "all", "-", "up", "3"] for line in seen)
