"""The asking side of the parsing process.

A warm process answers for a small document in milliseconds; starting one takes a third of a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import OrderedDict

from pydantic import ValidationError

from discovery.parser import CPU_SECONDS, MAX_ANSWER_BYTES, MEMORY_BYTES, Answer
from discovery.process import FailedError, Process

# A process that waits (for memory, for a processor) uses no processor time; this ends it nevertheless.
_WALL_SECONDS = 3 * CPU_SECONDS
# Refusals that are remembered by content, so that a document that cannot be read is not parsed at every poll.
_REMEMBERED = 1000
# After a document of this size the process is ended, so that its memory is not kept for nothing.
_LARGE = 1024 * 1024


class Parser(Process):
    """One parsing process; documents are parsed one after the other."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "discovery.parser")) -> None:
        super().__init__(command)
        self._refused: OrderedDict[bytes, Answer] = OrderedDict()

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
        job = json.dumps({"url": url, "max_bytes": max_bytes}).encode() + b"\n" + data
        try:
            text = await self.ask(job, seconds=_WALL_SECONDS, max_bytes=MAX_ANSWER_BYTES, end=len(data) > _LARGE)
        except FailedError:
            megabytes = MEMORY_BYTES // (1024 * 1024)
            detail = f"reading it took more than {CPU_SECONDS} s of processor time or {megabytes} MB of memory"
            return Answer(verdict="too_complex", detail=detail)
        try:
            # Validating the functions of a large document takes a moment: not on the event loop.
            return await asyncio.to_thread(Answer.model_validate_json, text)
        except ValidationError:
            return Answer(verdict="unreadable", detail="the parsing process gave an answer that makes no sense")
