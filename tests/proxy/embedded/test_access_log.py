"""The access log: what its lines say, that nothing gets out of them, and that it never holds up a request."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.embedded import access_log
from proxy.embedded.log_lines import MAX_LINE_BYTES, Entry, LineWriter, redact
from proxy.embedded.request import Request, parse_request
from tests.proxy.support.client import RawClient, eventually, request
from tests.proxy.support.gateway import Gateway, Served, serve
from tests.proxy.support.upstream import free_port, ok, silent


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def logging(path: Path, **more: Any) -> Iterator[Served]:
    with serve(options={"access_log": str(path), **more.pop("options", {})}, **more) as served:
        yield served


def wait_for(path: Path, count: int) -> list[dict[str, Any]]:
    assert eventually(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    return lines(path)


def test_a_line_tells_all_about_a_request(tmp_path: Path) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    fields = [
        "X-Request-Id: r1",
        "User-Agent: curl/8",
        "Referer: http://a.test/page?token=1#x",
        f"traceparent: {parent}",
    ]
    with logging(tmp_path / "log") as (_, upstream, client):
        assert client.ask(request("POST", "/a/../b%41?limit=1&sk=secret", *fields, body=b"12345")).status == 200
        (line,) = wait_for(tmp_path / "log", 1)
    at, seconds, waited = line.pop("time"), line.pop("seconds"), line.pop("upstream_seconds")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)
    assert 0 < waited <= seconds < 5
    assert line == {
        "method": "POST", "scheme": "http", "host": "gateway.test", "path": "/a/../b%41", "query": "limit=*&sk=*",
        "protocol": "HTTP/1.1", "request_id": "r1", "user_agent": "curl/8", "referer": "http://a.test/page",
        "client": "127.0.0.1", "status": 200, "code": None, "request_bytes": 5, "response_bytes": 2,
        "virtual_service": "main", "route": "all", "function": "", "upstream": "up", "endpoint": upstream.origin,
        "tries": 1, "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }  # fmt: skip


def test_problems_retries_refusals_and_clients_that_left_have_lines(tmp_path: Path) -> None:
    nobody = [{"upstream": "up"}]
    retries = {"attempts": 2, "on": ["connect-failure"]}
    with logging(tmp_path / "log", retries=retries, destinations=nobody) as (gateway, upstream, client):
        upstream.scripts = [silent]
        with gateway.client() as leaver:
            leaver.send(request("GET", "/left"))
            upstream.wait(1)
            leaver.reset()
        wait_for(tmp_path / "log", 1)
        gateway.apply(define_at(free_port(), retries))
        assert client.ask(request("GET", "/failed")).status == 502
        assert client.ask(b"NONSENSE\r\n\r\n").status == 400
        left, failed, refused = wait_for(tmp_path / "log", 3)
    assert (left["path"], left["status"], left["code"]) == ("/left", 499, None)
    assert (failed["status"], failed["code"], failed["tries"]) == (502, "upstream_unreachable", 3)
    assert (refused["status"], refused["code"], refused["client"]) == (400, "bad_request", "127.0.0.1")
    assert "method" not in refused


def define_at(port: int, retries: dict[str, Any]) -> Any:
    from tests.proxy.support.gateway import define, route

    return define(route(retries=retries), up=f"http://127.0.0.1:{port}")


NASTY = 'a"b\\c\u007f\u0085\u2028\u202e<script>\x1b[31m\xff'


def entry(head: bytes, **more: Any) -> Entry:
    made = parse_request(head, "127.0.0.1")
    assert isinstance(made, Request)
    labels = ("main", NASTY, NASTY, "up", 200)
    values: dict[str, Any] = {"source": "127.0.0.1", "labels": labels, "seconds": 0.1, "upstream_seconds": None}
    values |= {"received": 0, "sent": 0, "tries": 1, "endpoint": None, "code": None, "trace_id": ""}
    return Entry(**{"at": 1.5, "request": made, **values, **more})


def test_nothing_gets_out_of_a_line() -> None:
    agent = b'x"}\t{"status":500 \xff\x80\xe2\x80\xa8'
    head = b"GET /%22}'\"?a=%0d%0a HTTP/1.1\r\nHost: x\r\nUser-Agent: " + agent + b"\r\n\r\n"
    line = LineWriter("full").write(entry(head))
    assert re.fullmatch(rb"[\x20-\x7e]+\n", line)
    read = json.loads(line)
    assert read["user_agent"] == agent.decode("latin-1")
    assert (read["path"], read["query"], read["status"]) == ("/%22}'\"", "a=%0d%0a", 200)
    assert read["route"] == NASTY


def test_no_credential_is_in_a_line() -> None:
    head = (
        b"GET /a?api_key=hunter2&hunter2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hunter2\r\nCookie: s=hunter2\r\n"
        b"Proxy-Authorization: hunter2\r\nX-Api-Key: hunter2\r\nReferer: http://x/?t=hunter2\r\n\r\n"
    )
    assert b"hunter2" not in LineWriter().write(entry(head))
    assert b"api_key=hunter2" in LineWriter("full").write(entry(head))
    assert json.loads(LineWriter("none").write(entry(head)))["query"] is None


@pytest.mark.parametrize(
    ("query", "shown"),
    [("a=1", "a=*"), ("a=1&b=&c", "a=*&b=*&*"), ("", "*"), ("secret", "*"), ("a=b=c", "a=*"), ("=x", "=*")],
)
def test_of_a_query_the_names_stay(query: str, shown: str) -> None:
    assert redact(query) == shown


def test_a_line_is_never_longer_than_a_pipe_takes_at_once() -> None:
    head = b"GET /%b?%b HTTP/1.1\r\nHost: %b\r\nUser-Agent: %b\r\nReferer: %b\r\nX-Request-Id: %b\r\n\r\n" % (
        b"p" * 9000, b"q=1&" * 900, b"h" * 255, b"\xff" * 9000, b"\xfe" * 9000, b'"' * 128,
    )  # fmt: skip
    names = ("n" * 63, "\u2028" * 63, "\u2028" * 255, "n" * 63, 200)
    line = LineWriter("full").write(entry(head, labels=names, endpoint="http://" + "e" * 255))
    assert len(line) <= MAX_LINE_BYTES
    assert json.loads(line)["path"].startswith("/ppp")


def test_a_log_that_is_renamed_is_opened_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "log.1"
    with logging(path) as (_, _, client):
        client.ask(request("GET", "/before"))
        wait_for(path, 1)
        path.rename(moved)
        assert eventually(path.exists)
        client.ask(request("GET", "/after"))
        (after,) = wait_for(path, 1)
    assert (lines(moved)[0]["path"], after["path"], len(lines(moved))) == ("/before", "/after", 1)


def test_a_log_that_is_cut_goes_on_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with logging(path) as (_, _, client):
        client.ask(request("GET", "/before"))
        wait_for(path, 1)
        os.truncate(path, 0)
        client.ask(request("GET", "/after"))
        (after,) = wait_for(path, 1)
    assert after["path"] == "/after"


def test_a_log_is_not_for_everybody(tmp_path: Path) -> None:
    with logging(tmp_path / "log") as (_, _, client):
        client.ask(request())
        wait_for(tmp_path / "log", 1)
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def counted(gateway: Gateway) -> tuple[int, int]:
    counters = gateway.stats()["counters"]
    return counters["access_log_lines"], counters["access_log_dropped"]


def test_a_full_disk_costs_lines_and_no_request() -> None:
    with logging(Path("/dev/full")) as (gateway, _, client):
        for _ in range(5):
            assert client.ask(request()).status == 200
        assert eventually(lambda: counted(gateway) == (0, 5))


def test_lines_that_a_disk_took_before_it_was_full_are_written_and_the_others_dropped(tmp_path: Path) -> None:
    size, begin = 1 << 26, (1 << 26) - 1000  # far beyond what anybody else in this process writes
    (tmp_path / "log").touch()
    os.truncate(tmp_path / "log", begin)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with logging(tmp_path / "log") as (gateway, _, client):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            for number in range(20):
                assert client.ask(request("GET", f"/{number}")).status == 200
            assert eventually(lambda: sum(counted(gateway)) == 20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert client.ask(request("GET", "/after")).status == 200
        assert eventually(lambda: sum(counted(gateway)) == 21)
        written, dropped = counted(gateway)
    *whole, torn, told, last = (tmp_path / "log").read_bytes()[begin:].splitlines()
    assert (len(whole) + 1, len(whole) + dropped) == (written, 20)
    assert [json.loads(line)["path"] for line in (*whole, last)] == [*(f"/{n}" for n in range(written - 1)), "/after"]
    assert json.loads(told)["dropped"] == dropped and not torn.endswith(b"}")


def test_a_pipe_that_nobody_reads_costs_lines_and_no_request_and_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "MAX_WAITING", 50)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reading, 1031, 4096)  # F_SETPIPE_SZ: a page is the least
    try:
        with logging(pipe) as (gateway, _, client):
            sent = ask_until(gateway, client)
            written, _ = counted(gateway)
            assert client.ask(request("GET", "/alive")).status == 200
            told = drain(reading, gateway, sent + 1)
    finally:
        os.close(reading)
    paths = [line for line in told if "path" in line]
    missing = sum(line["dropped"] for line in told if "dropped" in line)
    assert missing > 0 and len(paths) >= written
    assert len(paths) + missing == sent + 1


def ask_until(gateway: Gateway, client: RawClient) -> int:
    """Requests until lines are dropped; how many. Each has its answer at once."""
    sent, longest = 0, 0.0
    while not counted(gateway)[1] and sent < 2000:
        begun = time.monotonic()
        assert client.ask(request("GET", f"/{sent}")).status == 200
        sent, longest = sent + 1, max(longest, time.monotonic() - begun)
    assert sent < 2000 and longest < access_log.FLUSH_SECONDS * 10
    return sent


def drain(reading: int, gateway: Gateway, count: int) -> list[dict[str, Any]]:
    """Everything that comes out of the pipe, until all of ``count`` are accounted for."""
    data = bytearray()

    def read() -> bool:
        with suppress(BlockingIOError):
            data.extend(os.read(reading, 65_536))
        return sum(counted(gateway)) == count and data.count(b"\n") > counted(gateway)[0]

    assert eventually(read, 10)
    return [json.loads(line) for line in data.decode().splitlines()]


def test_a_pipe_without_a_reader_is_no_reason_to_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with logging(tmp_path / "pipe") as (gateway, upstream, client):
        upstream.script = lambda peer, seen: peer.send(ok())
        assert client.ask(request()).status == 200
        assert eventually(lambda: counted(gateway) == (0, 1))
