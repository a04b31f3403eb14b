"""Who gets in: no operation without a token, no foreign page or name, nothing that comes through the proxy."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from bench.durability.rows import Given, Row
from bench.durability.serving import Serving, ask, route, serving

TOKEN, READ_TOKEN = "an-admin-token-of-the-bench", "a-read-token-of-the-bench"
BY_ADMIN, BY_READER = f"Bearer {TOKEN}", f"Bearer {READ_TOKEN}"
_FOREIGN = (
    {"host": "evil.test"},
    {"origin": "http://evil.test"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"content_type": "text/plain"},
    {"content_type": "application/x-www-form-urlencoded"},
)


def run(given: Given) -> Iterator[Row]:
    tokens = {"COALMINE_ADMIN_TOKEN": TOKEN, "COALMINE_ADMIN_READ_TOKEN": READ_TOKEN}
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, tokens), serving(Path(folder)) as gateway:
        listed = list_operations(gateway)
        yield knock_without_a_token(gateway, listed)
        yield write_as_a_reader(gateway, listed)
        yield come_from_elsewhere(gateway)
        yield go_through_the_proxy(gateway)
        yield look_for_tokens(gateway)
        yield list_listeners(gateway)


def list_operations(gateway: Serving) -> list[tuple[str, str]]:
    paths = ask(gateway.admin, "GET", "/openapi.json", authorization=BY_ADMIN).json["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return [(method, re.sub(r"\{[^}]+\}", "1", path)) for method, path in found if not path.endswith("/events")]


def knock_without_a_token(gateway: Serving, listed: list[tuple[str, str]]) -> Row:
    given = ("", "Bearer wrong", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}")
    listed = [*listed, *(("GET", path) for path in ("/", "/docs", "/openapi.json", "/nonsense"))]
    entered = {one for one in listed for text in given if ask(gateway.admin, *one, authorization=text).status != 401}
    result = f"401 for all but {', '.join(sorted(path for _, path in entered))}"
    done = f"{len(listed)} operations of openapi.json, each with {len(given)} wrong tokens"
    return Row("Token on every route", done, result, entered == {("GET", "/healthz"), ("GET", "/readyz")})


def write_as_a_reader(gateway: Serving, listed: list[tuple[str, str]]) -> Row:
    questions = ("/match", "/config/diff", "/config/validate")
    writing = [one for one in listed if one[0] != "GET" and not one[1].endswith(questions)]
    refused = sum(ask(gateway.admin, *one, {}, authorization=BY_READER).status == 403 for one in writing)
    result = f"{refused} × 403"
    return Row("A reader writes nothing", f"{len(writing)} writing operations", result, refused == len(writing))


def come_from_elsewhere(gateway: Serving) -> Row:
    statuses = [
        ask(gateway.admin, "PUT", "/api/v1/routes/r", route("r", "r"), authorization=BY_ADMIN, **headers).status
        for headers in _FOREIGN
    ]
    told = ", ".join(
        f"{next(iter(headers.values()))} {status}" for headers, status in zip(_FOREIGN, statuses, strict=True)
    )
    return Row("Foreign pages and names", "a PUT with the token, but a foreign sign", told, set(statuses) <= {403, 415})


def go_through_the_proxy(gateway: Serving) -> Row:
    hosts = ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "2130706433", "[::ffff:127.0.0.1]")
    refused = 0
    for host in hosts:
        body = {"name": "own", "endpoints": [f"http://{host}:{gateway.admin}"]}
        refused += ask(gateway.admin, "POST", "/api/v1/upstreams", body, authorization=BY_ADMIN).status == 422
    via = ask(gateway.admin, "GET", "/api/v1/routes", authorization=BY_ADMIN, via="1.1 coalmine").status
    docs = [gateway.get(path).status for path in ("/docs", "/openapi.json", "/api/v1/routes")]
    result = f"{refused} × 422; a request that names the proxy in Via: {via}; admin paths on the proxy port: {docs}"
    kept = refused == len(hosts) and via == 403 and set(docs) == {404}
    return Row("Admin never reachable through the proxy", f"{len(hosts)} spellings of its own address", result, kept)


def look_for_tokens(gateway: Serving) -> Row:
    ask(gateway.admin, "PUT", "/api/v1/routes/r", route("r", "r"), authorization=BY_ADMIN)
    files = [path for path in gateway.database.parent.iterdir() if path.is_file()]
    found = [path.name for path in files if TOKEN.encode() in path.read_bytes()]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files if path.name.startswith("c.db")}
    told = ", ".join(f"{name} {mode}" for name, mode in sorted(modes.items()))
    kept = not found and {mode for name, mode in modes.items() if not name.endswith(".pid")} == {"0o600"}
    return Row("Secrets at rest", "token looked for in all files", f"in {len(found)} files; modes: {told}", kept)


def list_listeners(gateway: Serving) -> Row:
    told = subprocess.run(["ss", "-ltn"], capture_output=True, text=True, check=True).stdout
    found = [
        line.split()[3]
        for line in told.splitlines()
        if line.split()[3].endswith((f":{gateway.admin}", f":{gateway.proxy}"))
    ]
    kept = all(address.startswith("127.0.0.1:") for address in found)
    hosts = sorted({address.rpartition(":")[0] for address in found})
    return Row("Loopback by default", "`ss -ltn`", f"listening on {', '.join(hosts)}", kept and bool(found))
