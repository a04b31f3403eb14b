"""The command line against the real admin API over a socket, with two discovered petstores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coalmine.cli import main
from coalmine.model import Route, Upstream, VirtualService
from tests.admin_api.support import V1, V2, Api, open_api, petstore_functions

ROUTES = (
    {
        "name": "petstore",
        "match": {"path": {"prefix": "/petstore"}},
        "destinations": [{"upstream": V1}],
        "rewrite": {"prefix": "/api/pets"},
    },
    {
        "name": "find-pets",
        "match": {"path": {"prefix": "/findPets"}},
        "destinations": [{"upstream": V1, "function": "findPets"}],
    },
)


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.out.splitlines()]


@dataclass
class Cli:
    """Runs command lines in this process, as ``coalmine`` would; fails unless the exit code is ``code``."""

    api: Api
    capsys: pytest.CaptureFixture[str]

    def __call__(self, line: str | list[str], *more: str, code: int = 0) -> Result:
        words = [*(line.split() if isinstance(line, str) else line), *more]
        self.capsys.readouterr()
        ended = main(words)
        captured = self.capsys.readouterr()
        assert ended == code, captured.out + captured.err
        return Result(ended, captured.out, captured.err)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with open_api(tmp_path_factory.mktemp("cli")) as api:
        yield api


@pytest.fixture
def api(served: Api) -> Api:
    """With both petstores and nothing else; the server is shared, because starting it takes longer than a test."""
    with served.catalog.write() as writer:
        for canary in writer.list_canaries():
            writer.delete_canary(canary.name)
        for name in writer.names("route"):
            writer.delete_route(name)
        for name in writer.names("virtual_service"):
            writer.delete_virtual_service(name)
        for name in writer.names("upstream"):
            writer.delete_upstream(name)
        for upstream, port in ((V1, 9001), (V2, 9002)):
            writer.put_upstream(Upstream(name=upstream, endpoints=(f"http://127.0.0.1:{port}",)))
    for upstream in (V1, V2):
        served.discover(upstream, *petstore_functions(upstream))
    return served


@pytest.fixture
def cli(api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("COALMINE_ADMIN_URL", f"http://127.0.0.1:{api.port}")
    monkeypatch.delenv("COALMINE_ADMIN_TOKEN", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return Cli(api, capsys)


@pytest.fixture
def zoo(cli: Cli) -> Cli:
    """With the virtual service coalmine and two routes of the article's first part."""
    with cli.api.catalog.write() as writer:
        writer.put_virtual_service(VirtualService(name="coalmine"))
        for route in ROUTES:
            writer.put_route(Route.model_validate({"virtual_service": "coalmine", **route}))
    cli.api.feed.publish()
    return cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
