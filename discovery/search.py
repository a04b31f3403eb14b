"""One probe of one upstream: which URLs are asked, in which order, and what becomes of each answer.

Rule 1: what answered before is asked first, conditionally; while it answers nothing else is.
Rule 2: every URL that was tried is an ``Attempt`` with an outcome and, where not taken, the reason.
Rule 3: what a page or an index mentions is followed within the origin of the upstream only.
Rule 4: a service in trouble (unreachable, slow, 5xx) is not searched; that would only add to it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urldefrag, urljoin, urlsplit

from coalmine.errors import MalformedError
from coalmine.model import Attempt, AttemptOutcome, Upstream
from coalmine.reading import Limits, read_text
from discovery.candidates import CANDIDATES, INDEX_BESIDE, next_version
from discovery.document import looks_like_markup
from discovery.found import Reading
from discovery.options import ProbeOptions
from discovery.pages import Mention, lists_documents, mentions_in_index, mentions_in_links, mentions_in_page
from discovery.parser import Answer
from discovery.parsing import Parser
from discovery.probe import NO_VALIDATORS, Fetched, Fetcher, Validators, origin

# No answer, or none in time: asking for more paths would be asking the same question again.
_IN_TROUBLE: frozenset[AttemptOutcome] = frozenset({"unreachable", "tls_failed", "address_refused", "too_slow"})
# The document has moved or gone: worth a search.
_GONE: frozenset[AttemptOutcome] = frozenset({"not_found", "html", "not_a_document", "redirect_refused"})
# An index lists documents by the dozen, not by the thousand; it is read in this process.
_INDEX_LIMITS = Limits(max_bytes=256 * 1024, max_nodes=10_000)
_MAX_DOCUMENTS = 50
_MAX_DEPTH = 3
_KNOWN = "it was here before"
_GIVEN = "the upstream's own definition holds the document"
# Where a document is that was given and not fetched.
INLINE = "inline:"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document (or the index that lists documents) was found, and how to ask whether it has changed."""

    url: str
    content_hash: str
    validators: Validators = NO_VALIDATORS
    found_through: str | None = None
    is_index: bool = False
    # Listed beside others, and not read: asked again each time, and the others are not read anew for it.
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """One document that was read; ``body`` as it came."""

    source: Source
    reading: Reading
    body: bytes


@dataclass(slots=True)
class Outcome:
    """``unchanged``: as last time, nothing was parsed. Otherwise ``taken`` is what was read, nothing on failure.

    ``incomplete``: some of the documents that belong together could not be read, so nothing is known to be gone.
    """

    attempts: list[Attempt] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    unchanged: bool = False
    incomplete: bool = False
    sources: tuple[Source, ...] = ()


def _mentions_in_index(fetched: Fetched) -> list[Mention]:
    """Raises ``MalformedError``. A catalog may also be written as Link headers are (RFC 9264 section 4.1)."""
    if (fetched.content_type or "").partition(";")[0].strip().lower() == "application/linkset":
        return mentions_in_links((fetched.body[: _INDEX_LIMITS.max_bytes].decode("utf-8", "replace"),), items=True)
    return mentions_in_index(read_text(fetched.body, limits=_INDEX_LIMITS))


