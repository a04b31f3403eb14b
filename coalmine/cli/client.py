"""One HTTP request to the admin API, or the curl line that says the same."""

from __future__ import annotations

import functools
import getpass
import json
import os
import re
import shlex
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from coalmine.cli.complaint import ApiError, UnreachableError
from coalmine.errors import CoalmineError
from coalmine.settings import is_loopback

# Probing waits for ten seconds at most per URL; everything else answers at once.
_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the admin API; ``path`` begins behind ``/api/v1``, or with ``//`` at the root."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, admin_url: str) -> str:
        path = self.path[1:] if self.path.startswith("//") else f"/api/v1{self.path}"
        query = f"?{urlencode(self.params)}" if self.params else ""
        return f"{admin_url}{path}{query}"

    def content(self) -> bytes | None:
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """``drifted`` names what a write took away from the files that it belongs to."""

    value: Any
    etag: str | None = None
    drifted: str | None = None


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def check_admin_url(text: str) -> str:
    """The base URL without a trailing slash; raises CoalmineError."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CoalmineError(
            f"{text!r} is not the URL of an admin API", code="invalid_value", hint="such as http://127.0.0.1:8081"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def send(admin_url: str, token: str | None, request: Request) -> Answer:
    """The answer's JSON; raises ApiError and UnreachableError."""
    import httpx

    headers = {"accept": "application/json", **request.headers}
    content = request.content()
    if content is not None:
        headers["content-type"] = request.content_type
    if request.method != "GET":
        headers["coalmine-actor"] = _name_actor()
    if token:
        headers["authorization"] = f"Bearer {token}"
    # A proxy of the environment has no business between this machine and itself.
    trust = not is_loopback(urlsplit(admin_url).hostname or "")
    try:
        response = httpx.request(
            request.method,
            request.url(admin_url),
            content=content,
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            trust_env=trust,
            verify=trust_anchors(admin_url),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnreachableError(
            f"no admin API answers at {admin_url} ({_explain(error, admin_url)})",
            hint="start it with: coalmine serve   or say where it is: --admin-url URL, COALMINE_ADMIN_URL",
        ) from None
    value = _read(response.status_code, response.content, admin_url)
    return Answer(value, response.headers.get("etag"), response.headers.get("coalmine-drifted"))


def _explain(error: Exception, admin_url: str) -> str:
    """Why nobody could be reached, without the numbers of the operating system."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return f"there is no host {urlsplit(admin_url).hostname}"
        cause = cause.__cause__ or cause.__context__
    return re.sub(r"^\[Errno -?[0-9]+\] ", "", str(error)) or type(error).__name__


@functools.cache
def _name_actor() -> str:
    """Who this is, for the list of revisions. Headers are ASCII here; other letters become escapes."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        user = str(os.getuid())
    return f"cli {user}@{socket.gethostname()}".encode("ascii", "backslashreplace").decode()


@functools.cache
def _load_trust_anchors() -> ssl.SSLContext:
    return ssl.create_default_context()


def trust_anchors(url: str) -> ssl.SSLContext:
    """What https is judged by: the machine's certificates. http needs none, and loading them takes 0.1 s."""
    return _load_trust_anchors() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _read(status: int, content: bytes, admin_url: str) -> Any:
    try:
        value = json.loads(content) if content.strip() else None
    except ValueError:
        raise UnreachableError(
            f"{admin_url} answered {status} with something that is not JSON; is it the admin API?",
            hint="the admin API is at 127.0.0.1:8081 unless serve was told otherwise",
        ) from None
    if status >= 400:
        raise ApiError(value if isinstance(value, dict) else {}, status)
    return value


def render_curl(admin_url: str, has_token: bool, request: Request) -> str:
    """The command that sends ``request``; a token is named, never shown."""
    words = ["curl", "-sS"]
    if request.method != "GET":
        words += ["-X", request.method]
    words.append(shlex.quote(request.url(admin_url)))
    for name, value in request.headers.items():
        words += ["-H", shlex.quote(f"{name}: {value}")]
    if has_token:
        words += ["-H", '"authorization: Bearer $COALMINE_ADMIN_TOKEN"']
    content = request.content()
    if content is not None:
        words += ["-H", shlex.quote(f"content-type: {request.content_type}")]
        words += ["--data-binary", shlex.quote(content.decode())]
    return " ".join(words)
