"""Small definitions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from coalmine.model import Document, Function, ProbeReport, Route, Upstream

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = ProbeReport(upstream="u", state="discovered", last_success_at=NOW)


def upstream(name: str = "u", **more: Any) -> Upstream:
    return Upstream.model_validate({"name": name, "endpoints": ["http://127.0.0.1:9001"], **more})


def route(name: str = "r", *, to: str = "u", function: str | None = None, **more: Any) -> Route:
    return Route.model_validate({"name": name, "destinations": [{"upstream": to, "function": function}], **more})


def function(name: str = "f", **more: Any) -> Function:
    times = {"first_seen": NOW, "last_seen": NOW}
    return Function.model_validate({"upstream": "u", "name": name, "method": "GET", "path": "/f", **times, **more})


def document(url: str = "/openapi.json", **more: Any) -> Document:
    identity = {"content_hash": "h", "version": "openapi 3.1.0", "fetched_at": NOW, "size_bytes": 10}
    return Document.model_validate({"upstream": "u", "url": url, **identity, **more})
