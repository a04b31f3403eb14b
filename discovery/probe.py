"""One GET of one URL at one upstream: bounded in bytes and time, and going nowhere but there.

Rule 1: the result is a value (``Fetched``), whatever happens. Rule 2: redirects are followed within the origin
only. Rule 3: no proxies and no credentials from the environment, no cookies. Rule 4: the deadline covers name
resolution, connecting, TLS, redirects and the whole body; a slow drip ends with it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from coalmine.model import AttemptOutcome
from discovery import addresses
from discovery.inflate import BadEncodingError, Body, TooLargeError
from discovery.options import ProbeOptions

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 3
_ACCEPT = "application/json, application/yaml;q=0.9, text/yaml;q=0.8, */*;q=0.5"
# A name with several addresses (localhost: ::1 and 127.0.0.1) is tried at this many of them.
_MAX_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional (RFC 9110 section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


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


class Fetcher:
    """Fetches for all probes of one process."""

    def __init__(self, options: ProbeOptions) -> None:
        self._options = options
        # The transport below httpx's client: the client would add cookies, redirects and proxies. Probes of one
        # upstream are an interval apart, so connections are not kept.
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl.create_default_context(),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._transport.aclose()

    async def fetch(self, url: str, validators: Validators = NO_VALIDATORS) -> Fetched:
        started = time.monotonic()
        fetched = Fetched(url)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await self._follow(fetched, validators)
        except _RefusedError as error:
            fetched.refusal, fetched.detail = error.outcome, error.detail
        except TimeoutError:
            seconds = f"{self._options.timeout_seconds:g}"
            fetched.refusal, fetched.detail = "too_slow", f"the whole answer was not there within {seconds} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            fetched.refusal, fetched.detail = _explain(error)
        fetched.seconds = round(time.monotonic() - started, 4)
        return fetched

    async def _follow(self, fetched: Fetched, validators: Validators) -> None:
        for _ in range(_MAX_HOPS + 1):
            response = await self._send(fetched.url, validators.headers())
            try:
                location = response.headers.get("location")
                if response.status_code in _REDIRECTS and location is not None:
                    fetched.status = response.status_code
                    fetched.url = _check_redirect(fetched.url, location)
                    continue
                await self._take(fetched, response)
                return
            finally:
                await response.aclose()
        raise _RefusedError("redirect_refused", f"more than {_MAX_HOPS} redirects")

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            found = addresses.check(
                await addresses.resolve(host, port), allow_link_local=self._options.allow_link_local
            )
        except addresses.AddressRefusedError as error:
            raise _RefusedError("address_refused", str(error)) from None
        except (OSError, UnicodeError) as error:
            raise _RefusedError("unreachable", f"the name {host!r} has no address ({_words(error)})") from None
        last: Exception | None = None
        for address in found[:_MAX_ADDRESSES]:
            try:
                return await self._transport.handle_async_request(self._request(parts, address, port, headers))
            except httpx.ConnectError as error:
                last = error
        assert last is not None
        raise last

    def _request(
        self, parts: SplitResult, address: addresses.Address, port: int, headers: Mapping[str, str]
    ) -> httpx.Request:
        """Connects to the checked address; name and certificate are still those of the host."""
        literal = f"[{address}]" if address.version == 6 else str(address)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._options.timeout_seconds)
        extensions: dict[str, Any] = {"timeout": timeout}
        if parts.scheme == "https":
            extensions["sni_hostname"] = parts.hostname
        own = {
            "Host": parts.netloc,
            "User-Agent": self._options.user_agent,
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip",
            "Connection": "close",
        }
        url = f"{parts.scheme}://{literal}:{port}{target}"
        return httpx.Request("GET", url, headers={**own, **headers}, extensions=extensions)

    async def _take(self, fetched: Fetched, response: httpx.Response) -> None:
        fetched.status = response.status_code
        fetched.content_type = response.headers.get("content-type", "")[:200] or None
        fetched.links = tuple(response.headers.get_list("link"))
        fetched.validators = Validators(_validator(response, "etag"), _validator(response, "last-modified"))
        if response.status_code != 200:
            raise _refuse_status(response.status_code)
        fetched.body = await self._read(response)

    async def _read(self, response: httpx.Response) -> bytes:
        limit = self._options.max_bytes
        try:
            length = response.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length[:20]) > limit:
                raise TooLargeError
            body = Body(response.headers.get("content-encoding", ""), limit)
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for chunk in response.stream:
                body.add(chunk)
            return body.finish()
        except TooLargeError:
            raise _RefusedError("too_large", f"more than {limit} bytes, decompressed") from None
        except BadEncodingError as error:
            raise _RefusedError("bad_encoding", str(error)) from None


def _validator(response: httpx.Response, name: str) -> str | None:
    """A value that can be sent back as it is; others are not worth the trouble."""
    value: str = response.headers.get(name, "")
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
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed", f"TLS failed: {getattr(cause, 'verify_message', '') or cause.reason or cause}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return "unreachable", "no connection in time"
    if isinstance(error, httpx.ProtocolError):
        return "unreachable", f"the answer is not HTTP: {_words(error)}"
    if isinstance(error, httpx.ConnectError):
        return "unreachable", "the connection was refused or could not be made"
    return "unreachable", _words(error)


def _words(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