def hash_content(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class _OutOfTimeError(Exception):
    pass


class Search:
    """One probe; made anew for each."""

    def __init__(
        self,
        upstream: Upstream,
        fetcher: Fetcher,
        parser: Parser,
        options: ProbeOptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._fetcher = fetcher
        self._parser = parser
        self._options = options
        self._visited: set[str] = set()
        self._indexes: list[Source] = []
        self._missing: list[Source] = []
        self._unread: dict[str, str] = {}  # hashes of what came back and was no document, by URL
        self._clock = clock
        self._deadline = 0.0
        self.outcome = Outcome()

    async def run(self, sources: tuple[Source, ...]) -> Outcome:
        self._deadline = self._clock() + self._options.timeout_seconds * self._options.search_timeouts
        try:
            if self._upstream.discovery.document is not None:
                await self._take_inline(self._upstream.discovery.document.encode(errors="replace"), sources)
            elif not (sources and self._are_here(sources) and await self._revisit(sources)):
                await self._search()
        except _OutOfTimeError:
            self.outcome.incomplete = True
            self._missing = []
            url = self._upstream.endpoints[0]
            self._note(Fetched(url), "the whole search", "too_slow", "the search took too long and was given up")
        if not self.outcome.incomplete or self._missing:
            self.outcome.sources = (*self._indexes, *(each.source for each in self.outcome.taken), *self._missing)
        return self.outcome

    async def _take_inline(self, body: bytes, sources: tuple[Source, ...]) -> None:
        fetched = Fetched(INLINE, body=body)
        if [source.content_hash for source in sources] == [hash_content(body)]:
            self._note(fetched, _GIVEN, "unchanged", "the same document as before")
            self.outcome.unchanged = True
        else:
            await self._take(fetched, _GIVEN, None)

    def _are_here(self, sources: tuple[Source, ...]) -> bool:
        """Not at an endpoint that the upstream had once: what answers there is not its business any more."""
        given = self._upstream.discovery.document_url
        origins = {origin(endpoint) for endpoint in self._upstream.endpoints}
        if given is not None:
            origins.add(origin(urljoin(self._upstream.endpoints[0], given)))
        return all(origin(source.url) in origins for source in sources)

    # What answered before ----------------------------------------------------------------------------

    async def _revisit(self, sources: tuple[Source, ...]) -> bool:
        """True when that settled it: unchanged, read anew, or a service in trouble."""
        changed: list[tuple[Source, Fetched]] = []
        for source in sources:
            fetched = await self._fetch_again(source)
            if fetched.refusal is None and hash_content(fetched.body) == source.content_hash:
                self._note(fetched, _KNOWN, "unchanged", "the same bytes as before")
            elif fetched.refusal == "unchanged":
                self._note(fetched, _KNOWN, "unchanged", fetched.detail)
            elif fetched.refusal is not None:
                self._note(fetched, _KNOWN, fetched.refusal, fetched.detail)
                if not source.is_missing:
                    return fetched.refusal not in _GONE
            else:
                changed.append((source, fetched))
        if not changed:
            self.outcome.unchanged = True
            return True
        if len(sources) > 1 or changed[0][0].is_index:
            return False  # several documents belong together: all are read anew
        source, fetched = changed[0]
        if await self._find_index(source):
            return True
        last = await self._take(fetched, _KNOWN, source.found_through)
        if last == "taken" and self._upstream.discovery.document_url is None:
            await self._find_versions(source.url)
        return last not in _GONE

    async def _find_index(self, source: Source) -> bool:
        """Whether what was a single document is one of several that an index beside it lists now."""
        given = self._upstream.discovery.document_url
        for path, index in INDEX_BESIDE.items() if given is None and source.found_through is None else ():
            if urlsplit(source.url).path.endswith(path):
                url = urljoin(source.url, source.url.removesuffix(path) + index.path)
                await self._try(url, index.reason, index.kind, 0)
        return bool(self.outcome.taken)

    # Looking for it ----------------------------------------------------------------------------------

    async def _search(self) -> None:
        given = self._upstream.discovery.document_url
        for endpoint in self._upstream.endpoints:
            if given is not None:
                outcome = await self._try(urljoin(endpoint, given), "the upstream's document_url", "page", 0)
            else:
                outcome = await self._try_candidates(endpoint)
            if outcome not in _IN_TROUBLE:
                return

    async def _try_candidates(self, endpoint: str) -> AttemptOutcome | None:
        """The outcome that ended it; the first document ends it too."""
        outcome: AttemptOutcome | None = None
        slow = 0
        for candidate in CANDIDATES:
            outcome = await self._try(urljoin(endpoint, candidate.path), candidate.reason, candidate.kind, 0)
            slow += outcome == "too_slow"
            # One slow path may be an accident; two are a habit.
            if outcome == "taken":
                await self._find_versions(self.outcome.taken[0].source.url)
            if self.outcome.taken or slow > 1 or (outcome in _IN_TROUBLE and outcome != "too_slow"):
                return outcome
        return outcome

    async def _find_versions(self, url: str) -> None:
        """Further versions beside the first one, where a generator numbers them; the first that is missing ends it."""
        while (following := next_version(url)) is not None and len(self.outcome.taken) < _MAX_DOCUMENTS:
            url = following
            outcome = await self._try(url, "another version beside the first", "document", 0)
            if outcome != "taken":
                self.outcome.incomplete = self.outcome.incomplete or outcome in _IN_TROUBLE
                return

    async def _try(
        self, url: str, reason: str, kind: str, depth: int, found_through: str | None = None
    ) -> AttemptOutcome | None:
        url = urldefrag(url).url
        if url in self._visited:
            return None
        self._visited.add(url)
        if self._clock() > self._deadline:
            raise _OutOfTimeError
        fetched = await self._fetcher.fetch(self._upstream, url)
        await self._follow_links(fetched, depth)
        if fetched.refusal is not None:
            self._note(fetched, reason, fetched.refusal, fetched.detail)
            return fetched.refusal
        if kind == "index":
            return await self._follow_index(fetched, reason, depth)
        if kind == "script":
            return await self._follow_page(fetched, reason, depth)
        return await self._take(fetched, reason, found_through, follow_page=kind == "page", depth=depth)

    async def _take(
        self, fetched: Fetched, reason: str, found_through: str | None, *, follow_page: bool = False, depth: int = 0
    ) -> AttemptOutcome:
        """Parse what came back; keep it when it is a document, look into it when it is a page."""
        url = self._canonical(fetched.url)
        if looks_like_markup(fetched.body):  # as every path of a single-page application: not worth a parse
            answer = Answer(verdict="html", detail="a page, not an API document")
        else:
            asked = self._clock()
            answer = await self._parser.parse(fetched.body, url, self._options.max_bytes)
            self._deadline += self._clock() - asked  # the parser has limits of its own, and others wait for it too
        if answer.verdict == "html" and follow_page:
            return await self._follow_page(fetched, reason, depth)
        if answer.reading is None:
            self._unread[fetched.url] = hash_content(fetched.body)
            self._note(fetched, reason, answer.verdict, answer.detail)
            return answer.verdict
        source = Source(url, hash_content(fetched.body), fetched.validators, found_through)
        self.outcome.taken.append(Taken(source, answer.reading, fetched.body))
        count = len(answer.reading.found)
        self._note(fetched, reason, "taken", f"{answer.reading.version}, {count} operations")
        return "taken"

    # What mentions it --------------------------------------------------------------------------------

    async def _follow_links(self, fetched: Fetched, depth: int) -> None:
        mentions = mentions_in_links(fetched.links)
        await self._follow(mentions, fetched.url, "a Link header names it (RFC 8631)", depth, together=True)

    async def _follow_page(self, fetched: Fetched, reason: str, depth: int) -> AttemptOutcome:
        mentions = mentions_in_page(fetched.body)
        if not mentions:
            self._note(fetched, reason, "html", "a page that names no API document")
            return "html"
        self._note(fetched, reason, "followed", f"a page that names {mentions[0][0]}")
        several = lists_documents(fetched.body)
        reason = f"the page {fetched.url} names it"
        await self._follow(mentions, fetched.url, reason, depth, together=several, needed=several)
        return "followed"

    async def _follow_index(self, fetched: Fetched, reason: str, depth: int) -> AttemptOutcome:
        try:
            mentions = _mentions_in_index(fetched)
        except MalformedError as error:
            self._note(fetched, reason, "not_a_document", error.detail[:300])
            return "not_a_document"
        if not mentions:
            self._note(fetched, reason, "not_a_document", "it lists no API documents")
            return "not_a_document"
        self._note(fetched, reason, "followed", f"it lists {len(mentions)} documents")
        url = self._canonical(fetched.url)
        self._indexes.append(Source(url, hash_content(fetched.body), fetched.validators, is_index=True))
        await self._follow(
            mentions, fetched.url, f"{fetched.url} lists it", depth, found_through=url, together=True, needed=True
        )
        return "followed"

    async def _follow(
        self,
        mentions: Iterable[Mention],
        base: str,
        reason: str,
        depth: int,
        *,
        found_through: str | None = None,
        together: bool,
        needed: bool = False,
    ) -> None:
        """``together``: all are documents of the service, otherwise one is enough; ``needed``: each has to be read."""
        if depth >= _MAX_DEPTH:
            return
        for reference, kind in mentions:
            if len(self.outcome.taken) >= _MAX_DOCUMENTS or (self.outcome.taken and not together):
                return
            url = self._within_origin(base, reference, reason)
            outcome = await self._try(url, reason, kind, depth + 1, found_through) if url is not None else None
            if needed and kind == "document" and url is not None and outcome not in (None, "taken"):
                self.outcome.incomplete = True
                known = self._unread.get(url, "")
                self._missing.append(Source(self._canonical(url), known, found_through=found_through, is_missing=True))

    def _within_origin(self, base: str, reference: str, reason: str) -> str | None:
        try:
            url = urljoin(base, reference)
            if origin(url) == origin(base):
                return url
        except ValueError:
            url = reference
        self._note(Fetched(url[:500]), reason, "redirect_refused", "it is at another origin, which is not asked")
        return None

    # Small parts -------------------------------------------------------------------------------------

    async def _fetch_again(self, source: Source) -> Fetched:
        """From the first endpoint, under which sources are known; when that one is down, from the others."""
        first, *others = self._upstream.endpoints
        fetched = await self._fetcher.fetch(self._upstream, source.url, source.validators)
        for endpoint in others if source.url.startswith(first + "/") else ():
            if fetched.refusal not in _IN_TROUBLE:
                break
            self._note(fetched, _KNOWN, fetched.refusal, fetched.detail)
            fetched = await self._fetcher.fetch(self._upstream, endpoint + source.url[len(first) :], source.validators)
        return fetched

    def _canonical(self, url: str) -> str:
        """The same document at any endpoint has one URL, that of the first."""
        for endpoint in self._upstream.endpoints[1:]:
            if url.startswith(endpoint + "/"):
                return self._upstream.endpoints[0] + url[len(endpoint) :]
        return url

    def _note(self, fetched: Fetched, reason: str, outcome: AttemptOutcome, detail: str) -> None:
        self.outcome.attempts.append(
            Attempt(
                url=fetched.url,
                reason=reason,
                outcome=outcome,
                status=fetched.status,
                content_type=fetched.content_type,
                size_bytes=len(fetched.body) if fetched.refusal is None and fetched.status else None,
                seconds=fetched.seconds,
                detail=detail,
            )
        )
