"""A new snapshot is applied while requests go on."""

from __future__ import annotations

import asyncio
import gc
import socket

from coalmine.model import Route
from coalmine.routing.build import Builder
from proxy.embedded import Engine
from tests.proxy.support.client import request
from tests.proxy.support.gateway import Gateway, define, route
from tests.proxy.support.upstream import RawUpstream


def test_while_it_is_applied_requests_are_answered_by_the_old_one_and_then_by_the_new_one() -> None:
    def routes(text: str) -> list[Route]:
        return [route(f"r{n}", f"/r{n}", direct_response={"body": text}) for n in range(1500)]

    async def scene() -> list[bytes]:
        engine, builder = Engine(), Builder()
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        await engine.apply_gently(builder.build(define(*routes("old"))))
        await engine.serve(sock)
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        applying = asyncio.create_task(engine.apply_gently(builder.build(define(*routes("new")))))
        answers = []
        while not answers or answers[-1] == b"old":
            writer.write(b"GET /r7 HTTP/1.1\r\nhost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            answers.append(await reader.readexactly(3))
        await applying
        writer.close()
        await engine.drain(1)
        return answers

    answers = asyncio.run(asyncio.wait_for(scene(), 60))
    assert answers[0] == b"old" and answers[-1] == b"new"


def test_a_connection_leaves_nothing_to_the_collector_which_leaves_alone_what_is_there_at_a_swap() -> None:
    def go(gateway: Gateway) -> None:
        with gateway.client() as client:
            client.send(request("GET", "/"))
            assert client.read().status == 200

    with RawUpstream() as upstream, Gateway(define(route(), up=upstream.origin)) as gateway:
        go(gateway)
        gateway.call(gc.collect)
        gc.disable()
        try:
            for _ in range(20):
                go(gateway)
            gateway.call(lambda: None)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = [type(one) for one in gc.garbage if type(one).__module__.startswith("proxy.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert left == []
