"""From settings to children: checks, listening sockets, and what each child is told.

Everything that can be wrong with the settings is found here, before anything is started.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from coalmine.errors import StartupError
from coalmine.serve.access_log import check_access_log
from coalmine.serve.banner import write_addresses
from coalmine.serve.certificates import check_certificates
from coalmine.serve.children import ChildSpec, python_module
from coalmine.serve.descriptors import fit_descriptors
from coalmine.serve.orders import Orders, dump_orders, without_secrets
from coalmine.serve.ownership import check_owners
from coalmine.serve.reloading import Renew
from coalmine.serve.report import report_to_stderr
from coalmine.serve.running import PidFile, listen_for_requests
from coalmine.serve.sockets import bind_many, bind_one, close_all, format_address
from coalmine.serve.supervisor import EXTRA_SECONDS, Supervisor
from coalmine.serve.traces import check_traces
from coalmine.settings import Settings, is_loopback, parse_address
from coalmine.tls import Spare, make_spare

_SQLITE = "sqlite:///"
# What stands for sockets and files in use: a reload cannot change it.
FIXED = ("proxy", "proxy_tls", "admin", "database", "workers")


@dataclass
class Gateway:
    """Listening sockets and a folder for the run; ``settings`` hold the addresses as bound, ``asked`` as given."""

    asked: Settings
    settings: Settings
    snapshot_file: Path
    admin: socket.socket
    proxies: list[socket.socket]
    scratch: Path
    secure: list[socket.socket] = field(default_factory=list)  # for https: one for each worker, or none at all
    spare: Spare | None = None  # what last worked of the files for https

    @property
    def specs(self) -> list[ChildSpec]:
        """Control first: it is the one that takes longest to be ready."""
        control = ChildSpec(
            "control",
            python_module("coalmine.serve.control"),
            kind="control",
            alone=True,
            fds=(self.admin.fileno(),),
            config=dump_orders(self._orders(self.settings, self.admin)),
        )
        return [control, *(self._worker(index, sock) for index, sock in enumerate(self.proxies))]

    def renew(self, settings: Settings) -> list[ChildSpec]:
        """The children by other settings; raises StartupError, and nothing has changed then."""
        check_admin(settings)
        check_certificates(settings, self.spare)
        check_access_log(settings)
        check_traces(settings)
        for name in FIXED:
            before, after = getattr(self.asked, name), getattr(settings, name)
            if before != after:
                raise StartupError(
                    f"{name} was {before!r} and is {after!r} now, which a reload cannot change",
                    hint="restart the gateway",
                )
        self.asked = settings
        bound = self.settings
        self.settings = replace(settings, admin=bound.admin, proxy=bound.proxy, proxy_tls=bound.proxy_tls)
        return self.specs

    def close_sockets(self) -> None:
        """From now on connects are refused, as soon as the children have closed theirs."""
        close_all([self.admin, *self.proxies, *self.secure])

    def close(self) -> None:
        self.close_sockets()
        if self.spare is not None:
            self.spare.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _worker(self, index: int, sock: socket.socket) -> ChildSpec:
        secure = self.secure[index].fileno() if self.secure else -1
        spare = self.spare.fd if self.secure and self.spare is not None else -1
        orders = self._orders(without_secrets(self.settings), sock, index)
        return ChildSpec(
            f"worker {index + 1}",
            python_module("coalmine.serve.worker"),
            kind="worker",
            fds=(sock.fileno(), *(fd for fd in (secure, spare) if fd >= 0)),
            config=dump_orders(replace(orders, tls_fd=secure, spare_fd=spare)),
            without=("COALMINE_ADMIN_TOKEN", "COALMINE_ADMIN_READ_TOKEN"),
        )

    def _orders(self, settings: Settings, sock: socket.socket, index: int = 0) -> Orders:
        return Orders(settings, sock.fileno(), str(self.scratch), str(self.snapshot_file), index)


def open_gateway(settings: Settings, *, scratch: Path | None = None) -> Gateway:
    """Check everything, then bind; raises StartupError and has changed nothing then.

    ``scratch`` is a folder for this run, removed at its end; by default a new one.
    """
    check_owners()
    check_admin(settings)
    spare = make_spare() if settings.proxy_tls else None
    check_certificates(settings, spare)
    check_access_log(settings)
    check_traces(settings)
    database = find_database(settings.database)
    host, port = parse_address(settings.admin, flag="--admin")
    admin = bind_one(host, port, flag="--admin")
    proxies: list[socket.socket] = []
    try:
        proxies += _bind_workers(settings, settings.proxy, "--proxy")
        secure = _bind_workers(settings, settings.proxy_tls, "--proxy-tls") if settings.proxy_tls else []
    except StartupError:
        close_all([admin, *proxies])
        raise
    bound = replace(settings, admin=format_address(admin), proxy=format_address(proxies[0]))
    if secure:
        bound = replace(bound, proxy_tls=format_address(secure[0]))
    snapshot_file = database.with_name(database.name + ".snapshot.json")
    folder = scratch or Path(tempfile.mkdtemp(prefix="coalmine-"))
    return Gateway(settings, bound, snapshot_file, admin, proxies, folder, secure, spare)


def _bind_workers(settings: Settings, address: str, flag: str) -> list[socket.socket]:
    return bind_many(*parse_address(address, flag=flag), settings.worker_count, flag=flag)


def serve(settings: Settings, reread: Callable[[], Settings] | None = None) -> int:
    """Serve until told to stop; returns the exit code. ``reread``: the settings at a reload, if they may change."""
    gateway = open_gateway(fit_descriptors(settings, report_to_stderr))
    try:
        requests = listen_for_requests(gateway.scratch)
        with requests, PidFile(settings.database, requests, report_to_stderr):
            return _supervise(gateway, reread or (lambda: settings), requests)
    finally:
        gateway.close()


def _supervise(gateway: Gateway, reread: Callable[[], Settings], requests: socket.socket) -> int:
    def leaving_seconds() -> float:
        return gateway.settings.drain_seconds + EXTRA_SECONDS

    def renew() -> list[ChildSpec]:
        specs = gateway.renew(fit_descriptors(reread(), report_to_stderr))
        supervisor.grace_seconds = gateway.settings.grace_seconds
        supervisor.watch.limit = gateway.settings.hang_seconds
        return specs

    supervisor = Supervisor(
        gateway.specs,
        grace_seconds=gateway.settings.grace_seconds,
        hang_seconds=gateway.settings.hang_seconds,
        on_ready=lambda: write_addresses(gateway.settings, sys.stdout),
        on_stopping=gateway.close_sockets,
        renew=Renew(renew, leaving_seconds=leaving_seconds, requests=requests),
    )
    return supervisor.run()


def check_admin(settings: Settings) -> None:
    """An admin API that others can reach has a token."""
    host, _ = parse_address(settings.admin, flag="--admin")
    if not is_loopback(host) and not settings.admin_token:
        raise StartupError(
            f"--admin is {settings.admin}, which other machines can reach, and there is no admin token",
            hint="set COALMINE_ADMIN_TOKEN, or listen on 127.0.0.1",
        )
    if settings.admin_read_token and settings.admin_read_token == settings.admin_token:
        raise StartupError("the read token is the admin token, so whoever may read may write", hint="make two")
    if settings.admin_read_token and not settings.admin_token:
        raise StartupError(
            "there is a read token and no admin token, so everybody may write without one",
            hint="set COALMINE_ADMIN_TOKEN, too",
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
