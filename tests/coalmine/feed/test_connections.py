"""Peers that do not keep to the protocol, and what a worker loads."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coalmine.feed import FeedClient, FeedServer, SnapshotFeed
from coalmine.feed.change import write_change
from coalmine.feed.departed import MAX_APART
from coalmine.feed.frames import Kind, write_frame
from coalmine.feed.stats import RouteKey
from coalmine.model import Definitions, DirectResponse, Route
from coalmine.routing.snapshot import ServedRoute, ServedVirtualService, Snapshot, make_snapshot
from tests.coalmine.feed.support import Worker, running_server, snapshot_of, wait_until, workers

HELLO = write_frame(Kind.HELLO, {"pid": 1, "index": 0, "instance": "i", "version": None})


OTHER_BUCKETS = ["v", "r", "f", "u", 200, 1, 0.1, [1], 0, 0.0, [0], 0, 0]


def say_nothing(whole: bool, fold: frozenset[RouteKey]) -> str:
    return "{}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(write_frame(Kind.ACK, {"version": "v"}), id="an acknowledgement before hello"),
        pytest.param(write_frame(Kind.HELLO, {"pid": "x"}), id="a hello without what it should say"),
        pytest.param(write_frame(Kind.HELLO, b"[]"), id="a hello that is no object"),
        pytest.param(HELLO + write_frame(Kind.SNAPSHOT, b"{}"), id="a snapshot from a worker"),
        pytest.param(HELLO + write_frame(Kind.STATS, {"stats": 7}), id="stats that are none"),
        pytest.param(HELLO + write_frame(Kind.STATS, {}), id="stats without stats"),
        pytest.param(HELLO + write_frame(Kind.STATS, {"stats": {"series": [[1]]}}), id="a series that is none"),
        pytest.param(HELLO + write_frame(Kind.STATS, {"stats": {"series": [OTHER_BUCKETS]}}), id="other buckets"),
    ],
)
def test_a_peer_that_breaks_the_protocol_is_disconnected_and_the_others_stay(tmp_path: Path, data: bytes) -> None:
    with running_server(tmp_path / "s") as server, socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(tmp_path / "s"))
        peer.sendall(data)
        assert peer.recv(1) == b""
        wait_until(lambda: server.workers() == [])
        with workers(Worker(tmp_path / "s")):
            wait_until(lambda: len(server.workers()) == 1)


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    with running_server(tmp_path / "s"):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_a_worker_that_connects_twice_counts_once(tmp_path: Path) -> None:
    stats = write_frame(Kind.STATS, {"stats": {"counters": {"x": 5}}})
    with running_server(tmp_path / "s", stats_seconds=0.1) as server:
        assert server.loop is not None
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            for peer in (first, second):
                peer.connect(str(tmp_path / "s"))
                peer.sendall(HELLO + stats)
                wait_until(lambda: [state.pid for state in server.workers()] == [1])
            merged = asyncio.run_coroutine_threadsafe(server.stats(), server.loop).result(20)
        assert merged.counters == {"x": 5}


def test_a_worker_that_has_fallen_silent_counts_as_hung_until_it_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coalmine.feed.server._POLL_SECONDS", 0.05)
    monkeypatch.setattr("coalmine.feed.server._SILENCE_SECONDS", 0.2)
    with running_server(tmp_path / "s") as server, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(HELLO)
        wait_until(lambda: [state.hung for state in server.workers()] == [True])
        peer.sendall(write_frame(Kind.STATS, {"stats": {}}))
        wait_until(lambda: [state.hung for state in server.workers()] == [False])


def test_a_worker_that_has_told_much_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coalmine.feed.server._POLL_SECONDS", 0.01)
    rows = [["main", f"r{n}", "f", "up", 200, 1, 0.1, [0] * 15, 0, 0.0, [0] * 15, 0, 0] for n in range(900)]
    little, much = (write_frame(Kind.STATS, {"stats": {"series": told}}) for told in (rows[:1], rows))
    ask = write_frame(Kind.ASK_STATS, {})
    with running_server(tmp_path / "s"), socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(tmp_path / "s"))
        peer.sendall(HELLO)
        times = []
        for answer in (little, much, little):
            assert peer.recv(len(ask), socket.MSG_WAITALL) == ask
            times.append(time.monotonic())
            peer.sendall(answer)
        assert times[2] - times[1] > 0.9


def test_the_counts_of_many_dead_workers_are_kept_in_bounded_memory(tmp_path: Path) -> None:
    with running_server(tmp_path / "s") as server:
        assert server.loop is not None
        for number in range(80):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(tmp_path / "s"))
                hello = {"pid": number, "index": 0, "instance": str(number), "version": None}
                peer.sendall(
                    write_frame(Kind.HELLO, hello) + write_frame(Kind.STATS, {"stats": {"counters": {"x": 1}}})
                )
        wait_until(lambda: server.workers() == [])

        def counted() -> object:
            assert server.loop is not None
            return asyncio.run_coroutine_threadsafe(server.stats(), server.loop).result(20).counters

        wait_until(lambda: counted() == {"x": 80})
        assert len(server._departed._apart) == MAX_APART == 64


def test_workers_that_end_while_there_is_no_control_process_are_known_to_be_lost(tmp_path: Path) -> None:
    kept, left = tmp_path / "departed.json", tmp_path / "left.json"
    with running_server(tmp_path / "s", departed_file=kept) as server:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "s"))
            peer.sendall(HELLO)
            wait_until(lambda: len(server.workers()) == 1)
            assert server.lost_workers() == {}
            left.write_bytes(kept.read_bytes())  # as a control process leaves it that is killed
        wait_until(lambda: server.workers() == [])
    with running_server(tmp_path / "s", departed_file=left) as server, socket.socket(socket.AF_UNIX) as peer:
        assert list(server.lost_workers()) == ["i"]
        peer.connect(str(tmp_path / "s"))
        peer.sendall(HELLO)
        wait_until(lambda: server.lost_workers() == {})
    with running_server(tmp_path / "s", departed_file=kept) as server:
        assert server.lost_workers() == {}, "it ended while it was connected: what it counted is kept"


async def _first_answer(path: Path, sent: bytes, apply: Callable[[Snapshot], object]) -> bytes:
    """What a client answers to ``sent``, after its hello; its second hello where it hangs up instead."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read(1000))
        writer.write(sent)
        heard.put_nowait(await reader.read(1000))
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        client = FeedClient(path, apply=apply, stats=say_nothing)
        running = asyncio.create_task(client.run())
        await heard.get()
        answer = await asyncio.wait_for(heard.get(), 20)
        running.cancel()
        await asyncio.wait([running])
        return answer


