"""Names are looked up once for all who want them at a time, and what was found counts while nobody answers."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

import pytest

from proxy.embedded import names
from proxy.embedded.names import KEPT_SECONDS, Names
from proxy.embedded.timeouts import Clock
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream

GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
SILENT = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Server:
    """Answers lookups with what ``says`` holds; an exception is raised, a number is waited first."""

    def __init__(self) -> None:
        self.says: list[str] | Exception | float = ["10.0.0.1"]
        self.asked = 0

    async def look_up(self, host: str, port: int) -> list[str]:
        self.asked += 1
        said = self.says
        if isinstance(said, Exception):
            raise said
        if isinstance(said, float):
            await asyncio.sleep(said)
            return ["10.0.0.9"]
        return said


def run(check: Callable[[Server, Names, list[float]], Awaitable[None]]) -> None:
    async def within() -> None:
        server, time = Server(), [0.0]
        found = Names(Clock(lambda: time[0]), server.look_up)
        await check(server, found, time)
        found.close()
        await asyncio.sleep(0)

    asyncio.run(within())


def test_who_wants_a_name_that_is_being_looked_up_waits_for_the_same() -> None:
    async def check(server: Server, found: Names, time: list[float]) -> None:
        server.says = 0.05
        assert await asyncio.gather(*(found.find("up.test", 80) for _ in range(5))) == [["10.0.0.9"]] * 5
        assert server.asked == 1
        await found.find("up.test", 80)
        assert server.asked == 2

    run(check)


def test_who_gives_up_does_not_end_the_lookup_for_the_others() -> None:
    async def check(server: Server, found: Names, time: list[float]) -> None:
        server.says = 0.05
        first = asyncio.ensure_future(found.find("up.test", 80))
        second = asyncio.ensure_future(found.find("up.test", 80))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ["10.0.0.9"]

    run(check)


def test_while_nobody_answers_what_was_found_last_counts(caplog: pytest.LogCaptureFixture) -> None:
    async def check(server: Server, found: Names, time: list[float]) -> None:
        assert await found.find("up.test", 80) == ["10.0.0.1"]
        server.says = SILENT
        for time[0] in (60.0, KEPT_SECONDS - 1):
            assert await found.find("up.test", 80) == ["10.0.0.1"]
        time[0] = KEPT_SECONDS
        with pytest.raises(socket.gaierror):
            await found.find("up.test", 80)
        server.says = ["10.0.0.2"]
        assert await found.find("up.test", 80) == ["10.0.0.2"]

    with caplog.at_level(logging.WARNING):
        run(check)
    assert ["still count" in line for line in caplog.messages] == [True, False]


def test_a_lookup_that_takes_long_is_not_waited_for_and_its_answer_counts_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "PATIENCE_SECONDS", 0.02)

    async def check(server: Server, found: Names, time: list[float]) -> None:
        assert await found.find("up.test", 80) == ["10.0.0.1"]
        server.says = 0.2
        assert await found.find("up.test", 80) == ["10.0.0.1"]
        await asyncio.sleep(0.3)
        server.says = SILENT
        assert await found.find("up.test", 80) == ["10.0.0.9"]

    run(check)


@pytest.mark.parametrize("error", [GONE, SILENT])
def test_a_name_that_does_not_exist_or_was_never_found_is_an_error(error: socket.gaierror) -> None:
    async def check(server: Server, found: Names, time: list[float]) -> None:
        if error is GONE:
            await found.find("up.test", 80)
        server.says = error
        with pytest.raises(socket.gaierror):
            await found.find("up.test", 80)

    run(check)


def test_requests_go_on_while_names_cannot_be_looked_up() -> None:
    with (
        RawUpstream() as upstream,
        Gateway(define(route(), up=f"http://localhost:{upstream.port}")) as gateway,
        gateway.client() as client,
    ):
        assert client.ask(request()).status == 200
        server = Server()
        server.says = SILENT
        gateway.call(lambda: setattr(gateway.engine.connector.names, "_lookup", server.look_up))
        upstream.close_connections()
        assert [client.ask(request()).status for _ in range(3)] == [200] * 3
        assert server.asked > 0
