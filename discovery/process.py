"""The outside of a process that reads what may be hostile: keeps one warm, ends it when it is stuck, starts another."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import discovery
from discovery.child import LENGTH


class FailedError(Exception):
    """The process gave no answer: it was ended by a limit, it hung, or it could not be started."""


class Process:
    """One process, started when it is first asked; jobs are done one after the other."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        await self._end()

    async def ask(self, job: bytes, *, seconds: float, max_bytes: int, end: bool = False) -> bytes:
        """The answer to ``job``; raises ``FailedError``. ``end``: process and memory are not kept for the next."""
        async with self._turn:
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._exchange(job, max_bytes)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                await self._end()
                raise FailedError from error
            except asyncio.CancelledError:
                await self._end()  # half an answer may be in the pipe
                raise
            if end:
                await self._end()
            return answer

    async def _exchange(self, frame: bytes, max_bytes: int) -> bytes:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(LENGTH.pack(len(frame)) + frame)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        return await process.stdout.readexactly(min(length, max_bytes))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(),
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        # Closes the pipes; the transport would otherwise do so only when it is collected.
        process._transport.close()  # type: ignore[attr-defined]


def environment() -> dict[str, str]:
    """What Python needs in order to start, and no token or password of ours."""
    here = str(Path(discovery.__file__).resolve().parents[1])
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "COVERAGE_PROCESS_START") if name in os.environ
    }
    return {**kept, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