def test_an_asynchronous_apply_is_awaited_before_the_acknowledgement(tmp_path: Path) -> None:
    snapshot = snapshot_of("one")
    applied = []

    async def apply(given: Snapshot) -> None:
        await asyncio.sleep(0.01)
        applied.append(given)

    answer = asyncio.run(_first_answer(tmp_path / "s", write_frame(Kind.SNAPSHOT, write_change(None, snapshot)), apply))
    assert answer == write_frame(Kind.ACK, {"version": snapshot.version})
    assert applied == [snapshot]


def test_while_a_large_snapshot_is_read_the_loop_goes_on(tmp_path: Path) -> None:
    routes = (Route(name=f"r{number}", direct_response=DirectResponse()) for number in range(2000))
    snapshot = make_snapshot((), (ServedVirtualService("v", ("*",), tuple(map(ServedRoute, routes))),))
    frame = write_frame(Kind.SNAPSHOT, write_change(None, snapshot))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def scene() -> tuple[bytes, int]:
        counting = asyncio.create_task(count())
        started: list[int] = []
        answer = await _first_answer(tmp_path / "s", frame, lambda _: started.append(turns))
        counting.cancel()
        return answer, started[0]

    frozen = gc.get_freeze_count()
    try:
        answer, before = asyncio.run(scene())
        assert gc.get_freeze_count() > frozen, "the collector leaves alone what was made"
    finally:
        gc.unfreeze()
    assert answer == write_frame(Kind.ACK, {"version": snapshot.version})
    assert before > 20


def test_publishing_and_asking_on_a_loop_that_is_closed_ends_at_once(tmp_path: Path) -> None:
    with running_server(tmp_path / "s") as server:
        loop = server.loop
    server.loop = loop
    feed = SnapshotFeed(Definitions, server=server, build=lambda _: snapshot_of("one"))
    assert feed.publish() == snapshot_of("one")
    assert feed.stats().series == {}


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b'{"version": 3}', b"[]", b"\xff"])
def test_a_snapshot_that_cannot_be_read_is_refused_and_nothing_is_applied(tmp_path: Path, body: bytes) -> None:
    applied: list[Snapshot] = []
    answer = asyncio.run(_first_answer(tmp_path / "s", write_frame(Kind.SNAPSHOT, body), applied.append))
    assert answer[1] == Kind.NACK and b"reason" in answer
    assert applied == []


@pytest.mark.parametrize("sent", [b"HTTP/1.1 200 OK\r\n", write_frame(Kind.ACK, {})], ids=["HTTP", "wrong kind"])
def test_a_control_process_that_breaks_the_protocol_is_left(tmp_path: Path, sent: bytes) -> None:
    assert asyncio.run(_first_answer(tmp_path / "s", sent, lambda _: None)) == b""


def test_a_peer_that_misfits_the_whole_snapshot_too_is_taken_to_refuse_it(tmp_path: Path) -> None:
    misfit = write_frame(Kind.MISFIT, {"reason": "no"})
    with running_server(tmp_path / "s") as server, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(HELLO)
        wait_until(lambda: len(server.workers()) == 1)
        feed = SnapshotFeed(Definitions, server=server, build=lambda _: snapshot_of("one"))
        peer.sendall(misfit + misfit)
        assert feed.publish() == snapshot_of("one")
        wait_until(lambda: server.workers()[0].problem == "no")


def test_a_client_waits_for_a_control_process_that_is_not_there_yet(tmp_path: Path) -> None:
    async def scene() -> None:
        client = FeedClient(tmp_path / "s", apply=lambda _: None, stats=say_nothing)
        running = asyncio.create_task(client.run())
        await asyncio.sleep(0.2)
        assert not client.connected
        server = FeedServer(tmp_path / "s")
        await server.start()
        while not client.connected:
            await asyncio.sleep(0.01)
        await server.close()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_a_worker_loads_neither_sql_nor_yaml_nor_a_web_framework() -> None:
    heavy = ["sqlalchemy", "sqlmodel", "sqlite3", "alembic", "yaml", "httpx", "fastapi", "starlette", "uvicorn"]
    code = f"import sys, coalmine.feed; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
