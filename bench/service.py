"""A service to stand behind the proxy in bench programs: quick, slow, silent, large, greedy, as the path says.

    python -m bench.service [--port N]

    /bytes/N       N bytes, as fast as they are read
    /pattern/N     N bytes of which none can be lost, repeated or moved without another SHA-256 (``pattern``)
    /digest        the SHA-256 of the request's body
    /after/S       "ok" after S seconds
    /silent        nothing, ever
    /fail          500
    anything else  "ok"; a request's body is read and forgotten

It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
from collections.abc import Iterator

import uvloop

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_PIECE = bytes(65_536)
# Its length is prime: no buffer along the way has a multiple of it, so that what is moved is somewhere else in it.
_PATTERN = random.Random(1).randbytes(65_521)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            path = head.split(b" ", 2)[1].decode()
            if path == "/digest":
                await _digest(reader, writer, _length(head))
                continue
            await _skip(reader, _length(head))
            await _respond(writer, path)
    except (OSError, EOFError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def _length(head: bytes) -> int:
    return next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)


async def _skip(reader: asyncio.StreamReader, left: int) -> None:
    while left:
        data = await reader.read(min(left, 1 << 20))
        if not data:
            raise EOFError
        left -= len(data)


def pattern(size: int) -> Iterator[bytes]:
    """Pieces of ``size`` bytes in all."""
    while size:
        piece = _PATTERN[:size]
        size -= len(piece)
        yield piece


async def _digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    found = hashlib.sha256()
    while left:
        data = await reader.read(min(left, 1 << 20))
        if not data:
            raise EOFError
        found.update(data)
        left -= len(data)
    answer = found.hexdigest().encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))


async def _respond(writer: asyncio.StreamWriter, path: str) -> None:
    kind, _, value = path.partition("?")[0].lstrip("/").partition("/")
    if kind == "silent":
        await asyncio.sleep(3600)
    elif kind == "after":
        await asyncio.sleep(float(value))
        writer.write(_OK)
    elif kind == "fail":
        writer.write(_OK.replace(b"200 OK", b"500 No"))
    elif kind == "bytes":
        await _send(writer, int(value))
    elif kind == "pattern":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % int(value))
        for piece in pattern(int(value)):
            writer.write(piece)
            await writer.drain()
    else:
        writer.write(_OK)


async def _send(writer: asyncio.StreamWriter, left: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % left)
    while left:
        piece = _PIECE[:left]
        writer.write(piece)
        await writer.drain()
        left -= len(piece)


async def serve(port: int) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
