"""Upstreams: named services that requests can be sent to. This file performs no I/O."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator

from coalmine.model.base import Definition, Name, NotEmpty, Number, Whole
from coalmine.model.route import Path
from coalmine.model.upstream_tls import UpstreamTls

_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")
# urlsplit silently drops line breaks and tabs, so they are refused before it sees them.
_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def check_origin(value: str) -> str:
    """``scheme://host[:port]`` and nothing more; returns it lower-cased, raises ValueError."""
    if _BLANK_OR_CONTROL.search(value):
        raise ValueError("an endpoint has no spaces, line breaks or control characters")
    parts = _split(value)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is not an http:// or https:// origin")
    if "@" in parts.netloc:
        raise ValueError("an endpoint carries no user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            f"{value!r} has a path; an endpoint is scheme://host:port, paths belong to routes and documents"
        )
    _check_authority(value, parts.netloc)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError:  # such as http://[::1
        raise ValueError(f"{value!r} has no valid host name") from None


def _check_authority(value: str, netloc: str) -> None:
    host, port = _host_and_port(netloc)
    if not _HOST.fullmatch(host):
        raise ValueError(f"{value!r} has no valid host name")
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{value!r} has no valid port")


def _host_and_port(netloc: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(.*?)(?::([0-9]{1,5}))?", netloc)
    assert match is not None
    return match[1], int(match[2]) if match[2] else None


def check_document_url(value: str) -> str:
    """An absolute http(s) URL, or a path at the upstream; raises ValueError."""
    if _BLANK_OR_CONTROL.search(value):
        raise ValueError("a URL has no spaces or control characters")
    if value.startswith("/") and not value.startswith("//"):
        return value
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{value!r} is neither an http(s) URL nor a path such as /openapi.json")
    if "@" in parts.netloc:
        raise ValueError("a document URL carries no user name or password")
    _check_authority(value, parts.netloc)
    return value


Origin = Annotated[str, AfterValidator(check_origin)]
DocumentUrl = Annotated[str, AfterValidator(check_document_url)]


class Discovery(Definition):
    """How the functions of an upstream are found."""

    enabled: bool | None = Field(None, description="absent: as the setting discovery_mode and the label say")
    document_url: DocumentUrl | None = Field(
        None, description="where the document is; absent: well-known paths are tried"
    )
    document: str | None = Field(
        None,
        min_length=1,
        max_length=4_000_000,
        description="the document itself, JSON or YAML; the service is then not asked",
    )
    interval_seconds: Number = Field(30, ge=1, le=86_400)

    @model_validator(mode="after")
    def _one_document(self) -> Self:
        if self.document is not None and self.document_url is not None:
            raise ValueError("give one of document and document_url")
        return self


class HealthCheck(Definition):
    """A request that every worker sends to each endpoint now and then, to find out whether it is up."""

    path: Path = "/"
    interval_seconds: Number = Field(5, ge=1, le=3_600)
    timeout_seconds: Number = Field(2, gt=0, le=60)
    healthy_after: Whole = Field(2, ge=1, le=100, description="passed checks in a row that bring an endpoint back")
    unhealthy_after: Whole = Field(3, ge=1, le=100, description="failed checks in a row that take an endpoint out")
    expected_status: Whole = Field(200, ge=200, le=599)


class Upstream(Definition):
    """A named service: one or more origins of one scheme, served round robin."""

    name: Name
    endpoints: Annotated[tuple[Origin, ...], NotEmpty] = Field(max_length=256)
    discovery: Discovery = Discovery()
    health_check: HealthCheck | None = Field(None, description="absent: endpoints are judged by their answers alone")
    tls: UpstreamTls | None = Field(
        None, description="of https endpoints: absent: the system's authorities vouch for them, by their host names"
    )
    max_requests: Whole | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="requests that one worker has in flight to it; more are answered 503 at once; absent: four fifths"
        " of the setting max_requests, so that one upstream cannot take the places of all others",
    )
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_scheme(self) -> Self:
        if len({endpoint.split(":", 1)[0] for endpoint in self.endpoints}) > 1:
            raise ValueError("the endpoints of one upstream have one scheme, http or https")
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("an endpoint stands twice")
        if self.tls is not None and not self.endpoints[0].startswith("https:"):
            raise ValueError("tls is for endpoints that begin with https://")
        return self


DISCOVERY_LABEL = "coalmine.discovery"
DISCOVERY_MODES = ("allow", "deny")


def why_not_discovered(upstream: Upstream, mode: str) -> str | None:
    """Why the functions of ``upstream`` are not looked for; None: they are. ``mode`` is one of ``DISCOVERY_MODES``.

    What the definition says wins; a document that it holds is read, nobody is asked for it.
    """
    if upstream.discovery.enabled is not None:
        return None if upstream.discovery.enabled else "switched off for this upstream (discovery.enabled)"
    label = upstream.labels.get(DISCOVERY_LABEL)
    if upstream.discovery.document is not None or label == "enabled":
        return None
    if mode == "allow":
        return f"only upstreams with the label {DISCOVERY_LABEL}=enabled are looked at (--discovery-mode allow)"
    return f"switched off by the label {DISCOVERY_LABEL}=disabled" if label == "disabled" else None
