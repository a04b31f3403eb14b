"""The application: every part is passed in, nothing is wired at import."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from admin_api import (
    canaries,
    config,
    docs_page,
    documents,
    events,
    functions,
    health,
    match,
    metrics,
    revisions,
    routes,
    served_pages,
    stats,
    upstreams,
    virtual_services,
)
from admin_api.documented import make_document
from admin_api.heads import HeadAsGet
from admin_api.parts import Parts, Prober
from admin_api.problems import register_handlers
from admin_api.queries import refuse_unknown
from admin_api.security import Guard
from coalmine import __version__
from coalmine.catalog import Catalog
from coalmine.feed import SnapshotFeed
from coalmine.model import Route, Upstream, VirtualService
from coalmine.settings import Settings

_ROUTERS = (
    upstreams.router,
    documents.router,
    functions.router,
    virtual_services.router,
    routes.router,
    match.router,
    config.router,
    canaries.router,
    revisions.router,
    served_pages.router,
    stats.router,
    events.router,
    health.router,
    metrics.router,
    docs_page.router,
)

# What ``bodies`` reads, and FastAPI therefore does not see.
_BODIES = (
    Upstream,
    VirtualService,
    Route,
    config.Config,
    match.MatchRequest,
    canaries.CanaryStart,
    canaries.CanaryShift,
)


def create_app(*, catalog: Catalog, feed: SnapshotFeed, prober: Prober, settings: Settings) -> FastAPI:
    """The admin API over these parts.

    ``app.state.broadcast.close()`` ends the event streams; call it before waiting for connections to close.
    """
    app = FastAPI(
        title="Coalmine admin API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown)],
        middleware=[Middleware(Guard, settings=settings), Middleware(HeadAsGet)],
    )
    app.state.parts = Parts(catalog, feed, prober, settings)
    app.state.broadcast = events.Broadcast(feed)
    register_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    _document(app)
    return app


def _document(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = make_document(app, __version__, _BODIES)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's way to extend the document
