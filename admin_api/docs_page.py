"""``/``, ``/docs`` and ``/problems/{code}``: pages for people, from this machine alone.

The assets of Swagger UI are part of the package: the page works without a network, and nobody else's server is
told that somebody reads it. The Content-Security-Policy lets nothing else in.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from admin_api.answers import answer
from coalmine.errors import CODES, NotFoundError, nearest

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_ASSETS = {
    "docs.css": ("docs.css", "text/css"),
    "docs.js": ("docs.js", "text/javascript"),
    "swagger-ui-bundle.js": ("swagger_ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger_ui/swagger-ui.css", "text/css"),
}
# Swagger UI shows icons as data: images and sets styles from its script, for which no exception is needed.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
_HEADERS = {"content-security-policy": _POLICY + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}

_DOCS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Coalmine admin API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/docs.js"></script></body></html>
"""

_LINKS = (
    ("/docs", "the admin API, to try out"),
    ("/openapi.json", "the same for machines"),
    ("/api/v1/upstreams", "services that requests can be sent to"),
    ("/api/v1/functions", "what they offer"),
    ("/api/v1/virtual-services", "domains"),
    ("/api/v1/routes", "which requests go where"),
    ("/api/v1/canaries", "releases under way"),
    ("/api/v1/problems", "what is not served as written"),
    ("/api/v1/snapshot", "what is served"),
    ("/api/v1/stats", "what workers counted"),
    ("/api/v1/config", "everything that people wrote"),
    ("/metrics", "figures for Prometheus"),
    ("/readyz", "whether all is well"),
)


@router.get("/")
async def get_index() -> HTMLResponse:
    rows = "".join(f'<li><a href="{path}">{path}</a> <span>{words}</span></li>' for path, words in _LINKS)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Coalmine</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/docs.css"></head>'
        f"<body><h1>Coalmine</h1><ul>{rows}</ul></body></html>"
    )
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    return HTMLResponse(_DOCS, headers=_HEADERS)


@router.get("/docs/{asset}")
def get_asset(asset: str) -> FileResponse:
    if asset not in _ASSETS:
        raise NotFoundError(f"there is no page {asset!r}")
    path, media_type = _ASSETS[asset]
    return FileResponse(_STATIC / path, media_type=media_type)


@router.get("/problems/{code}")
def get_problem_type(request: Request, code: str) -> Response:
    """What the ``type`` of every problem leads to."""
    row = CODES.get(code)
    if row is None:
        meant = nearest(code, CODES)
        raise NotFoundError(f"there is no problem {code!r}", hint=f"did you mean {meant}?" if meant else None)
    return answer(request, {"code": row.name, "title": row.title, "status": row.status or None})
