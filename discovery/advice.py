"""Advice follows functions: documents that were saved are checked against their specification, one after the other.

Rule 1: nobody waits for it. Functions are saved and served before a document is looked at here.
Rule 2: once for each content: findings are kept with the document, and what several upstreams share is checked once.
Rule 3: the process is there while there is something to do, and no longer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from pydantic import ValidationError

from coalmine.catalog import Catalog
from coalmine.model import Finding
from discovery.process import FailedError, Process
from discovery.validator import CPU_SECONDS, MAX_ANSWER_BYTES, MEMORY_BYTES, Findings

log = logging.getLogger("coalmine.discovery")

# It gives way to everybody (nice), so on a busy machine it may take long.
_WALL_SECONDS = 10 * CPU_SECONDS
_REMEMBERED = 1000
# Documents come together (a start, a release), and whoever waits for functions then needs the processor and the disk:
# it begins when none has come for this long, or after so many pauses.
_PAUSE_SECONDS = 2.0
_MAX_PAUSES = 60
TOO_LARGE = "it is not checked against its specification, because it is too large to be kept"

ContentFindings = dict[str, tuple[Finding, ...]]  # by content hash
Tell = Callable[[str, ContentFindings], Awaitable[None]]


class Advisor:
    """``tell`` gets an upstream and the findings of its documents; it saves them."""

    def __init__(
        self,
        catalog: Catalog,
        threads: Executor,
        tell: Tell,
        command: tuple[str, ...] = (sys.executable, "-m", "discovery.validator"),
    ) -> None:
        self._catalog, self._threads, self._tell = catalog, threads, tell
        self._process = Process(command)
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[str, tuple[Finding, ...]] = OrderedDict()
        self._came = 0
        self._task: asyncio.Task[None] | None = None

    def look_at(self, upstream: str) -> None:
        """Its documents have no findings yet. Returns at once."""
        self._waiting[upstream] = None
        self._came += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def idle(self) -> None:
        """Until nothing is waiting."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._process.close()

    async def _work(self) -> None:
        try:
            await self._wait_for_quiet()
            while self._waiting:
                upstream, _ = self._waiting.popitem(last=False)
                try:
                    await self._advise(upstream)
                except Exception:
                    log.exception("checking the documents of %s failed", upstream)
        finally:
            await self._process.close()

    async def _wait_for_quiet(self) -> None:
        for _ in range(_MAX_PAUSES):
            came = self._came
            await asyncio.sleep(_PAUSE_SECONDS)
            if came == self._came:
                return

    async def _advise(self, upstream: str) -> None:
        loop = asyncio.get_running_loop()
        texts = await loop.run_in_executor(self._threads, self._load, upstream)
        if texts:
            await self._tell(upstream, {content: await self._find(content, text) for content, text in texts.items()})

    def _load(self, upstream: str) -> dict[str, bytes | None]:
        """The documents without findings, by content hash; None: the text was not kept."""
        with self._catalog.read() as reader:
            wanted = [one for one in reader.documents_of(upstream) if one.findings is None]
            numbers = reader.document_revisions.numbers(upstream) if wanted else []
            texts = reader.document_revisions.find_texts(upstream, numbers[-1]) if numbers else None
        kept = {hashlib.sha256(text).hexdigest(): text for text in (texts or {}).values()}
        return {one.content_hash: kept.get(one.content_hash) for one in wanted}

    async def _find(self, content: str, text: bytes | None) -> tuple[Finding, ...]:
        if text is None:
            return (Finding(detail=TOO_LARGE),)
        if content not in self._known:
            self._known[content] = await self._ask(text)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[content]

    async def _ask(self, text: bytes) -> tuple[Finding, ...]:
        try:
            answer = await self._process.ask(text, seconds=_WALL_SECONDS, max_bytes=MAX_ANSWER_BYTES)
            found = Findings.model_validate_json(answer)
        except (FailedError, ValidationError):
            megabytes = MEMORY_BYTES // (1024 * 1024)
            limits = f"{CPU_SECONDS} s of processor time or {megabytes} MB of memory"
            found = Findings(failed=f"that took more than {limits}, and was given up")
        if found.failed:
            return (Finding(detail=f"it could not be checked against its specification: {found.failed}"),)
        return tuple(Finding(pointer=pointer, detail=detail) for pointer, detail in found.violations)
