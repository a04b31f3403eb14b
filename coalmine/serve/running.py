"""Finding a gateway that runs on this machine: a file beside its database says who and where it is.

    <process id>\n
    <the unix socket on which the supervisor takes requests>\n

It is named after the database (``coalmine.db.pid``), which whoever has to do with the gateway knows.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from coalmine.errors import StartupError
from coalmine.serve.reloading import DONE, FAILED

_SQLITE = "sqlite:///"
# Replacing everything takes seconds; a supervisor that says nothing for so long has other troubles.
_PATIENCE_SECONDS = 180.0


def find_pid_file(database: str) -> Path:
    path = Path(database.removeprefix(_SQLITE)).absolute()
    return path.with_name(path.name + ".pid")


def listen_for_requests(folder: Path) -> socket.socket:
    """Only this user can connect: the folder is nobody else's (``mkdtemp``)."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(folder / "supervisor.sock"))
    sock.listen(8)
    sock.setblocking(False)
    return sock


class PidFile:
    """There while the gateway runs. Where it cannot be written, serving goes on without it."""

    def __init__(self, database: str, requests: socket.socket, report: Callable[[str], None]) -> None:
        self._path = find_pid_file(database)
        self._text = f"{os.getpid()}\n{requests.getsockname()}\n"
        self._report = report

    def __enter__(self) -> PidFile:
        try:
            self._path.write_text(self._text)
        except OSError as error:
            self._report(
                f"{self._path} cannot be written ({error.strerror}); coalmine reload will not find this gateway"
            )
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            if self._path.read_text() == self._text:  # a later gateway may have taken its place
                self._path.unlink()


def request_reload(database: str) -> Iterator[str]:
    """Ask the gateway that serves ``database`` to reload, and tell what it says; raises StartupError."""
    with _connect(find_pid_file(database)) as sock, sock.makefile("r") as said:
        for line in map(str.strip, said):
            if line == DONE:
                yield "reloaded"
                return
            if line.startswith(FAILED):
                raise StartupError(
                    f"the reload failed: {line.removeprefix(FAILED)}", hint="the gateway's own output tells more"
                )
            yield line
    raise StartupError("the gateway ended before the reload did")


def _connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(_PATIENCE_SECONDS)
    try:
        _, place = path.read_text().splitlines()
        sock.connect(place)
        sock.sendall(b"reload\n")
    except (OSError, ValueError):
        sock.close()
        raise StartupError(
            f"no gateway is found by {path}", hint="give the --database that it serves, on the machine it runs on"
        ) from None
    return sock
