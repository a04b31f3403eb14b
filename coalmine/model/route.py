"""Virtual services and routes: what people write to steer requests. This file performs no I/O.

What can be judged by looking at one definition alone is judged here; what needs the others (does the
function exist?) is judged in ``coalmine.routing.check``.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from coalmine.model.base import Definition, Name, NotEmpty, Number, Whole

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_DOMAIN = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]")
# RFC 6454 section 7: scheme://host:port and nothing more; a star stands for some of the host's name.
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_.*-]+)(:([0-9]{1,5}|\*))?", re.IGNORECASE)
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 section 5.5


def check_token(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{value!r} is not a token (letters, digits and !#$%&'*+-.^_`|~)")
    return value


def check_domain(value: str) -> str:
    lowered = value.lower().rstrip(".") or value
    if not _DOMAIN.fullmatch(lowered):
        raise ValueError(f"{value!r} is not a domain: an exact host name, *.suffix or *, without a port")
    return lowered


def check_field_value(value: str) -> str:
    if not _FIELD_VALUE.fullmatch(value) or value != value.strip(" \t"):
        raise ValueError("a header value has no control characters, no line breaks and no spaces at its ends")
    return value


def check_cidr(value: str) -> str:
    return str(ipaddress.ip_network(value, strict=False))


def check_origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError(
            f"{value!r} is not an origin: *, https://example.com, http://localhost:3000, https://*.example.com"
        )
    return value


def check_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} does not start with a slash")
    if re.search(r"[\x00-\x20\x7f?#]", value):
        raise ValueError(f"{value!r} has a character that no path has (space, control, ? or #)")
    return value


HeaderName = Annotated[str, AfterValidator(check_token)]
FieldValue = Annotated[str, AfterValidator(check_field_value)]
Domain = Annotated[str, AfterValidator(check_domain)]
Cidr = Annotated[str, AfterValidator(check_cidr)]
Path = Annotated[str, AfterValidator(check_path)]
Origin = Annotated[str, AfterValidator(check_origin)]
Method = Annotated[str, AfterValidator(lambda value: check_token(value).upper())]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]


class VirtualService(Definition):
    """Domains whose requests are matched against one set of routes."""

    name: Name
    domains: Annotated[tuple[Domain, ...], NotEmpty] = Field(
        ("*",), description="exact, *.suffix or *; the most specific wins"
    )


class PathMatch(Definition):
    """One of: the whole path, whole leading segments, a template of segments, an RE2 full match."""

    exact: Path | None = None
    prefix: Path | None = None
    template: Path | None = None
    regex: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.exact, self.prefix, self.template, self.regex)) != 1:
            raise ValueError("give exactly one of exact, prefix, template and regex")
        return self


class ValueMatch(Definition):
    """A condition on the values of one name; ``invert`` turns the verdict round (absent is then a match)."""

    exact: str | None = None
    regex: str | None = Field(None, min_length=1)
    present: bool | None = None
    invert: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.exact, self.regex, self.present)) != 1:
            raise ValueError("give exactly one of exact, regex and present")
        return self


class HeaderMatch(ValueMatch):
    name: HeaderName


class QueryMatch(ValueMatch):
    name: str = Field(min_length=1)


class Match(Definition):
    """Conditions on a request, all of which must hold."""

    path: PathMatch = PathMatch(prefix="/")
    methods: tuple[Method, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    source_cidrs: tuple[Cidr, ...] = ()


class Destination(Definition):
    """An upstream, or one of its functions, with its share of the requests."""

    upstream: Name
    function: str | None = Field(None, min_length=1)
    weight: Whole = Field(1, ge=0, le=1_000_000)
    parameters: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="literals or templates over {path.x} {query.x} {header.x} {cookie.x} {body.a.b}",
    )


class Redirect(Definition):
    status: Literal[301, 302, 303, 307, 308] = 302
    scheme: Literal["http", "https"] | None = None
    host: str | None = None
    port: Whole | None = Field(None, ge=1, le=65535)
    path: Path | None = Field(None, description="replaces the whole path; the query is kept")
    prefix: Path | None = Field(None, description="replaces the matched prefix")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.path is not None and self.prefix is not None:
            raise ValueError("give one of path and prefix")
        if all(value is None for value in (self.scheme, self.host, self.port, self.path, self.prefix)):
            raise ValueError("a redirect changes at least one of scheme, host, port, path and prefix")
        return self

    @field_validator("host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("*") or not _DOMAIN.fullmatch(value.lower())):
            raise ValueError(f"{value!r} is not a host name")
        return value


class DirectResponse(Definition):
    status: Whole = Field(200, ge=200, le=599)
    body: str = Field("", max_length=65_536)
    headers: dict[HeaderName, FieldValue] = Field(default_factory=dict)


class CookieKey(Definition):
    name: HeaderName = "coalmine"
    ttl_seconds: Whole = Field(86_400, ge=1, le=31_536_000)


class Sticky(Definition):
    """What keeps one user on one destination."""

    header: HeaderName | None = None
    cookie: CookieKey | None = None
    source_address: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.header, self.cookie, self.source_address)) != 1:
            raise ValueError("give exactly one of header, cookie and source_address")
        return self


class RegexRewrite(Definition):
    pattern: str = Field(min_length=1)
    substitution: str


class Rewrite(Definition):
    """A new path for destinations without a function."""

    prefix: Path | None = None
    regex: RegexRewrite | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.prefix is None) == (self.regex is None):
            raise ValueError("give exactly one of prefix and regex")
        return self


RetryCondition = Literal["connect-failure", "reset", "timeout", "5xx", "gateway-error", "retriable-4xx"]


class Retries(Definition):
    attempts: Whole = Field(ge=1, le=10, description="tries after the first one")
    on: Annotated[tuple[RetryCondition, ...], NotEmpty] | None = Field(
        None, description="absent: connect-failure, and reset of requests whose method is idempotent"
    )
    per_try_timeout_seconds: Seconds | None = None


class HeaderEdits(Definition):
    """Applied in this order: remove, set (replaces), add (appends)."""

    set: dict[HeaderName, FieldValue] = Field(default_factory=dict)
    add: dict[HeaderName, FieldValue] = Field(default_factory=dict)
    remove: tuple[HeaderName, ...] = ()

    def __hash__(self) -> int:
        # pydantic copies a default deeply for every route that is read, unless it can be hashed.
        return hash((frozenset(self.set.items()), frozenset(self.add.items()), self.remove))


class Cors(Definition):
    """Answers of the gateway to browsers of other origins (Fetch standard, CORS protocol)."""

    allow_origins: Annotated[tuple[Origin, ...], NotEmpty] = Field(description="exact, * or https://*.example.com")
    allow_methods: tuple[Method, ...] = ("GET", "HEAD", "POST")
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_seconds: Whole | None = Field(None, ge=0, le=86_400)


class Mirror(Definition):
    upstream: Name
    function: str | None = None
    percent: Number = Field(100, ge=0, le=100)


class FaultInjection(Definition):
    """For testing clients: a delay, an abort, or both, on a share of the requests."""

    delay_seconds: Number | None = Field(None, gt=0, le=300)
    abort_status: Whole | None = Field(None, ge=400, le=599)
    percent: Number = Field(100, ge=0, le=100)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.delay_seconds is None and self.abort_status is None:
            raise ValueError("give delay_seconds, abort_status or both")
        return self


class RateKey(Definition):
    """What has a limit of its own: each value of a header, or each source address."""

    header: HeaderName | None = None
    source_address: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.header is None) == (self.source_address is None):
            raise ValueError("give exactly one of header and source_address")
        return self


class RateLimit(Definition):
    """A token bucket: it holds ``burst`` and gains ``requests`` in ``per_seconds``."""

    requests: Whole = Field(ge=1, le=1_000_000)
    per_seconds: Seconds = 1
    burst: Whole | None = Field(None, ge=1, le=1_000_000, description="as many may come at once; absent: requests")
    by: RateKey | None = Field(None, description="absent: one limit for the whole route")


class Route(Definition):
    """A matcher plus an action: destinations, a redirect or a direct response."""

    name: Name
    virtual_service: Name = "default"
    match: Match = Match()
    destinations: tuple[Destination, ...] = ()
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    sticky: Sticky | None = None
    rewrite: Rewrite | None = None
    host: str = Field("preserve", description="preserve, upstream, or the host name to send")
    timeout_seconds: Seconds | None = None
    retries: Retries | None = None
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    cors: Cors | None = None
    mirror: Mirror | None = None
    fault: FaultInjection | None = None
    rate_limit: RateLimit | None = None
    validate_: bool = Field(
        False, alias="validate", description="check parameters and JSON bodies against the function's document"
    )
    priority: Whole = Field(0, ge=-1_000_000, le=1_000_000)

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        actions = (bool(self.destinations), self.redirect is not None, self.direct_response is not None)
        if sum(actions) != 1:
            raise ValueError("give exactly one of destinations, redirect and direct_response")
        if self.destinations and not any(destination.weight for destination in self.destinations):
            raise ValueError("the weights of the destinations are all zero, so no request could be sent anywhere")
        return self

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        if value in ("preserve", "upstream"):
            return value
        if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", value):
            raise ValueError(f"{value!r} is neither preserve nor upstream nor a host name")
        return value
