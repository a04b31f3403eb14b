"""The pet stores answer to the letter what the canary story shows."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import Petstore, run_petstore

V1 = b'[{"id":1,"name":"Dog","status":"available"},{"id":2,"name":"Cat","status":"pending"}]'
V2 = b'[{"id":1,"name":"Dog","status":"v2"},{"id":2,"name":"Cat","status":"v2"},{"id":3,"name":"Parrot","status":"v2"}]'


@pytest.fixture(scope="module", params=["v1"])
def petstore(request: pytest.FixtureRequest) -> Iterator[Petstore]:
    with run_petstore(request.param) as store:
        yield store


@contextmanager
def connect(store: Petstore) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    store: Petstore, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    with connect(store) as connection:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize(("version", "pets"), [("v1", V1), ("v2", V2)])
def test_each_version_lists_its_pets_in_compact_json(version: str, pets: bytes) -> None:
    with run_petstore(version) as store:
        assert ask(store, "GET", "/api/pets") == (200, pets)


@pytest.mark.parametrize(
    ("method", "path", "status", "answer"),
    [
        ("GET", "/api/pets/1", 200, b'{"id":1,"name":"Dog","status":"available"}'),
        ("GET", "/api/pets/2", 200, b'{"id":2,"name":"Cat","status":"pending"}'),
        ("GET", "/api/pets/3", 404, b'{"code":404,"message":"not found: pet 3"}'),
        ("DELETE", "/api/pets/99", 404, b'{"code":404,"message":"not found: pet 99"}'),
        ("GET", "/api/pets/dog", 400, b'{"code":400,"message":"id is not an integer: dog"}'),
        ("GET", "/api/pets?limit=1", 200, b'[{"id":1,"name":"Dog","status":"available"}]'),
        ("GET", "/api/pets?limit=0", 200, b"[]"),
        ("GET", "/api/pets?limit=&tags=", 200, V1),
        ("GET", "/api/pets?limit=many", 400, b'{"code":400,"message":"limit is not an integer: many"}'),
        ("GET", "/api/pets?tags=none", 200, b"[]"),
        ("GET", "/elsewhere", 404, b'{"code":404,"message":"path /elsewhere was not found"}'),
        ("POST", "/elsewhere", 404, b'{"code":404,"message":"path /elsewhere was not found"}'),
    ],
)
def test_answers(petstore: Petstore, method: str, path: str, status: int, answer: bytes) -> None:
    assert ask(petstore, method, path) == (status, answer)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"name": ""}', 422),
        (b'{"name": "Fish", "id": "x"}', 422),
        (b'{"name": "Fish", "id": 1}', 409),
        (b"x" * 70_000, 413),
    ],
)
def test_what_is_no_pet_is_not_added(petstore: Petstore, body: bytes, status: int) -> None:
    assert ask(petstore, "POST", "/api/pets", body)[0] == status
    assert ask(petstore, "GET", "/api/pets") == (200, V1)


def test_a_pet_is_added_found_by_tag_and_deleted(petstore: Petstore) -> None:
    status, added = ask(petstore, "POST", "/api/pets", b'{"name": "Fish", "tag": "wet"}')
    assert (status, added) == (200, b'{"id":3,"name":"Fish","status":"available","tag":"wet"}')
    assert ask(petstore, "GET", "/api/pets/3") == (200, added)
    assert ask(petstore, "GET", "/api/pets?tags=dry,wet") == (200, b"[" + added + b"]")
    assert ask(petstore, "DELETE", "/api/pets/3") == (204, b"")
    assert ask(petstore, "GET", "/api/pets/3")[0] == 404


def test_a_body_in_chunks_is_read(petstore: Petstore) -> None:
    with connect(petstore) as connection:
        connection.request("POST", "/api/pets", body=iter([b'{"name": ', b'"Chunk"}']), encode_chunked=True)
        answer = json.loads(connection.getresponse().read())
        assert answer["name"] == "Chunk"
        connection.request("DELETE", f"/api/pets/{answer['id']}")
        assert connection.getresponse().status == 204


def test_one_connection_takes_many_requests(petstore: Petstore) -> None:
    with connect(petstore) as connection:
        for _ in range(3):
            connection.request("GET", "/api/pets")
            assert connection.getresponse().read() == V1
        connection.request("HEAD", "/api/pets")
        response = connection.getresponse()
        assert (response.read(), response.headers["Content-Length"]) == (b"", str(len(V1)))


def test_the_document_describes_four_operations(petstore: Petstore) -> None:
    document = json.loads(ask(petstore, "GET", "/swagger.json")[1])
    operations = {
        operation["operationId"]: (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert (document["swagger"], document["basePath"]) == ("2.0", "/api")
    assert operations == {
        "findPets": ("get", "/pets"),
        "addPet": ("post", "/pets"),
        "findPetById": ("get", "/pets/{id}"),
        "deletePet": ("delete", "/pets/{id}"),
    }


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        folder = Path(__file__).parents[2] / "examples" / "petstore"
        ended = subprocess.run(
            [sys.executable, folder, "--port", str(port)], capture_output=True, text=True, timeout=10, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == f"petstore: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_the_store_ends_with_whoever_started_it() -> None:
    with run_petstore("v1") as store:
        assert store.process.stdin is not None
        store.process.stdin.close()
        assert store.process.wait(5) == 0
