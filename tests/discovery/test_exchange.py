"""One GET over one connection, on the loop of the tests and on the loop that the gateway runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from discovery.exchange import Head, get


class Kept:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.status = 0
        self.data = b""

    def take_head(self, head: Head) -> bool:
        self.status = head.status
        return True

    def take_data(self, data: bytes) -> None:
        self.data += data


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def exchange() -> Kept:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kept = Kept()
    async with server:
        await asyncio.wait_for(get("127.0.0.1", port, "/", [("Host", "pets")], kept, None), 5)
    return kept


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_an_exchange_works_on_every_loop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        kept = runner.run(exchange())
    assert (kept.status, kept.data) == (200, b"hello")
