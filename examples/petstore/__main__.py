"""The pet store of the canary story: a real HTTP service in two versions. Standard library only.

    python -m examples.petstore --version v1 --port 9001      in a checkout
    python path/to/petstore --version v2 --port 9002          anywhere

It publishes its OpenAPI document (Swagger 2.0) at /swagger.json and keeps its pets in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Pet = dict[str, Any]

DOCUMENT = (Path(__file__).parent / "swagger.json").read_bytes()
PETS: dict[str, list[Pet]] = {
    "v1": [
        {"id": 1, "name": "Dog", "status": "available"},
        {"id": 2, "name": "Cat", "status": "pending"},
    ],
    "v2": [
        {"id": 1, "name": "Dog", "status": "v2"},
        {"id": 2, "name": "Cat", "status": "v2"},
        {"id": 3, "name": "Parrot", "status": "v2"},
    ],
}
NEW_STATUS = {"v1": "available", "v2": "v2"}
# A pet is a few hundred bytes; more than this is not a pet.
MAX_BODY_BYTES = 65_536


class Refused(Exception):
    """The request cannot be answered as asked; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Store:
    """The pets of one version. Every method takes and gives plain values and raises ``Refused``."""

    version: str
    pets: dict[int, Pet] = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.pets = {pet["id"]: dict(pet) for pet in PETS[self.version]}

    def find_pets(self, tags: set[str], limit: int | None) -> list[Pet]:
        with self.lock:
            found = [pet for pet in self.pets.values() if not tags or pet.get("tag") in tags]
        return found if limit is None else found[:limit]

    def find_pet_by_id(self, pet_id: int) -> Pet:
        with self.lock:
            if pet_id not in self.pets:
                raise Refused(404, f"not found: pet {pet_id}")
            return self.pets[pet_id]

    def add_pet(self, given: object) -> Pet:
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not given["name"]:
            raise Refused(422, "a pet is an object with a name")
        wanted = given.get("id")
        if not (wanted is None or (isinstance(wanted, int) and not isinstance(wanted, bool))):
            raise Refused(422, "the id of a pet is an integer")
        with self.lock:
            number = wanted if wanted is not None else max(self.pets, default=0) + 1
            if number in self.pets:
                raise Refused(409, f"there is a pet {number} already")
            pet: Pet = {"id": number, "name": given["name"], "status": given.get("status", NEW_STATUS[self.version])}
            if "tag" in given:
                pet["tag"] = given["tag"]
            self.pets[number] = pet
        return pet

    def delete_pet(self, pet_id: int) -> None:
        with self.lock:
            if self.pets.pop(pet_id, None) is None:
                raise Refused(404, f"not found: pet {pet_id}")


def parse_integer(name: str, text: str) -> int:
    # int() takes "+5", "0_5" and digits of other scripts; a pet store does not.
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise Refused(400, f"{name} is not an integer: {text}")
    return int(text)


class Handler(BaseHTTPRequestHandler):
    """HTTP on one side, ``Store`` on the other."""

    protocol_version = "HTTP/1.1"  # keep-alive
    server_version = "petstore"
    sys_version = ""
    wbufsize = -1  # head and body leave in one segment
    disable_nagle_algorithm = True
    timeout = 120
    store: Store

    def do_GET(self) -> None:
        self.answer("GET")

    def do_HEAD(self) -> None:
        self.answer("GET")

    def do_POST(self) -> None:
        self.answer("POST")

    def do_DELETE(self) -> None:
        self.answer("DELETE")

    def answer(self, method: str) -> None:
        """Body first, always: on a kept connection an unread body would be taken for the next request."""
        try:
            body = self.read_body()
            status, content = self.call(method, body)
        except Refused as refused:
            status, content = refused.status, {"code": refused.status, "message": str(refused)}
        payload = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(payload)

    def call(self, method: str, body: bytes) -> tuple[int, object]:
        target = urlsplit(self.path)
        if target.path == "/swagger.json" and method == "GET":
            return 200, DOCUMENT
        if target.path.rstrip("/") == "/api/pets":
            if method == "GET":
                return 200, self.find_pets(target.query)
            if method == "POST":
                return 200, self.store.add_pet(parse_json(body))
        collection, _, last = target.path.rpartition("/")
        if collection == "/api/pets" and last:
            if method == "GET":
                return 200, self.store.find_pet_by_id(parse_integer("id", unquote(last)))
            if method == "DELETE":
                self.store.delete_pet(parse_integer("id", unquote(last)))
                return 204, b""
        raise Refused(404, f"path {target.path} was not found")

    def find_pets(self, query: str) -> list[Pet]:
        values = parse_qs(query)
        limit = values.get("limit", [""])[-1]
        return self.store.find_pets(
            {tag for text in values.get("tags", []) for tag in text.split(",") if tag},
            max(0, parse_integer("limit", limit)) if limit else None,
        )

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        length = self.headers.get("Content-Length", "0")
        return self.read_exactly(self.body_size(length, 10))

    def read_chunks(self) -> bytes:
        body = b""
        while size := self.body_size(self.rfile.readline(1024).split(b";")[0].strip().decode("latin-1"), 16):
            body += self.read_exactly(size)
            self.rfile.readline(1024)
            self.body_size(f"{len(body)}", 10)
        while self.rfile.readline(65_537).strip():
            pass  # trailers
        return body

    def read_exactly(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            raise Refused(400, "the body ended too early")
        return body

    def body_size(self, text: str, base: int) -> int:
        try:
            size = int(text, base)
        except ValueError:
            size = -1
        if not 0 <= size <= MAX_BODY_BYTES:
            self.close_connection = True
            raise Refused(413 if size > 0 else 400, "the body is too large" if size > 0 else "the body has no length")
        return size

    def log_message(self, format: str, *args: object) -> None:
        pass


def parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the library's 5 drops connections under a modest load


def make_server(version: str, host: str = "127.0.0.1", port: int = 0) -> Server:
    """A pet store that listens; ``serve_forever`` serves it. Raises OSError where the port is taken."""
    handler = type("VersionHandler", (Handler,), {"store": Store(version)})
    return Server((host, port), handler)


def stop_with_parent(server: Server) -> None:
    """Stop when standard input closes: whoever started us holds the other end."""
    while os.read(0, 1024):
        pass
    server.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(prog="petstore", description="A small pet store, in two versions.")
    parser.add_argument("--version", choices=sorted(PETS), default="v1")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    try:
        server = make_server(options.version, options.host, options.port)
    except OSError as error:
        print(f"petstore: cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    if options.until_eof:
        threading.Thread(target=stop_with_parent, args=(server,), daemon=True).start()
    print(f"petstore {options.version}  http://{options.host}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
