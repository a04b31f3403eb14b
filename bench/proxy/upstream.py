"""What all proxies send to: an nginx that answers from memory, and the document that says which functions it has."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.processes import LOAD_CORE, Process, pin, running, wait_until
from bench.proxy.finding import find

START_SECONDS = 120.0
PET = {"id": 7, "name": "Tom", "tag": "cat", "photos": ["http://example.test/tom.png"], "age": 4}
FILES = {"large": 100 * 1024, "stream": 1024 * 1024}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answers(port: int, path: str, status: int = 200) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(process: Process, port: int, path: str) -> None:
    """Until ``path`` is answered with 200; RuntimeError where it is not."""
    wait_until(lambda: answers(port, path), process, START_SECONDS)


def _operation(name: str, *parameters: dict[str, Any], body: bool = False) -> dict[str, Any]:
    content = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    answer = {"200": {"description": "A pet or what is wanted of it"}}
    return {
        "operationId": name,
        "parameters": list(parameters),
        **({"requestBody": content} if body else {}),
        "responses": answer,
    }


def make_document() -> dict[str, Any]:
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    pets = {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer"}}
    token = {"name": "x-token", "in": "header", "required": False, "schema": {"type": "string"}}
    paths = {
        "/api/pets/{id}": {"post": _operation("feedPet", number), "get": _operation("findPet", number)},
        "/api/pets": {"get": _operation("findPets", pets, token)},
        "/api/orders": {"put": _operation("addOrder", body=True)},
        "/api/large": {"get": _operation("findLarge")},
        "/api/stream": {"get": _operation("findStream")},
    }
    return {"openapi": "3.0.3", "info": {"title": "Pets", "version": "1"}, "paths": paths}


def start_upstream(folder: Path, stack: ExitStack) -> tuple[Process, int]:
    """The process and its port. RuntimeError where it does not start."""
    port = free_port()
    (folder / "openapi.json").write_text(json.dumps(make_document()))
    for name, size in FILES.items():
        (folder / name).write_bytes(b"x" * size)
    config = folder / "upstream.conf"
    config.write_text(_configure(folder, port))
    command = [find("nginx") or "nginx", "-e", "stderr", "-p", str(folder), "-c", str(config)]
    process = stack.enter_context(running(pin(LOAD_CORE, command), folder=folder))
    wait_for(process, port, "/api/pets/7")
    return process, port


def _configure(folder: Path, port: int) -> str:
    files = "".join(f"  location = /api/{name} {{ alias {folder}/{name}; }}\n" for name in FILES)
    # multi_accept: a thousand connections come at once, and one per turn of its loop keeps the last of them waiting for
    # seconds while the first are busy.
    return (
        f"daemon off; worker_processes 1; error_log stderr crit; pid {folder}/upstream.pid;\n"
        "events { worker_connections 16384; multi_accept on; }\n"
        "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on;\n"
        f" client_body_temp_path {folder}/upstream-body; open_file_cache max=16;\n"
        f" server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;\n"
        f"  location = /openapi.json {{ alias {folder}/openapi.json; }}\n{files}"
        f"  location / {{ return 200 '{json.dumps(PET)}'; }} }} }}\n"
    )


def until(ready: Any, seconds: float, what: str) -> None:
    """RuntimeError where ``ready()`` is not true in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} took more than {seconds:.0f} s")
        time.sleep(0.1)
