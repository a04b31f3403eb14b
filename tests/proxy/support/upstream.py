"""A raw upstream: records the exact bytes of each request and answers as a script says. Sockets and threads only."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Self


class Closed(Exception):
    """The other side has gone."""


class Seen:
    """One request as it arrived. ``body`` is without framing, ``raw_body`` with it."""

    def __init__(self, head: bytes, connection: int) -> None:
        self.head = head
        self.connection = connection
        self.body = b""
        self.raw_body = b""
        self.complete = False
        self.method, self.target, self.version = (part.decode("latin-1") for part in head.split(b"\r\n")[0].split(b" "))
        lines = head.split(b"\r\n")[1:-2]
        self.headers = [
            (k.decode("latin-1").lower(), v.strip(b" \t").decode("latin-1"))
            for k, _, v in (line.partition(b":") for line in lines)
        ]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Peer:
    """The upstream's side of one connection, for scripts."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.buffer = b""

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Closed from error

    def receive(self) -> bytes:
        try:
            data = self.sock.recv(65_536)
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        return data

    def exact(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.buffer += self.receive()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.buffer += self.receive()
        end = self.buffer.index(mark) + len(mark)
        data, self.buffer = self.buffer[:end], self.buffer[end:]
        return data

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Closed

    def read_body(self, seen: Seen) -> None:
        if seen.values("transfer-encoding"):
            while True:
                line = self.until(b"\r\n")
                size = int(line.split(b";")[0], 16)
                seen.raw_body += line
                if size == 0:
                    break
                seen.body += self.exact(size)
                self.exact(2)
            while (line := self.until(b"\r\n")) != b"\r\n":
                seen.raw_body += line
        else:
            seen.body = self.exact(int((seen.values("content-length") or ["0"])[0]))
        seen.complete = True


Script = Callable[[Peer, Seen], object]


def ok(body: bytes = b"ok", *headers: str, status: str = "200 OK") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


def answer(data: bytes) -> Script:
    """Read the request, send ``data``, keep the connection."""
    return lambda peer, seen: peer.send(data)


def answer_and_close(data: bytes) -> Script:
    def script(peer: Peer, seen: Seen) -> None:
        peer.send(data)
        raise Closed

    return script


def default_script(peer: Peer, seen: Seen) -> None:
    peer.send(ok(b"" if seen.method == "HEAD" else b"ok"))


def reset(peer: Peer, seen: Seen) -> None:
    peer.reset()


def silent(peer: Peer, seen: Seen) -> None:
    """Say nothing until the other side leaves."""
    peer.receive()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def unread(script: Script) -> Script:
    """``script`` begins when the head is there; the body is its own affair."""

    def waiting(peer: Peer, seen: Seen) -> None:
        script(peer, seen)

    waiting.unread = True  # type: ignore[attr-defined]
    return waiting


class RawUpstream:
    """Serves until left; ``script`` may be exchanged at any time, ``scripts`` are used up one per request first."""

    def __init__(self, script: Script = default_script, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.script = script
        self.scripts: list[Script] = []
        self.seen: list[Seen] = []
        self.opened = 0
        self.greeting = b""  # what it says to everybody, before it is asked anything
        self._live: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        self.close_connections()
        for thread in self._threads:
            thread.join(5)

    def close_connections(self) -> None:
        """End every open connection, idle ones too."""
        for sock in list(self._live):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def wait(self, count: int = 1, *, complete: bool = True, seconds: float = 5.0) -> list[Seen]:
        """The requests seen, once there are ``count``; fewer when time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while len(found := [s for s in self.seen if s.complete or not complete]) < count:
                if not self._changed.wait(end - time.monotonic()):
                    break
        return found

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.opened += 1
            sock.sendall(self.greeting)
            self._live.add(sock)
            thread = threading.Thread(target=self._serve, args=(Peer(sock, self.opened),))
            thread.start()
            self._threads.append(thread)

    def _serve(self, peer: Peer) -> None:
        plain = peer.sock
        with contextlib.suppress(Closed, ssl.SSLError, ConnectionError):
            if self._tls is not None:
                peer.sock = self._tls.wrap_socket(plain, server_side=True)
            while True:
                self._serve_one(peer)
        self._live.discard(plain)
        plain.close()
        peer.sock.close()

    def _serve_one(self, peer: Peer) -> None:
        seen = Seen(peer.until(b"\r\n\r\n"), peer.number)
        self._note(seen)
        script = self.scripts.pop(0) if self.scripts else self.script
        if not getattr(script, "unread", False):
            peer.read_body(seen)
            self._note()
        script(peer, seen)

    def _note(self, seen: Seen | None = None) -> None:
        with self._changed:
            if seen is not None:
                self.seen.append(seen)
            self._changed.notify_all()


def sane(head: bytes) -> bool:
    """Whether a head that was forwarded is one unambiguous HTTP/1.1 head."""
    if re.search(rb"\r(?!\n)|(?<!\r)\n|\0|\r\n[ \t]", head):
        return False
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]]
    framing = names.count(b"content-length") + names.count(b"transfer-encoding")
    return framing <= 1 and names.count(b"host") == 1
