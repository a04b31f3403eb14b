"""Listening sockets. The supervisor binds them and keeps them, so a dead child's backlog waits for its replacement.

Rule 1: a taken port is an error that names the flag. With SO_REUSEPORT alone, a second instance would silently
get a share of the first one's connections, so a bind without it comes first.
Rule 2: every worker has a socket of its own where the kernel spreads connections over them (Linux); elsewhere
all workers accept from one.
"""

from __future__ import annotations

import errno
import socket
import sys

from coalmine.errors import StartupError

# What Linux allows by default (net.core.somaxconn); a burst of connects waits here while workers start.
BACKLOG = 4096
SPREADS = sys.platform == "linux"


def bind_one(host: str, port: int, *, flag: str) -> socket.socket:
    """One listening socket; raises StartupError."""
    return _listen(_bind(host, port, flag=flag))


def bind_many(host: str, port: int, count: int, *, flag: str) -> list[socket.socket]:
    """``count`` listening sockets on one address; port 0 takes a free one for all. Raises StartupError."""
    if not SPREADS:
        first = bind_one(host, port, flag=flag)
        return [first, *(first.dup() for _ in range(count - 1))]
    with _bind(host, port, flag=flag) as probe:
        port = probe.getsockname()[1]
    found: list[socket.socket] = []
    try:
        while len(found) < count:
            found.append(_bind(host, port, flag=flag, shared=True))
    except StartupError:
        close_all(found)
        raise
    return [_listen(sock) for sock in found]


def close_all(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def format_address(sock: socket.socket) -> str:
    """``host:port`` or ``[v6]:port``, as bound."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"


def find_free_port(host: str, wanted: int, *, tries: int = 100) -> int:
    """``wanted`` or the next free port above it; raises StartupError after ``tries``."""
    for port in range(wanted, min(wanted + tries, 65_536)):
        try:
            _bind(host, port, flag="").close()
        except StartupError:
            continue
        return port
    raise StartupError(f"no port from {wanted} to {wanted + tries - 1} is free on {host}")


def _bind(host: str, port: int, *, flag: str, shared: bool = False) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartupError(f"{flag} names the host {host!r}, which cannot be resolved: {error.strerror}") from None
    sock = socket.socket(family, kind, number)
    try:
        # Connections of an earlier instance that linger in TIME_WAIT must not keep the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _explain(error, host, port, flag) from None
    return sock


def _listen(sock: socket.socket) -> socket.socket:
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _explain(error: OSError, host: str, port: int, flag: str) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            f"{flag} is {host}:{port}, and that port is taken",
            hint=f"stop what listens there, or choose another port: {flag} {host}:{port + 1}",
        )
    if error.errno == errno.EACCES:
        return StartupError(f"{flag} is {host}:{port}; ports below 1024 need more rights than this user has")
    if error.errno == errno.EADDRNOTAVAIL:
        return StartupError(f"{flag} is {host}:{port}, and this machine has no such address")
    return StartupError(f"{flag} is {host}:{port}, which cannot be listened on: {error.strerror}")
