"""From settings to children: checks, listening sockets, and what each child is told.

Everything that can be wrong with the settings is found here, before anything is started.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from coalmine.errors import StartupError
from coalmine.serve.banner import write_addresses
from coalmine.serve.children import ChildSpec, python_module
from coalmine.serve.orders import Orders, dump_orders, without_secrets
from coalmine.serve.ownership import check_owners
from coalmine.serve.sockets import bind_many, bind_one, close_all, format_address
from coalmine.serve.supervisor import Supervisor
from coalmine.settings import Settings, is_loopback, parse_address

_SQLITE = "sqlite:///"


@dataclass
class Gateway:
    """Listening sockets and a folder for the run; ``settings`` hold the addresses as bound."""

    settings: Settings
    snapshot_file: Path
    admin: socket.socket
    proxies: list[socket.socket]
    scratch: Path

    @property
    def specs(self) -> list[ChildSpec]:
        """Control first: it is the one that takes longest to be ready."""
        control = ChildSpec(
            "control",
            python_module("coalmine.serve.control"),
            fds=(self.admin.fileno(),),
            config=dump_orders(self._orders(self.settings, self.admin)),
        )
        return [control, *(self._worker(index, sock) for index, sock in enumerate(self.proxies))]

    def close_sockets(self) -> None:
        """From now on connects are refused, as soon as the children have closed theirs."""
        close_all([self.admin, *self.proxies])

    def close(self) -> None:
        self.close_sockets()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _worker(self, index: int, sock: socket.socket) -> ChildSpec:
        return ChildSpec(
            f"worker {index + 1}",
            python_module("coalmine.serve.worker"),
            fds=(sock.fileno(),),
            config=dump_orders(self._orders(without_secrets(self.settings), sock, index)),
            without=("COALMINE_ADMIN_TOKEN",),
        )

    def _orders(self, settings: Settings, sock: socket.socket, index: int = 0) -> Orders:
        return Orders(settings, sock.fileno(), str(self.scratch), str(self.snapshot_file), index)


def open_gateway(settings: Settings, *, scratch: Path | None = None) -> Gateway:
    """Check everything, then bind; raises StartupError and has changed nothing then.

    ``scratch`` is a folder for this run, removed at its end; by default a new one.
    """
    check_owners()
    check_admin(settings)
    database = find_database(settings.database)
    host, port = parse_address(settings.admin, flag="--admin")
    admin = bind_one(host, port, flag="--admin")
    try:
        host, port = parse_address(settings.proxy, flag="--proxy")
        proxies = bind_many(host, port, settings.worker_count, flag="--proxy")
    except StartupError:
        admin.close()
        raise
    bound = replace(settings, admin=format_address(admin), proxy=format_address(proxies[0]))
    snapshot_file = database.with_name(database.name + ".snapshot.json")
    return Gateway(bound, snapshot_file, admin, proxies, scratch or Path(tempfile.mkdtemp(prefix="coalmine-")))


def serve(settings: Settings) -> int:
    """Serve until told to stop; returns the exit code."""
    gateway = open_gateway(settings)
    try:
        return Supervisor(
            gateway.specs,
            grace_seconds=settings.grace_seconds,
            on_ready=lambda: write_addresses(gateway.settings, sys.stdout),
            on_stopping=gateway.close_sockets,
        ).run()
    finally:
        gateway.close()


def check_admin(settings: Settings) -> None:
    """An admin API that others can reach has a token."""
    host, _ = parse_address(settings.admin, flag="--admin")
    if not is_loopback(host) and not settings.admin_token:
        raise StartupError(
            f"--admin is {settings.admin}, which other machines can reach, and there is no admin token",
            hint="set COALMINE_ADMIN_TOKEN, or listen on 127.0.0.1",
        )


def find_database(url: str) -> Path:
    """The file that ``url`` names. The catalog says more about it; this much is known before anything starts."""
    path = Path(url.removeprefix(_SQLITE))
    if not url.startswith(_SQLITE) or path.name in ("", ":memory:"):
        raise StartupError(
            f"--database is {url!r}, which names no SQLite file",
            hint="write sqlite:///name.db for a file here, or sqlite:////absolute/path/name.db",
        )
    if not path.parent.is_dir():
        raise StartupError(
            f"--database is {url}, and the directory {path.parent} does not exist",
            hint=f"create it: mkdir -p {path.parent}",
        )
    return path.absolute()
