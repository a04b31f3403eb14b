"""Who may talk to the admin API: pure ASGI, before anything else sees the request.

A browser page of any origin can send requests to a loopback address. So, in this order:

1. Host is one of ours (a page that rebinds its own name to 127.0.0.1 still sends that name);
2. it has not come through our own proxy, which anybody may reach;
3. the bearer token, where one is set, on every path but the health checks; the read token changes nothing;
4. what changes state comes from no foreign page: Origin, Sec-Fetch-Site (``same-site`` is foreign too: another
   port of localhost may serve anything, the gateway's own upstreams for instance);
5. what changes state and has a body says that it is JSON or YAML, which no HTML form can.

No answer ever carries Access-Control-Allow-Origin.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_api.bodies import is_readable
from admin_api.problems import answer_problem, make_problem
from admin_api.roles import ADMIN, READER, ROLE, SAFE_METHODS, Role, may
from coalmine.settings import Settings, parse_address

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # for supervisors, which hold no token; they tell nothing secret
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared with, not bound
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# On every answer. The documentation page sets its own Content-Security-Policy.
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}

Refusal = tuple[str, str, str | None]  # code, detail, hint


class Guard:
    """The middleware; ``settings`` give the listening address, further host names and the token."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        listening, _ = parse_address(settings.admin, flag="--admin")
        named = (name.strip().lower().strip("[]") for name in settings.admin_hosts.split(","))
        self._hosts = _LOCAL_HOSTS | {listening.lower()} | {name for name in named if name}
        self._any_address = listening in _WILDCARDS
        given: tuple[tuple[Role, str | None], ...] = (
            (ADMIN, settings.admin_token),
            (READER, settings.admin_read_token),
        )
        self._tokens = [(role, _digest(token.encode())) for role, token in given if token]
        self._through_proxy = settings.admin_through_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan; there are no WebSockets here
            return await self._app(scope, receive, send)
        refusal = self._find_refusal(scope, Headers(scope=scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if refusal is None:
            return await self._app(scope, receive, send_with_headers)
        code, detail, hint = refusal
        extra = {"www-authenticate": 'Bearer realm="coalmine"'} if code == "unauthorized" else None
        answer = answer_problem(make_problem(code, detail, scope["path"], hint=hint), extra)
        return await answer(scope, receive, send_with_headers)

    def _find_refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        refusal = self._check_host(headers) or self._check_way(headers) or self._check_token(scope, headers)
        if refusal is None:
            changes = scope["method"] not in SAFE_METHODS
            refusal = _check_page(headers, changes=changes) or (_check_type(headers) if changes else None)
        return refusal

    def _check_host(self, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and self._is_ours(split_host(hosts[0])):
            return None
        told = hosts[0] if hosts else "none"
        hint = "use the listening address, or name the host in --admin-hosts (COALMINE_ADMIN_HOSTS)"
        return "forbidden_origin", f"Host is {told!r}; the admin API does not answer to it", hint

    def _is_ours(self, host: str) -> bool:
        # Listening on every interface: an address cannot be rebound, a name can.
        return host in self._hosts or (self._any_address and _is_address(host))

    def _check_way(self, headers: Headers) -> Refusal | None:
        """The proxy names itself in Via (RFC 9110 section 7.6.3). An endpoint may lead here that did not when it was
        created: names change their addresses."""
        if self._through_proxy or not any(is_proxied(via) for via in headers.getlist("via")):
            return None
        return "forbidden_origin", "the request has come through the proxy", "ask the admin address itself"

    def _check_token(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Notes the role in ``scope``, too."""
        if not self._tokens or scope["path"] in OPEN_PATHS:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        role = self._find_role(given) if scheme.lower() == "bearer" else None
        if role is None:
            detail = "the admin token is wrong" if scheme else "the admin token is missing"
            return "unauthorized", detail, "send Authorization: Bearer <token>"
        scope[ROLE] = role
        if may(role, scope["method"], scope["path"]):
            return None
        return "read_only_token", f"the token may read, and {scope['method']} {scope['path']} writes", None

    def _find_role(self, given: str) -> Role | None:
        """Digests have one length, so the comparisons tell nothing about the tokens'; all are compared, always."""
        digest = _digest(given.strip().encode("latin-1"))
        found = [role for role, token in self._tokens if hmac.compare_digest(digest, token)]
        return found[0] if found else None


def _check_page(headers: Headers, *, changes: bool) -> Refusal | None:
    site = headers.get("sec-fetch-site", "none")
    if not changes:
        # A link on another page may be followed; nothing else of another page may look.
        if site == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return "forbidden_origin", "the request comes from a page of another site", None
        return None
    if site not in ("none", "same-origin"):
        return "forbidden_origin", f"the request comes from a {site} page", None
    for origin in headers.getlist("origin"):
        if not is_same_origin(origin, headers["host"]):
            return "forbidden_origin", f"the request comes from a page of {origin!r}", None
    return None


def _check_type(headers: Headers) -> Refusal | None:
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""
    given = headers.get("content-type")
    if not has_body or is_readable(given):
        return None
    detail = f"the content type is {given!r}" if given else "the content type is missing"
    return "unsupported_media_type", detail, "send application/json or application/yaml"


def split_host(text: str) -> str:
    """The host of a Host header, lower-case, without port and brackets (RFC 9110 section 7.2)."""
    text = text.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def is_same_origin(origin: str, host: str) -> bool:
    """Whether ``Origin`` names the authority that ``Host`` names; ``null`` does not."""
    scheme, separator, authority = origin.strip().lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if not separator or port is None:
        return False
    return authority.removesuffix(port) == host.strip().lower().removesuffix(port)


def is_proxied(via: str) -> bool:
    """Whether one of the received-by of ``Via`` is our proxy."""
    return any(hop.split()[1:2] == ["coalmine"] for hop in via.lower().split(","))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
