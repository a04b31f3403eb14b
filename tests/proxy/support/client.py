"""A raw client: sends bytes as they are, reads answers by their framing and says whether they were complete."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    trailers: bytes = b""

    def value(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class RawClient:
    def __init__(
        self, address: tuple[str, int], *, source: str | None = None, receive_buffer: int | None = None
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(10)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def ask(self, data: bytes, *, head: bool = False) -> Answer:
        return self.send(data).read(head=head)

    def fill(self) -> bool:
        """More bytes; False at the end."""
        try:
            data = self.sock.recv(65_536)
        except ConnectionError:
            data = b""
        self.buffer += data
        self.ended = self.ended or not data
        return bool(data)

    def read(self, *, head: bool = False, interim: bool = False) -> Answer:
        """The next final answer (or any, with ``interim``); ``status`` 0 when the connection ended before one."""
        while True:
            answer = self._read_head()
            if interim or answer.status == 0 or answer.status == 101 or answer.status >= 200:
                break
        if 0 < answer.status < 200 or head or answer.status in (204, 304):
            answer.complete = answer.status > 0
        elif answer.status:
            self._read_body(answer)
        return answer

    def at_end(self, seconds: float = 5.0) -> bool:
        """Whether the connection ends in time, without another byte."""
        self.sock.settimeout(seconds)
        try:
            return not self.buffer and not self.fill()
        except TimeoutError:
            return False

    def reset(self) -> None:
        """Leave without a farewell: closing would only say that no more will be sent."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _read_head(self) -> Answer:
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return Answer()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return Answer(int(first.split(" ")[1]), [(name.lower(), value.strip()) for name, _, value in pairs])

    def _read_body(self, answer: Answer) -> None:
        if answer.value("transfer-encoding") == "chunked":
            self._read_chunks(answer)
        elif (length := answer.value("content-length")) is not None:
            answer.body = self._exact(int(length))
            answer.complete = len(answer.body) == int(length)
        else:
            while self.fill():
                pass
            answer.body, self.buffer = self.buffer, b""
            answer.complete = True

    def _read_chunks(self, answer: Answer) -> None:
        while True:
            size = self._line()
            if not size:
                return
            if int(size, 16) == 0:
                break
            piece = self._exact(int(size, 16))
            answer.body += piece
            if len(piece) < int(size, 16) or self._line() is None:
                return
        while line := self._line():
            answer.trailers += line + b"\r\n"
        answer.complete = line == b""

    def _line(self) -> bytes | None:
        while b"\r\n" not in self.buffer:
            if not self.fill():
                return None
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _exact(self, size: int) -> bytes:
        pieces, have = [self.buffer], len(self.buffer)
        self.buffer = b""
        while have < size and self.fill():
            pieces.append(self.buffer)
            have += len(self.buffer)
            self.buffer = b""
        data = b"".join(pieces)
        self.buffer = data[size:]
        return data[:size]


def request(
    method: str = "GET", target: str = "/", *headers: str, body: bytes = b"", host: str | None = "gateway.test"
) -> bytes:
    lines = ([f"Host: {host}"] if host is not None else []) + list(headers)
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return (
        f"{method} {target} HTTP/1.1\r\n{''.join(line + chr(13) + chr(10) for line in lines)}\r\n".encode("latin-1")
        + body
    )


def eventually(condition: object, seconds: float = 5.0) -> bool:
    """Whether ``condition`` becomes true in time."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())
