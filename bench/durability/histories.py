"""Promise 13: what clients see of the catalog is one history, also while the control process is killed."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.durability.register import Call, find_anomaly
from bench.durability.rows import Given, Row
from bench.durability.serving import Answer, Serving, ask, run_threads, serving

CLIENTS = 5
KEYS = 5
KILL_SECONDS = 5.0


def run(given: Given) -> Iterator[Row]:
    history: dict[str, list[Call]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as gateway:
        stop, kills = threading.Event(), []
        works = [lambda number=number: _call(gateway, history, stop, number) for number in range(CLIENTS)]  # type: ignore[misc]
        run_threads([lambda: _strike(gateway, stop, given.seconds, kills), *works])
    calls = [call for listed in history.values() for call in listed]
    anomalies = [call for listed in history.values() if (call := find_anomaly(listed)) is not None]
    done = f"{CLIENTS} clients put, get and delete {KEYS} routes for {given.seconds:.0f} s"
    done += f", control killed every {KILL_SECONDS:.0f} s"
    broken = sum(not call.sure for call in calls)
    result = f"{len(calls)} calls, {len(kills)} kills, {broken} calls broken off, {len(anomalies)} anomalies"
    yield Row("13 History is linearizable", done, result, not anomalies and len(calls) > given.seconds)


def _strike(gateway: Serving, stop: threading.Event, seconds: float, kills: list[float]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, KILL_SECONDS))
        gateway.kill_control()
        kills.append(time.monotonic())
    stop.set()


def _call(gateway: Serving, history: dict[str, list[Call]], stop: threading.Event, client: int) -> None:
    chance, number = random.Random(client), 0
    while not stop.is_set():
        number += 1
        key, kind = f"k{chance.randrange(KEYS)}", chance.choice(("put", "put", "get", "get", "delete"))
        value = f"{client}-{number}" if kind == "put" else None
        begin = time.monotonic()
        try:
            answer = _send(gateway, kind, key, value)
        except OSError:
            if kind != "get":
                history[key].append(Call(begin, time.monotonic(), kind, value, sure=False))
            continue
        history[key].append(_note(begin, kind, value, answer))


def _send(gateway: Serving, kind: str, key: str, value: str | None) -> Answer:
    if value is not None:
        return gateway.put(key, value)
    return ask(gateway.admin, "GET" if kind == "get" else "DELETE", f"/api/v1/routes/{key}")


def _note(begin: float, kind: str, value: str | None, answer: Answer) -> Call:
    end = time.monotonic()
    if kind == "put":
        assert answer.status in (200, 201), answer
        return Call(begin, end, "put", value, was_there=answer.status == 200)
    if kind == "delete":
        assert answer.status in (204, 404), answer
        return Call(begin, end, "delete", None, was_there=answer.status == 204)
    assert answer.status in (200, 404), answer
    read = answer.json["direct_response"]["body"] if answer.status == 200 else None
    return Call(begin, end, "get", read)
