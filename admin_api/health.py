"""``/healthz`` and ``/readyz``: open to supervisors without a token, and telling nothing secret."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from admin_api.parts import HasParts, Parts
from coalmine.errors import CODES, CatalogError, Problem
from coalmine.tls import LISTENER

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
    """The catalog can be read, at least one worker serves the current snapshot, and https is served if it should be."""
    checks = [_check_catalog(parts), _check_workers(parts), *([_check_tls(parts)] if parts.settings.proxy_tls else [])]
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


def _check_tls(parts: Parts) -> Check:
    """Whether https is served; of the files it says no names, which are not for everybody."""
    told = {one for worker in parts.feed.workers() for one in worker.problems if one.where == LISTENER}
    said = "; ".join(sorted(f"{one.code}: {_tell_of_files(one)}" for one in told))
    served = not any(one.code == "tls_files_unusable" and one.severity == "error" for one in told)
    return Check(name="tls", ok=served, detail=said or "https is served")


def _tell_of_files(problem: Problem) -> str:
    if problem.code != "tls_files_unusable":
        return CODES[problem.code].title
    rest = "a worker serves no https" if problem.severity == "error" else "those read before are served"
    return f"the certificate files cannot be used; {rest}"
