"""What is published, when, and what cannot stop it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coalmine.errors import CatalogError
from coalmine.feed import SnapshotFeed, read_snapshot_file
from coalmine.model import Definitions, Upstream
from coalmine.routing.snapshot import EMPTY, ServedUpstream, Snapshot, make_snapshot
from tests.coalmine.feed.support import Worker, running_server, snapshot_of, wait_until, workers


def build(definitions: Definitions) -> Snapshot:
    return make_snapshot(upstreams=tuple(ServedUpstream(up.name, up.endpoints) for up in definitions.upstreams))


def upstream(name: str) -> Upstream:
    return Upstream(name=name, endpoints=("http://127.0.0.1:1",))


class Shelf:
    """A catalog in memory."""

    def __init__(self) -> None:
        self.upstreams: list[Upstream] = []
        self.loads = 0

    def load(self) -> Definitions:
        self.loads += 1
        return Definitions(upstreams=tuple(self.upstreams))


def test_an_equal_snapshot_is_not_published_again(tmp_path: Path) -> None:
    shelf, told = Shelf(), []
    feed = SnapshotFeed(shelf.load, snapshot_file=tmp_path / "f", build=build)
    feed.subscribe(told.append)
    first = feed.publish()
    written = (tmp_path / "f").stat().st_mtime_ns
    assert feed.publish() is first
    assert told == [first] == [EMPTY]
    assert (tmp_path / "f").stat().st_mtime_ns == written


def test_the_first_snapshot_is_published_even_if_it_is_empty(tmp_path: Path) -> None:
    feed = SnapshotFeed(Shelf().load, snapshot_file=tmp_path / "f", build=build)
    assert feed.current == EMPTY and not feed.published
    feed.publish()
    assert feed.published
    assert read_snapshot_file(tmp_path / "f") == EMPTY


def test_fifty_writers_at_once_each_return_when_their_write_is_served(tmp_path: Path) -> None:
    shelf = Shelf()
    with running_server(tmp_path / "s") as server, workers(Worker(tmp_path / "s")):
        wait_until(lambda: len(server.workers()) == 1)
        feed = SnapshotFeed(shelf.load, server=server, build=build)

        def write(number: int) -> bool:
            shelf.upstreams.append(upstream(f"u{number}"))
            served = feed.publish()
            return f"u{number}" in [up.name for up in served.upstreams]

        with ThreadPoolExecutor(50) as pool:
            assert all(pool.map(write, range(50)))
        assert feed.workers()[0].version == feed.current.version
        assert len(feed.current.upstreams) == 50
    assert shelf.loads < 50, "calls at the same time share a publication"


def test_a_write_that_comes_during_a_publication_is_in_the_next_one() -> None:
    shelf, loading, go_on = Shelf(), threading.Event(), threading.Event()

    def slow_load() -> Definitions:
        definitions = shelf.load()
        loading.set()
        assert go_on.wait(20)
        return definitions

    feed = SnapshotFeed(slow_load, build=build)
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(feed.publish)
        assert loading.wait(20)
        shelf.upstreams.append(upstream("late"))
        late = pool.submit(feed.publish)
        time.sleep(0.05)
        assert not late.done()
        go_on.set()
        assert early.result(20).upstreams == ()
        assert [up.name for up in late.result(20).upstreams] == ["late"]


def test_a_catalog_that_cannot_be_read_leaves_the_last_snapshot_and_fails_the_callers_of_that_round_only() -> None:
    shelf = Shelf()
    broken = False

    def load() -> Definitions:
        if broken:
            raise CatalogError("the disk is gone")
        return shelf.load()

    feed = SnapshotFeed(load, build=build)
    first = feed.publish()
    broken = True
    with pytest.raises(CatalogError, match="the disk is gone"):
        feed.publish()
    assert feed.current is first
    broken = False
    shelf.upstreams.append(upstream("u"))
    assert feed.publish().upstreams[0].name == "u"


def test_a_full_disk_stops_no_publication_and_is_told_until_the_file_is_written(tmp_path: Path) -> None:
    shelf = Shelf()
    file = tmp_path / "missing" / "f"
    feed = SnapshotFeed(shelf.load, snapshot_file=file, build=build)
    shelf.upstreams.append(upstream("u"))
    served = feed.publish()
    assert feed.current == served
    assert feed.file_error is not None and "No such file" in feed.file_error
    file.parent.mkdir()
    assert feed.publish() == served
    assert feed.file_error is None
    assert read_snapshot_file(file) == served


def test_a_disk_that_is_really_full_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    feed = SnapshotFeed(shelf.load, snapshot_file=tmp_path / "f", build=build)
    old = feed.publish()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    shelf.upstreams.append(upstream("u"))
    assert feed.publish().upstreams
    assert feed.file_error == f"the snapshot file {tmp_path / 'f'} cannot be written: No space left on device"
    assert read_snapshot_file(tmp_path / "f") == old
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_subscriber_that_fails_does_not_keep_the_others_from_hearing() -> None:
    shelf, told = Shelf(), []
    feed = SnapshotFeed(shelf.load, build=build)

    def fail(snapshot: Snapshot) -> None:
        raise RuntimeError("no")

    feed.subscribe(fail)
    leave = feed.subscribe(told.append)
    feed.publish()
    leave()
    shelf.upstreams.append(upstream("u"))
    feed.publish()
    assert told == [EMPTY]


def test_what_was_published_before_the_server_started_reaches_the_workers(tmp_path: Path) -> None:
    from coalmine.feed import FeedServer
    from tests.coalmine.feed.support import loop_in_thread

    server = FeedServer(tmp_path / "s")
    feed = SnapshotFeed(Definitions, server=server, build=lambda _: snapshot_of("one"))
    version = feed.publish().version
    with loop_in_thread() as run, workers(Worker(tmp_path / "s")):
        run(server.start())
        wait_until(lambda: [state.version for state in server.workers()] == [version])
        run(server.close())


def test_publishing_on_the_loop_of_the_server_is_refused_instead_of_hanging(tmp_path: Path) -> None:
    with running_server(tmp_path / "s") as server:
        feed = SnapshotFeed(Definitions, server=server, build=lambda _: EMPTY)

        async def publish() -> None:
            feed.publish()

        assert server.loop is not None
        with pytest.raises(RuntimeError, match="in a thread"):
            asyncio.run_coroutine_threadsafe(publish(), server.loop).result(20)


def test_without_a_server_there_are_no_workers_and_no_stats() -> None:
    feed = SnapshotFeed(Definitions, build=lambda _: EMPTY)
    assert feed.workers() == []
    told = feed.stats()
    assert (told.series, told.counters, told.gauges) == ({}, {}, {})
