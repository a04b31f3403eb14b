"""Real local HTTP services for discovery to find: a table of paths, and a record of what was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]
Page = bytes | dict[str, Any] | Answer


@dataclass
class Service:
    """``pages`` may be changed while the service runs; what is not in it is 404."""

    server: ThreadingHTTPServer
    pages: dict[str, Page]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """A fixed answer; underscores in header names stand for dashes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def with_etag(body: bytes, etag: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("If-None-Match") == etag:
            reply(304)(handler)
        else:
            reply(200, body, ETag=etag, Content_Type="application/json")(handler)

    return answer


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        self.service.asked.append((self.path, dict(self.headers)))
        page = self.service.pages.get(self.path)
        if page is None:
            page = reply(404, b"nothing here")
        elif isinstance(page, dict):
            page = reply(200, json.dumps(page).encode(), Content_Type="application/json")
        elif isinstance(page, bytes):
            page = reply(200, page)
        with contextlib.suppress(OSError):  # the prober has hung up, as it may
            page(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # The default of five would make a burst of probes wait for a retransmission.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def serving(pages: dict[str, Page], port: int = 0) -> Iterator[Service]:
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", port), handler)
    service = handler.service = Service(server, pages)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def petstore(*extra: str, base: str = "/api") -> dict[str, Any]:
    """A Swagger 2.0 document of a pet store; ``extra`` are more operationIds."""
    pet_id = {"name": "id", "in": "path", "required": True, "type": "integer", "format": "int64"}
    paths: dict[str, Any] = {
        "/pets": {
            "get": {"operationId": "findPets", "responses": {"200": {"description": "pets"}}},
            "post": {"operationId": "addPet", "parameters": [{"name": "pet", "in": "body", "schema": {}}]},
        },
        "/pets/{id}": {"parameters": [pet_id], "get": {"operationId": "findPetById"}},
    }
    for name in extra:
        paths[f"/extra/{name}"] = {"get": {"operationId": name}}
    return {"swagger": "2.0", "info": {"title": "Pets", "version": "1"}, "basePath": base, "paths": paths}
