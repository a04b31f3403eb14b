"""One GET of one URL at one upstream: bounded in bytes and time, and going nowhere but there.

Rule 1: the result is a value (``Fetched``), whatever happens. Rule 2: redirects are followed within the origin
only. Rule 3: no proxies and no credentials from the environment, no cookies. Rule 4: the deadline covers name
resolution, connecting, TLS, redirects and the whole body; a slow drip ends with it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from coalmine.model import AttemptOutcome, Upstream
from coalmine.tls import TlsError
from coalmine.tls.client import explain
from discovery import addresses
from discovery.exchange import Head, NotHttpError, get
from discovery.inflate import BadEncodingError, Body, TooLargeError
from discovery.options import ProbeOptions
from discovery.trust import Trust, Trusts

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 3
_ACCEPT = "application/json, application/yaml;q=0.9, text/yaml;q=0.8, */*;q=0.5"
# A name with several addresses (localhost: ::1 and 127.0.0.1) is tried at this many of them.
_MAX_ADDRESSES = 4
# What may stand in a request target as it is (RFC 3986 section 3.3 and 3.4); the rest is escaped.
_SAFE = "/%:@!$&'()*+,;=-._~?[]"


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional (RFC 9110 section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> list[tuple[str, str]]:
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.last_modified))
        return [(name, value) for name, value in pairs if value]


NO_VALIDATORS = Validators()


@dataclass(slots=True)
class Fetched:
    """What came back. ``refusal`` is None when ``body`` holds a whole 200 answer."""

    url: str  # after redirects
    refusal: AttemptOutcome | None = None
    detail: str = ""
    status: int | None = None
    content_type: str | None = None
    body: bytes = b""
    validators: Validators = NO_VALIDATORS
    links: tuple[str, ...] = ()
    seconds: float = 0.0


class _RefusedError(Exception):
    def __init__(self, outcome: AttemptOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class _Answer:
    """Takes one response: judges the head, collects the body of a 200 within the limit."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.head = Head(0, ())
        self.body: Body | None = None

    def take_head(self, head: Head) -> bool:
        self.head = head
        if head.status != 200:
            return False
        length = head.get("content-length")
        if length.isascii() and length.isdigit() and int(length[:20]) > self.max_bytes:
            raise TooLargeError
        self.body = Body(head.get("content-encoding"), self.max_bytes)
        return True

    def take_data(self, data: bytes) -> None:
        assert self.body is not None
        self.body.add(data)


class Fetcher:
    """Fetches for all probes of one process. Probes of one upstream are an interval apart: no connection is kept."""

    def __init__(self, options: ProbeOptions) -> None:
        self._options = options
        self._trusts = Trusts(origin)

    async def fetch(self, upstream: Upstream, url: str, validators: Validators = NO_VALIDATORS) -> Fetched:
        trust = self._trusts.find(upstream)
        started = time.monotonic()
        fetched = Fetched(url)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await self._follow(fetched, validators, trust)
        except _RefusedError as error:
            fetched.refusal, fetched.detail = error.outcome, error.detail
        except TooLargeError:
            fetched.refusal, fetched.detail = "too_large", f"more than {self._options.max_bytes} bytes, decompressed"
        except BadEncodingError as error:
            fetched.refusal, fetched.detail = "bad_encoding", str(error)
        except TimeoutError:
            seconds = f"{self._options.timeout_seconds:g}"
            fetched.refusal, fetched.detail = "too_slow", f"the whole answer was not there within {seconds} s"
        except (NotHttpError, OSError, ValueError, TlsError) as error:
            fetched.refusal, fetched.detail = _explain(error)
        fetched.seconds = round(time.monotonic() - started, 4)
        return fetched

    async def _follow(self, fetched: Fetched, validators: Validators, trust: Trust) -> None:
        for _ in range(_MAX_HOPS + 1):
            answer = await self._send(fetched, validators, trust)
            location = answer.head.get("location")
            if answer.head.status not in _REDIRECTS or not location:
                if answer.body is None:
                    raise _refuse_status(answer.head.status)
                fetched.body = answer.body.finish()
                return
            fetched.url = _check_redirect(fetched.url, location)
        raise _RefusedError("redirect_refused", f"more than {_MAX_HOPS} redirects")

    async def _send(self, fetched: Fetched, validators: Validators, trust: Trust) -> _Answer:
        """One request to the first checked address that takes the connection."""
        parts = urlsplit(fetched.url)
        scheme, host, port = origin(fetched.url)
        target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        headers = [*self._headers(parts.netloc), *validators.headers()]
        tls = await trust.choose((scheme, host, port))
        last: OSError | None = None
        for address in (await self._addresses(host, port))[:_MAX_ADDRESSES]:
            answer = _Answer(self._options.max_bytes)
            try:
                await get(str(address), port, target, headers, answer, tls)
            except ConnectionError as error:
                last = error
                continue
            finally:
                _note_head(fetched, answer.head)
            return answer
        assert last is not None
        raise last

    def _headers(self, authority: str) -> list[tuple[str, str]]:
        return [
            ("Host", authority),
            ("User-Agent", self._options.user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ]

    async def _addresses(self, host: str, port: int) -> list[addresses.Address]:
        try:
            found = await addresses.resolve(host, port)
            return addresses.check(found, allow_link_local=self._options.allow_link_local)
        except addresses.AddressRefusedError as error:
            raise _RefusedError("address_refused", str(error)) from None
        except (OSError, UnicodeError) as error:
            raise _RefusedError("unreachable", f"the name {host!r} has no address ({_words(error)})") from None


def _note_head(fetched: Fetched, head: Head) -> None:
    if head.status:
        fetched.status = head.status
        fetched.content_type = head.get("content-type")[:200] or None
        fetched.links = head.get_list("link")
        fetched.validators = Validators(_validator(head, "etag"), _validator(head, "last-modified"))


def _validator(head: Head, name: str) -> str | None:
    """A value that can be sent back as it is; others are not worth the trouble."""
    value = head.get(name)
    return value if value and value.isascii() and len(value) <= 500 else None


def _refuse_status(status: int) -> _RefusedError:
    if status == 304:
        return _RefusedError("unchanged", "the document has not changed")
    if status in (404, 410):
        return _RefusedError("not_found", "there is nothing here")
    return _RefusedError("refused_status", f"the status is {status}, a document comes with 200")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises ``ValueError``."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _check_redirect(url: str, location: str) -> str:
    """The absolute target, when it stays within the origin (RFC 6454)."""
    target = urljoin(url, location)
    if origin(target) != origin(url) or "@" in urlsplit(target).netloc:
        raise _RefusedError("redirect_refused", f"it redirects to another origin: {target[:300]!r}")
    return target.split("#", 1)[0]


def _explain(error: Exception) -> tuple[AttemptOutcome, str]:
    if isinstance(error, ssl.SSLError):
        return "tls_failed", f"TLS failed: {explain(error)}"
    if isinstance(error, TlsError):
        return "tls_failed", str(error)
    if isinstance(error, NotHttpError):
        return "unreachable", f"the answer is not HTTP: {_words(error)}"
    if isinstance(error, ConnectionRefusedError):
        return "unreachable", "the connection was refused"
    return "unreachable", _words(error)


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
