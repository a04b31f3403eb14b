"""From settings to children: what is checked, and what each child is told."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coalmine.errors import StartupError
from coalmine.serve.banner import reach, write_addresses
from coalmine.serve.children import VARIABLE, ChildSpec, child_environment, describe_exit
from coalmine.serve.gateway import check_admin, find_database, open_gateway
from coalmine.serve.orders import read_orders
from coalmine.settings import Settings
from tests.support.processes import ROOT

ANY = Settings(proxy="127.0.0.1:0", admin="127.0.0.1:0", workers=2)


@pytest.mark.parametrize("admin", ["0.0.0.0:8081", "[::]:8081", ":8081", "10.1.2.3:8081", "gateway.test:8081"])
def test_an_admin_api_that_others_reach_needs_a_token(admin: str) -> None:
    with pytest.raises(StartupError, match="no admin token"):
        check_admin(Settings(admin=admin))
    check_admin(Settings(admin=admin, admin_token="secret"))


@pytest.mark.parametrize("admin", ["127.0.0.1:8081", "[::1]:8081", "localhost:8081", "127.8.8.8:1"])
def test_loopback_needs_no_token(admin: str) -> None:
    check_admin(Settings(admin=admin))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql://x/y", "coalmine.db"])
def test_the_catalog_is_a_file(url: str) -> None:
    with pytest.raises(StartupError, match="names no SQLite file"):
        find_database(url)


def test_the_database_lies_where_the_url_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_database("sqlite:///x.db") == tmp_path / "x.db"
    assert find_database(f"sqlite:///{tmp_path}/y.db") == tmp_path / "y.db"


def test_a_missing_directory_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        find_database(f"sqlite:///{tmp_path}/no/x.db")
    assert caught.value.hint == f"create it: mkdir -p {tmp_path}/no"


def test_children_are_told_what_they_need_and_workers_no_secrets(tmp_path: Path) -> None:
    settings = replace(ANY, database=f"sqlite:///{tmp_path}/x.db", admin_token="secret")
    gateway = open_gateway(settings)
    try:
        control, *workers = gateway.specs
        told = [read_orders({VARIABLE: json.dumps(dict(spec.config or {}))}) for spec in gateway.specs]
        assert [spec.name for spec in workers] == ["worker 1", "worker 2"]
        assert [orders.index for orders in told[1:]] == [0, 1]
        assert {orders.snapshot_file for orders in told} == {f"{tmp_path}/x.db.snapshot.json"}
        assert {orders.settings.proxy for orders in told} == {gateway.settings.proxy}
        assert not gateway.settings.proxy.endswith(":0")
        assert [orders.settings.admin_token for orders in told] == ["secret", None, None]
        environ = {"COALMINE_ADMIN_TOKEN": "secret", "PATH": "/bin"}
        assert "secret" not in str(child_environment(workers[0], 7, environ))
        assert child_environment(control, 7, environ)["COALMINE_ADMIN_TOKEN"] == "secret"
    finally:
        gateway.close()
    assert not gateway.scratch.exists()


def test_a_child_finds_coalmine_in_a_bare_checkout() -> None:
    environ = child_environment(ChildSpec("x", ["x"]), 7, {"PYTHONPATH": "/elsewhere"})
    assert environ == {"PYTHONPATH": f"{ROOT}:/elsewhere"}


def test_sockets_are_closed_when_the_second_cannot_be_bound(tmp_path: Path) -> None:
    settings = replace(ANY, database=f"sqlite:///{tmp_path}/x.db")
    gateway = open_gateway(settings)
    try:
        with pytest.raises(StartupError, match="that port is taken"):
            open_gateway(replace(settings, proxy=gateway.settings.proxy))
    finally:
        gateway.close()
    # A socket left open would be a ResourceWarning, which is an error here.


def test_one_line_per_listening_address() -> None:
    out = io.StringIO()
    write_addresses(Settings(proxy="127.0.0.1:1", admin="[::1]:2"), out)
    assert out.getvalue() == "proxy   http://127.0.0.1:1\nadmin   http://[::1]:2\n"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("[::]:1", "http://[::1]:1"),
        ("[::1]:1", "http://[::1]:1"),
        ("gateway.test:1", "http://gateway.test:1"),
    ],
)
def test_every_interface_is_reached_by_loopback(address: str, url: str) -> None:
    assert reach(address) == url


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (-9, "SIGKILL"), (-77, "signal 77")])
def test_how_a_child_ended_is_said_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


LIGHT = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "sqlmodel", "alembic", "yaml", "httpx", "rich", "typer")


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("coalmine.serve.worker", (*LIGHT, "coalmine.catalog", "coalmine.cli", "discovery", "admin_api")),
        ("coalmine.serve.gateway", (*LIGHT, "pydantic", "uvloop", "proxy", "coalmine.model", "asyncio")),
    ],
    ids=["a worker has nothing of the control half", "the supervisor has next to nothing"],
)
def test_a_process_imports_only_what_it_is_for(module: str, never: tuple[str, ...]) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    listed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert sorted(set(json.loads(listed)) & set(never)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": 3}, "workers was 2 and is 3 now"),
        ({"proxy": "127.0.0.1:1"}, "proxy was '127.0.0.1:0' and is '127.0.0.1:1' now"),
        ({"admin": "0.0.0.0:1", "admin_token": "x"}, "admin was '127.0.0.1:0' and is '0.0.0.0:1' now"),
        ({"admin": "0.0.0.0:1"}, "no admin token"),
    ],
)
def test_what_stands_for_sockets_in_use_stays_at_a_reload(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    settings = replace(ANY, database=f"sqlite:///{tmp_path}/x.db")
    gateway = open_gateway(settings)
    try:
        before = gateway.settings
        with pytest.raises(StartupError, match=words):
            gateway.renew(replace(settings, **changes))
        assert gateway.settings == before
        renewed = gateway.renew(replace(settings, max_connections=7))
        told = [read_orders({VARIABLE: json.dumps(dict(spec.config or {}))}) for spec in renewed]
        assert {(orders.settings.max_connections, orders.settings.proxy) for orders in told} == {(7, before.proxy)}
    finally:
        gateway.close()


def test_orders_of_another_version_are_read_as_far_as_they_are_known() -> None:
    given = {"settings": {"proxy": "127.0.0.1:1", "new": 1}, "fd": 3, "scratch": "s", "snapshot_file": "f", "newer": 2}
    orders = read_orders({VARIABLE: json.dumps(given)})
    assert (orders.settings.proxy, orders.fd, orders.standby) == ("127.0.0.1:1", 3, False)
