"""A service to stand behind the proxy in bench programs: quick, slow, silent, large, greedy, as the path says.

    python -m bench.service [--port N]

    /bytes/N       N bytes, as fast as they are read
    /after/S       "ok" after S seconds
    /silent        nothing, ever
    /fail          500
    anything else  "ok"; a request's body is read and forgotten

It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_PIECE = bytes(65_536)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await _skip(reader, _length(head))
            await _respond(writer, head.split(b" ", 2)[1].decode())
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
