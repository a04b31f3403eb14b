"""Snapshots reach real worker processes, whatever those do."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from coalmine.feed import FeedServer, SnapshotFeed, stale
from coalmine.model import Definitions
from tests.coalmine.feed.support import Worker, running_server, snapshot_of, wait_until, workers
from tests.coalmine.feed.worker import LABELS


def feed_of(server: FeedServer, names: list[str], **options: Any) -> SnapshotFeed:
    """A feed whose snapshot has one upstream: the last of ``names``."""
    return SnapshotFeed(Definitions, server=server, build=lambda _: snapshot_of(names[-1]), **options)


def connected(server: FeedServer, count: int) -> None:
    wait_until(lambda: len(server.workers()) == count)


def test_publish_returns_after_both_workers_serve_it(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "s") as server,
        workers(Worker(tmp_path / "s", index=0), Worker(tmp_path / "s", index=1)) as both,
    ):
        connected(server, 2)
        feed = feed_of(server, ["one"])
        version = feed.publish().version
        states = feed.workers()
        assert [state.version for state in states] == [version, version]
        assert [state.pid for state in states] == [worker.process.pid for worker in both]
        for worker in both:
            wait_until(lambda worker=worker: worker.lines == [f"applied {version}"])


def test_a_hung_worker_delays_one_write_and_no_other(tmp_path: Path) -> None:
    names = ["one"]
    with (
        running_server(tmp_path / "s", ack_seconds=0.3) as server,
        workers(Worker(tmp_path / "s", "hang", index=0), Worker(tmp_path / "s", index=1)),
    ):
        connected(server, 2)
        feed = feed_of(server, names)
        started = time.monotonic()
        feed.publish()
        first = time.monotonic() - started
        started = time.monotonic()
        for number in range(20):
            names.append(f"more-{number}")
            feed.publish()
        assert first >= 0.3
        assert time.monotonic() - started < 20 * 0.3
        hung, good = feed.workers()
        assert hung.hung and hung.version is None
        assert good.version == feed.current.version


def test_a_stopped_worker_catches_up_with_the_newest_snapshot_only(tmp_path: Path) -> None:
    names = ["one"]
    with running_server(tmp_path / "s", ack_seconds=0.2) as server, workers(Worker(tmp_path / "s")) as (worker,):
        connected(server, 1)
        feed = feed_of(server, names)
        feed.publish()
        os.kill(worker.process.pid, signal.SIGSTOP)
        for name in ("two", "three", "four"):
            names.append(name)
            feed.publish()
        os.kill(worker.process.pid, signal.SIGCONT)
        newest = snapshot_of("four").version
        wait_until(lambda: worker.lines[-1:] == [f"applied {newest}"])
        wait_until(lambda: not server.workers()[0].hung)
        assert worker.lines == [f"applied {snapshot_of(name).version}" for name in ("one", "two", "four")]


def test_a_worker_that_dies_while_it_applies_does_not_use_up_the_time(tmp_path: Path) -> None:
    with running_server(tmp_path / "s", ack_seconds=15) as server, workers(Worker(tmp_path / "s", "hang")) as (worker,):
        connected(server, 1)
        feed = feed_of(server, ["one"])

        def kill_when_hanging() -> None:
            wait_until(lambda: worker.lines == ["hangs"])
            worker.process.kill()

        killer = threading.Thread(target=kill_when_hanging)
        killer.start()
        started = time.monotonic()
        feed.publish()
        killer.join()
        assert time.monotonic() - started < 10
        connected(server, 0)


def test_a_snapshot_that_a_worker_refuses_is_reported_and_sent_once(tmp_path: Path) -> None:
    names = ["good", "bad"]
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s", "refuse")):
        connected(server, 1)
        feed = feed_of(server, names)
        feed.publish()
        (state,) = feed.workers()
        assert state.problem == "RuntimeError: cannot serve bad"
        assert state.version is None and not state.hung
        names.append("good")
        good = feed.publish()
        (state,) = feed.workers()
        assert (state.version, state.problem) == (good.version, None)


def test_a_worker_that_starts_later_gets_the_current_snapshot(tmp_path: Path) -> None:
    with running_server(tmp_path / "s") as server:
        version = feed_of(server, ["one"]).publish().version
        with workers(Worker(tmp_path / "s")):
            wait_until(lambda: [state.version for state in server.workers()] == [version])


def test_a_worker_that_serves_it_already_does_not_apply_it_again(tmp_path: Path) -> None:
    names = ["one"]
    version = snapshot_of("one").version
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s", version=version)) as (worker,):
        connected(server, 1)
        feed = feed_of(server, names)
        feed.publish()
        assert feed.workers()[0].version == version
        names.append("two")
        feed.publish()
        wait_until(lambda: worker.lines)
        assert worker.lines == [f"applied {snapshot_of('two').version}"]


def test_a_worker_that_lacks_what_a_change_is_about_gets_the_whole_snapshot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["one"]
    # It serves this version from disk, say, and has never heard of it over the feed.
    version = snapshot_of("one").version
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s", version=version)) as (worker,):
        connected(server, 1)
        feed = feed_of(server, names)
        feed.publish()
        for name in ("two", "three"):
            names.append(name)
            feed.publish()
            assert feed.workers()[0].version == feed.current.version, "when the writer hears of it"
        wait_until(lambda: len(worker.lines) == 2)
    assert caplog.text.count("needs the whole snapshot") == 1, "the next change fits again"


def test_after_a_snapshot_that_was_refused_the_next_one_is_applied(tmp_path: Path) -> None:
    names = ["good"]
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s", "refuse")):
        connected(server, 1)
        feed = feed_of(server, names)
        for name in ("bad", "better", "bad", "best"):
            feed.publish()
            names.append(name)
        feed.publish()
        assert feed.workers()[0].version == snapshot_of("best").version


def test_a_worker_connects_again_to_a_new_control_process_and_applies_only_what_is_new(tmp_path: Path) -> None:
    with workers(Worker(tmp_path / "s")) as (worker,):
        with running_server(tmp_path / "s") as server:
            connected(server, 1)
            version = feed_of(server, ["one"]).publish().version
        with running_server(tmp_path / "s") as server:
            connected(server, 1)
            assert server.workers()[0].version == version
            feed = feed_of(server, ["one"])
            feed.publish()
            assert feed.workers()[0].version == version
            assert worker.lines == [f"applied {version}"]


def test_what_a_dead_worker_counted_is_kept_and_its_gauges_are_not(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "s") as server,
        workers(Worker(tmp_path / "s", index=0), Worker(tmp_path / "s", index=1)) as (first, second),
    ):
        connected(server, 2)
        feed = feed_of(server, ["one"])
        for worker in (first, first, second):
            worker.say("count")
        wait_until(lambda: len(first.lines) == 2 and len(second.lines) == 1)
        before = feed.stats()
        first.kill()
        connected(server, 1)
        after = feed.stats()
    assert {labels: (one.count, one.seconds) for labels, one in before.series.items()} == {LABELS: (3, 1.5)}
    assert (before.counters["retries"], before.gauges) == (3, {"client_connections": 2})
    assert {labels: (one.count, one.seconds) for labels, one in after.series.items()} == {LABELS: (3, 1.5)}
    assert (after.counters["retries"], after.gauges) == (3, {"client_connections": 1})


def test_what_the_dead_counted_outlives_the_control_process(tmp_path: Path) -> None:
    kept = tmp_path / "departed.json"
    with workers(Worker(tmp_path / "s", index=0), Worker(tmp_path / "s", index=1)) as (first, second):
        with running_server(tmp_path / "s", departed_file=kept) as server:
            connected(server, 2)
            for worker in (first, second):
                worker.say("count")
                wait_until(lambda worker=worker: worker.lines == ["counted 1"])
            feed_of(server, ["one"]).stats()
            first.kill()
            connected(server, 1)
            wait_until(kept.exists)
        with running_server(tmp_path / "s", departed_file=kept) as server:
            connected(server, 1)
            told = feed_of(server, ["one"]).stats()
    assert (told.series[LABELS].count, told.counters["retries"]) == (2, 2)


def test_routes_that_are_no_more_are_counted_together_everywhere_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale, "MAX_STALE_SERIES", 0)
    monkeypatch.setattr(stale, "SECONDS", 0.0)
    with (
        running_server(tmp_path / "s") as server,
        workers(Worker(tmp_path / "s", index=0), Worker(tmp_path / "s", index=1)) as (first, second),
    ):
        connected(server, 2)
        feed = feed_of(server, ["one"])
        feed.publish()  # a snapshot without the route that is counted
        for worker in (first, second):
            worker.say("count")
        totals = []

        def folded() -> bool:
            series = feed.stats().series
            totals.append(sum(one.count for one in series.values()))
            return set(series) == {("main", "", "", "", 200)}

        wait_until(lambda: sum(len(worker.lines) for worker in (first, second)) == 4)
        wait_until(folded)
        second.kill()
        connected(server, 1)
        folded()
    assert set(totals) == {2}


def test_a_worker_that_stops_in_order_sends_its_last_counts(tmp_path: Path) -> None:
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s")) as (worker,):
        connected(server, 1)
        worker.say("count")
        worker.say("stop")
        worker.process.wait(20)
        connected(server, 0)
        told = feed_of(server, ["one"]).stats()
        assert (told.series[LABELS].count, told.counters["retries"]) == (1, 1)


def test_a_worker_that_stops_just_after_the_control_process_is_back_sends_its_last_counts(tmp_path: Path) -> None:
    with workers(Worker(tmp_path / "s")) as (worker,):
        worker.say("count")
        wait_until(lambda: worker.lines == ["counted 1"])
        time.sleep(2)  # by now it tries to connect every second or so
        with running_server(tmp_path / "s") as server:
            worker.say("stop")
            worker.process.wait(20)
            connected(server, 0)
            feed = feed_of(server, ["one"])
            wait_until(lambda: LABELS in feed.stats().series)
            assert feed.stats().series[LABELS].count == 1


def test_a_hung_worker_does_not_hold_up_the_stats_and_its_counts_stay(tmp_path: Path) -> None:
    with running_server(tmp_path / "s", stats_seconds=0.2) as server, workers(Worker(tmp_path / "s")) as (worker,):
        connected(server, 1)
        feed = feed_of(server, ["one"])
        worker.say("count")
        wait_until(lambda: worker.lines == ["counted 1"])
        feed.stats()
        os.kill(worker.process.pid, signal.SIGSTOP)
        started = time.monotonic()
        assert feed.stats().counters["retries"] == 1
        assert time.monotonic() - started < 5
        os.kill(worker.process.pid, signal.SIGCONT)
