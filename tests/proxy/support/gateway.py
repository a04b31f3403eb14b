"""An engine in a thread of its own, on a real socket, with chance and clock as the test likes them."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

import uvloop

from coalmine.model import Definitions, Route, Upstream, VirtualService
from coalmine.routing.build import build_snapshot
from proxy.embedded import Engine, EngineOptions
from tests.proxy.support.client import RawClient
from tests.proxy.support.upstream import RawUpstream, Script, default_script

T = TypeVar("T")


class Served(NamedTuple):
    gateway: Gateway
    upstream: RawUpstream
    client: RawClient


class Gateway:
    """``with Gateway(definitions) as gateway: gateway.client() ...``"""

    def __init__(
        self,
        definitions: Definitions,
        *,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self._definitions = definitions
        self._draw = draw
        self._now = now
        self._options = EngineOptions(**options)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self.engine: Engine

    def __enter__(self) -> Self:
        self._thread.start()
        self.engine = self.call(lambda: Engine(self._options, draw=self._draw, now=self._now))
        self.apply(self._definitions)
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = sock.getsockname()
        asyncio.run_coroutine_threadsafe(self.engine.serve(sock), self._loop).result(5)
        return self

    def __exit__(self, *exc: object) -> None:
        self.drain(0.2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def apply(self, definitions: Definitions) -> None:
        snapshot = build_snapshot(definitions)
        self.call(lambda: self.engine.apply(snapshot))

    def stats(self) -> dict[str, Any]:
        return self.call(lambda: self.engine.stats())

    def drain(self, grace_seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(self.engine.drain(grace_seconds), self._loop).result(grace_seconds + 5)

    def call(self, function: Callable[[], T]) -> T:
        """``function`` on the engine's loop."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return future.result(5)

    def client(self, **options: Any) -> RawClient:
        return RawClient(self.address, **options)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())


@contextmanager
def serve(script: Script = default_script, *, options: dict[str, Any] | None = None, **more: Any) -> Iterator[Served]:
    """An upstream with a script, a gateway with one route to it (``more`` as for ``route``) and a client."""
    with (
        RawUpstream(script) as upstream,
        Gateway(define(route(**more), up=upstream.origin), **(options or {})) as gateway,
        gateway.client() as client,
    ):
        yield Served(gateway, upstream, client)


def define(*routes: Route, **endpoints: str | Iterable[str]) -> Definitions:
    """A virtual service for every host, ``routes`` in it, and upstreams by name."""
    upstreams = tuple(
        Upstream(name=name, endpoints=(origins,) if isinstance(origins, str) else tuple(origins))
        for name, origins in endpoints.items()
    )
    return Definitions(upstreams=upstreams, virtual_services=(VirtualService(name="main"),), routes=routes)


def route(name: str = "all", prefix: str = "/", upstream: str = "up", **more: Any) -> Route:
    """All under ``prefix`` to ``upstream``, if it does nothing else."""
    if not {"destinations", "redirect", "direct_response"} & more.keys():
        more["destinations"] = [{"upstream": upstream}]
    return Route.model_validate(
        {"name": name, "virtual_service": "main", "match": {"path": {"prefix": prefix}}, **more}
    )
