"""``/healthz`` and ``/readyz``: open to supervisors without a token, and telling nothing secret."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from admin_api.parts import HasParts, Parts
from coalmine.errors import CatalogError

router = APIRouter(tags=["health"])


class Check(BaseModel):
    name: str
    ok: bool
    detail: str


class Health(BaseModel):
    ready: bool
    checks: list[Check]


@router.get("/healthz", response_model=dict[str, str])
async def get_liveness() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=Health, responses={503: {"model": Health, "description": "not ready"}})
def get_readiness(parts: HasParts) -> JSONResponse:
    """The catalog can be read, and at least one worker serves the current snapshot."""
    checks = [_check_catalog(parts), _check_workers(parts)]
    health = Health(ready=all(check.ok for check in checks), checks=checks)
    return JSONResponse(health.model_dump(), 200 if health.ready else 503)


def _check_catalog(parts: Parts) -> Check:
    try:
        parts.catalog.check_place()
        with parts.catalog.read() as reader:
            reader.names("virtual_service")
    except CatalogError as error:
        return Check(name="catalog", ok=False, detail=f"{error.code}: {_tell(error, parts)}")
    fault = parts.catalog.write_fault
    return Check(
        name="catalog",
        ok=True,
        detail=f"readable; the last write failed: {_tell(fault, parts)}" if fault else "readable",
    )


def _tell(error: CatalogError, parts: Parts) -> str:
    """The reason, without the directories of this machine."""
    return error.detail.replace(f"{parts.catalog.path.parent}/", "")


def _check_workers(parts: Parts) -> Check:
    version = parts.feed.current.version
    workers = parts.feed.workers()
    current = sum(worker.version == version and not worker.hung for worker in workers)
    wanted = max(len(workers), parts.settings.worker_count)  # while a reload goes on, there are more
    return Check(name="workers", ok=current > 0, detail=f"{current} of {wanted} serve the current snapshot")
