"""What discovery reports: one probe, its attempts, the document it found. This file performs no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from coalmine.errors import Problem
from coalmine.model.base import Definition, Name
from coalmine.model.function import Function

# What became of one tried URL. `taken` and `unchanged` are the good ones.
AttemptOutcome = Literal[
    "taken",
    "unchanged",
    "followed",
    "not_found",
    "refused_status",
    "html",
    "not_a_document",
    "unreadable",
    "too_large",
    "too_slow",
    "too_complex",
    "redirect_refused",
    "address_refused",
    "unreachable",
    "tls_failed",
    "bad_encoding",
]
# `pending`: never probed; `stale`: the last good functions are kept although the last probe failed.
DiscoveryState = Literal["disabled", "pending", "discovered", "empty", "not_found", "unreachable", "stale"]


class Attempt(Definition):
    """One URL that was tried, and why it was or was not taken."""

    url: str
    reason: str = Field(description="why this URL was tried")
    outcome: AttemptOutcome
    status: int | None = None
    content_type: str | None = None
    size_bytes: int | None = None
    seconds: float = 0.0
    detail: str = ""


class ProbeReport(Definition):
    """One probe of one upstream, as ``upstreams/{name}/report`` shows it."""

    upstream: Name
    state: DiscoveryState
    started_at: datetime | None = None
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    document_url: str | None = None
    document_version: str | None = Field(None, description="such as 'swagger 2.0' or 'openapi 3.1.0'")
    functions: int = 0
    problems: tuple[Problem, ...] = ()
    last_success_at: datetime | None = None
    detail: str = ""


class Finding(Definition):
    """Where a document does not follow its specification; ``pointer`` is a JSON pointer (RFC 6901) into it."""

    pointer: str = ""
    detail: str


class Document(Definition):
    """A document as it was read: the parts that functions refer to, and what identifies it."""

    upstream: Name
    url: str
    content_hash: str
    version: str
    title: str | None = None
    fetched_at: datetime
    size_bytes: int
    etag: str | None = None
    last_modified: str | None = None
    found_through: str | None = Field(None, description="the list of documents that named this one")
    findings: tuple[Finding, ...] | None = Field(None, description="None: nobody has looked yet")
    components: dict[str, Any] = Field(
        default_factory=dict, description="components, or definitions/parameters/responses of Swagger 2.0"
    )


class KeptDocument(Definition):
    """One of the documents of a revision, without its content."""

    url: str
    content_hash: str
    version: str
    title: str | None = None
    size_bytes: int


class DocumentRevision(Definition):
    """What the documents of an upstream were at one time. ``number`` grows by one and is never used again."""

    upstream: Name
    number: int = Field(ge=1)
    fetched_at: datetime
    function_count: int = Field(description="how many functions the documents had")
    documents: tuple[KeptDocument, ...]


class DocumentContent(Definition):
    """What was read of the documents of a revision."""

    functions: tuple[Function, ...] = ()
    components: dict[str, dict[str, Any]] = Field(default_factory=dict, description="by the URL of the document")
