"""The asking side of the parsing process: keeps one warm, ends it when it is stuck, starts the next.

A warm process answers for a small document in milliseconds; starting one takes a third of a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

from pydantic import ValidationError

import discovery
from discovery.parser import CPU_SECONDS, LENGTH, MAX_ANSWER_BYTES, MEMORY_BYTES, Answer

# A process that waits (for memory, for a processor) uses no processor time; this ends it nevertheless.
_WALL_SECONDS = 3 * CPU_SECONDS
# Refusals that are remembered by content, so that a document that cannot be read is not parsed at every poll.
_REMEMBERED = 1000
# After a document of this size the process is ended, so that its memory is not kept for nothing.
_LARGE = 1024 * 1024


class Parser:
    """One parsing process; documents are parsed one after the other."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "discovery.parser")) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._refused: OrderedDict[bytes, Answer] = OrderedDict()

    async def close(self) -> None:
        await self._end()

    async def parse(self, data: bytes, url: str, max_bytes: int) -> Answer:
        """What is in ``data``; never raises for anything that is in it."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._refused:
            answer = await self._parse(data, url, max_bytes)
            if answer.reading is not None:
                return answer
            self._refused[digest] = answer
            if len(self._refused) > _REMEMBERED:
                self._refused.popitem(last=False)
        return self._refused[digest]

    async def _parse(self, data: bytes, url: str, max_bytes: int) -> Answer:
        job = json.dumps({"url": url, "max_bytes": max_bytes}).encode() + b"\n"
        async with self._turn:
            try:
                async with asyncio.timeout(_WALL_SECONDS):
                    text = await self._ask(job + data)
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                return await self._give_up()
            except asyncio.CancelledError:
                await self._end()  # half an answer may be in the pipe
                raise
            if len(data) > _LARGE:
                await self._end()
        try:
            # Validating the functions of a large document takes a moment: not on the event loop.
            return await asyncio.to_thread(Answer.model_validate_json, text)
        except ValidationError:
            return Answer(verdict="unreadable", detail="the parsing process gave an answer that makes no sense")

    async def _ask(self, frame: bytes) -> bytes:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(LENGTH.pack(len(frame)) + frame)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        return await process.stdout.readexactly(min(length, MAX_ANSWER_BYTES))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
            )
        return self._process

    async def _give_up(self) -> Answer:
        await self._end()
        megabytes = MEMORY_BYTES // (1024 * 1024)
        detail = f"reading it took more than {CPU_SECONDS} s of processor time or {megabytes} MB of memory"
        return Answer(verdict="too_complex", detail=detail)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        # Closes the pipes; the transport would otherwise do so only when it is collected.
        process._transport.close()  # type: ignore[attr-defined]


def _environment() -> dict[str, str]:
    """What Python needs in order to start, and no token or password of ours."""
    here = str(Path(discovery.__file__).resolve().parents[1])
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "COVERAGE_PROCESS_START") if name in os.environ
    }
    return {**kept, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
