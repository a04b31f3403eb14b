"""A worker on its own: what it serves at first, and what it says at last."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from coalmine.feed import write_snapshot_file
from coalmine.routing.snapshot import ServedUpstream, Snapshot, make_snapshot
from coalmine.serve import worker as module
from coalmine.serve.orders import Orders
from coalmine.serve.worker import Worker
from coalmine.settings import Settings

STORED = make_snapshot((ServedUpstream("u", ("http://127.0.0.1:1",)),))


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    for name in ("STORED_SECONDS", "NEWS_SECONDS"):
        monkeypatch.setattr(module, name, 0.05)
    write_snapshot_file(tmp_path / "snapshot", STORED)
    sock = socket.create_server(("127.0.0.1", 0))
    _, status = os.pipe()
    worker = Worker(Orders(Settings(), sock.detach(), str(tmp_path), str(tmp_path / "snapshot"), status_fd=status))
    monkeypatch.setattr(worker.leash, "tie", lambda orders: None)
    monkeypatch.setattr(module.gc, "freeze", lambda: None)  # other tests live in this process, too
    return worker


def test_what_is_served_from_disk_is_not_wanted_again(worker: Worker) -> None:
    async def run() -> None:
        await worker.start()
        assert (worker.engine.served.version, worker.feed.version) == (STORED.version, STORED.version)
        await worker.engine.drain(0)

    asyncio.run(run())


def test_what_the_control_process_sent_first_wins(worker: Worker) -> None:
    newer = make_snapshot()

    async def run() -> Snapshot:
        await worker.apply(newer)
        await worker.start()
        await worker.engine.drain(0)
        return newer

    asyncio.run(run())
    assert (worker.engine.served.version, worker.feed.version) == (newer.version, None)


def test_the_last_word_is_said_after_the_last_answer(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def feed() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            order.append("last word")

    async def drain(grace_seconds: float) -> Any:
        await asyncio.sleep(0.01)
        order.append("drained")

    async def run() -> None:
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0.01)
        worker.leash.pull()
        await running

    monkeypatch.setattr(worker.feed, "run", feed)
    monkeypatch.setattr(worker.engine, "drain", drain)
    asyncio.run(run())
    assert order == ["drained", "last word"]
