"""The admin API over a real socket, with a real catalog file and a feed without workers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from admin_api import create_app
from coalmine.catalog import Catalog
from coalmine.feed import SnapshotFeed
from coalmine.model import Definitions, Document, Function, Parameter, ProbeReport
from coalmine.settings import Settings

V1, V2 = "default-petstore-v1-8080", "default-petstore-v2-8080"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class FakeProber:
    """Finds what it is told to find; remembers what it was asked."""

    catalog: Catalog
    probed: list[str] = field(default_factory=list)
    woken: int = 0

    def probe(self, upstream: str) -> ProbeReport:
        self.probed.append(upstream)
        return ProbeReport(upstream=upstream, state="discovered", functions=4, last_success_at=NOW)

    def outcomes(self) -> dict[str, int]:
        return {"discovered": len(self.probed)}

    def wake(self) -> None:
        self.woken += 1


@dataclass
class Api:
    """The running API: a client that talks to it, and what it is made of."""

    http: httpx.Client
    catalog: Catalog
    feed: SnapshotFeed
    prober: FakeProber
    port: int

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.get(path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return self.http.post(path, **_body(body), **kwargs)

    def put(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        return self.http.put(path, **_body(body), **kwargs)

    def patch(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        return self.http.patch(path, **_body(body), **kwargs)

    def delete(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.delete(path, **kwargs)

    def discover(self, upstream: str, *functions: Function) -> None:
        """As if a probe had found ``functions``."""
        report = ProbeReport(upstream=upstream, state="discovered", functions=len(functions), last_success_at=NOW)
        document = Document(
            upstream=upstream,
            url="http://127.0.0.1:9001/swagger.json",
            content_hash="0",
            version="swagger 2.0",
            fetched_at=NOW,
            size_bytes=1,
            components={
                "definitions": {"Pet": {"type": "object", "properties": {"tag": {"$ref": "#/definitions/Tag"}}}}
            },
        )
        with self.catalog.write() as writer:
            writer.save_discovery(upstream, functions=functions, report=report, documents=[document])
        self.feed.publish()


def _body(body: Any) -> dict[str, Any]:
    if isinstance(body, bytes | str):
        return {"content": body}
    return {} if body is None else {"json": body}


def make_function(upstream: str, name: str, path: str, method: str = "GET", **more: Any) -> Function:
    names = [part.partition("}")[0] for part in path.split("{")[1:]]
    parameters = tuple(Parameter(name=one, place="path", required=True, style="simple") for one in names)
    more = {"parameters": parameters, "first_seen": NOW, "last_seen": NOW} | more
    return Function(upstream=upstream, name=name, method=method, path=path, **more)


def petstore_functions(upstream: str) -> list[Function]:
    tags = Parameter(name="tags", place="query", schema_={"type": "array", "items": {"type": "string"}})
    return [
        make_function(upstream, "findPets", "/api/pets", parameters=(tags,), tags=("pet",), summary="All pets"),
        make_function(upstream, "addPet", "/api/pets", "POST", tags=("pet",)),
        make_function(upstream, "findPetById", "/api/pets/{id}"),
        make_function(upstream, "deletePet", "/api/pets/{id}", "DELETE", state="removed"),
    ]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to pytest


@contextlib.contextmanager
def serve(app: Any) -> Iterator[int]:
    """Run ``app`` on a free port of loopback; gives the port."""
    server = _Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        app.state.broadcast.close()
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def open_api(folder: Path, settings: Settings | None = None) -> Iterator[Api]:
    catalog = Catalog(f"sqlite:///{folder / 'catalog.db'}")
    catalog.migrate()

    def load() -> Any:
        with catalog.read() as reader:
            return reader.load_definitions()

    feed = SnapshotFeed(load)
    feed.publish()
    prober = FakeProber(catalog)
    app = create_app(
        catalog=catalog, feed=feed, prober=prober, settings=settings or Settings(admin="127.0.0.1:0", workers=2)
    )
    try:
        with serve(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield Api(client, catalog, feed, prober, port)
    finally:
        catalog.close()


def openapi_paths() -> list[str]:
    """Every path that the admin API documents about itself; nothing is opened or served."""
    catalog = Catalog("sqlite:///unused.db")
    app = create_app(catalog=catalog, feed=SnapshotFeed(Definitions), prober=FakeProber(catalog), settings=Settings())
    return list(app.openapi()["paths"])


def break_catalog(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from coalmine.errors import CatalogError

    def fail() -> None:
        raise CatalogError(f"{api.catalog.path} is damaged")

    monkeypatch.setattr(api.catalog, "read", fail)
