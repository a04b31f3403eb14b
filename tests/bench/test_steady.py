"""The generator asks at its rate whatever the answers take, and times requests from when they were due."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.steady import Outcome, Plan, is_whole, percentile, send_steadily

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
STALL_SECONDS = 0.5


@contextmanager
def serving(answer: Callable[[int], bytes]) -> Iterator[int]:
    """A port of one thread that answers the nth request with ``answer(n)``, and hangs up where that is empty."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, answer: Callable[[int], bytes]) -> None:
    count = 0
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            while connection.recv(65_536):
                count += 1
                if not (data := answer(count)):
                    break
                connection.sendall(data)


def stall_once(number: int) -> bytes:
    if number == 10:
        time.sleep(STALL_SECONDS)
    return OK


def send(answer: Callable[[int], bytes]) -> Outcome:
    with serving(answer) as port:
        return send_steadily(Plan(port, rate=200, seconds=1, connections=1), core="")


def test_a_stall_counts_for_every_request_that_was_due_meanwhile() -> None:
    outcome = send(stall_once)
    waited = [taken for taken in outcome.taken if taken > STALL_SECONDS * 500]
    assert len(waited) > 20  # of about 50 in the first half of the stall; one by one, it would be the one that stalled
    assert (outcome.lost, outcome.failed) == (0, 0)
    assert 120 < len(outcome.taken) < 280


@pytest.mark.parametrize(
    ("answer", "lost", "failed"),
    [
        (lambda number: BAD if number % 50 == 0 else OK, False, True),
        (lambda number: b"" if number % 50 == 0 else OK, True, False),
    ],
    ids=["an error is an answer, and counted", "a broken connection is replaced, and its request counted"],
)
def test_what_fails_is_counted_and_the_rest_goes_on(answer: Callable[[int], bytes], lost: bool, failed: bool) -> None:
    outcome = send(answer)
    assert (outcome.lost > 0, outcome.failed > 0) == (lost, failed)
    assert len(outcome.taken) > 100


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (OK, True),
        (OK[:-1], False),
        (b"HTTP/1.1 200 OK\r\ncontent-le", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_when_its_last_byte_is_there(data: bytes, whole: bool) -> None:
    assert is_whole(data) == whole


def test_percentiles_are_of_the_sorted_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1.0, 51.0, 100.0, 100.0]
    assert percentile([], 99) == 0.0
