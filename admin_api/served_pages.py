"""``/api/v1/snapshot``, ``problems`` and ``proxy``: what is served, what is not as it was written, and where."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.documented import READING
from admin_api.pages import PageBody, answer_page, slice_page
from admin_api.parts import HasParts
from admin_api.queries import HasPaging
from admin_api.representations import show_problem
from coalmine.errors import Problem
from coalmine.routing.snapshot import dump_snapshot
from coalmine.settings import Settings, parse_address

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  translated, not bound

router = APIRouter(prefix="/api/v1", tags=["served"])


@router.get("/snapshot", response_model=dict[str, Any], responses=READING)
def get_snapshot(request: Request, parts: HasParts) -> Response:
    """The snapshot that the engines serve now; `version` is its content hash."""
    return answer(request, json.loads(dump_snapshot(parts.feed.current)))


class ProxyInfo(BaseModel):
    url: str = Field(description="where clients of this machine find the proxy")
    tls_url: str | None = Field(description="the same over https, if it listens for that")


@router.get("/proxy", response_model=ProxyInfo, responses=READING)
def get_proxy(request: Request, parts: HasParts) -> Response:
    """Where the proxy listens."""
    tls = parts.settings.proxy_tls
    return answer(request, {"url": reach(parts.settings.proxy)} | ({"tls_url": reach(tls, "https")} if tls else {}))


def list_urls(settings: Settings) -> list[str]:
    """Where the proxy is reached, the safest first."""
    secure = [reach(settings.proxy_tls, "https")] if settings.proxy_tls else []
    return [*secure, reach(settings.proxy)]


def reach(address: str, scheme: str = "http") -> str:
    """The URL of a listening address; one on every interface is reached over loopback."""
    host, port = parse_address(address, flag="--proxy")
    host = _LOOPBACK.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@router.get("/problems", response_model=PageBody[Problem], responses=READING)
def list_problems(
    request: Request,
    parts: HasParts,
    paging: HasPaging,
    code: Annotated[str | None, Query()] = None,
    severity: Annotated[Literal["error", "warning"] | None, Query()] = None,
) -> Response:
    """Stored definitions that are not served as written, and what workers cannot use of their files; errors first."""
    wanted = [
        problem
        for problem in (*parts.feed.current.problems, *parts.feed.stats().problems)
        if code in (None, problem.code) and severity in (None, problem.severity)
    ]
    page = slice_page(wanted, _sort_key, paging.cursor, paging.limit)
    return answer_page(request, page, show_problem)


def _sort_key(problem: Problem) -> tuple[str, str, str, str]:
    return problem.severity, problem.where, problem.code, problem.detail
