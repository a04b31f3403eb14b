"""Where documents are found: well-known URLs, in the order in which they are tried.

The order: what many services have first; what gives several documents at once after single ones; pages, which
only mention where the document is, last. This file performs no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["document", "index", "page"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """``document``: is one itself; ``index``: lists documents; ``page``: HTML that loads one."""

    path: str
    reason: str
    kind: Kind = "document"


# Where a generator lists its documents once there are several: asked when the single one that was known changes.
INDEX_BESIDE = {
    "/v3/api-docs": Candidate("/v3/api-docs/swagger-config", "Springdoc, whose documents may be grouped now", "index"),
    "/v2/api-docs": Candidate("/swagger-resources", "Springfox, whose documents may be grouped now", "index"),
}

# Where generators number the documents of several versions of one service: what stands before and after the number.
_NUMBERED = (("/swagger/v", "/swagger.json"), ("/openapi/v", ".json"), ("/swagger/docs/v", ""))
# Nobody serves more versions at once.
_MAX_VERSION = 9


def next_version(url: str) -> str | None:
    """Where the version after the one at ``url`` would be; None where versions have no numbers."""
    for before, after in _NUMBERED:
        match = re.fullmatch(f"(.*{re.escape(before)})([1-9])({re.escape(after)})", url)
        if match and int(match[2]) < _MAX_VERSION:
            return f"{match[1]}{int(match[2]) + 1}{match[3]}"
    return None


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("/openapi.json", "FastAPI, and the name the OpenAPI specification recommends"),
    Candidate("/swagger.json", "go-swagger, Flask-RESTX, and Gloo's first guess"),
    Candidate("/v3/api-docs/swagger-config", "Springdoc, where documents are grouped", "index"),
    Candidate("/v3/api-docs", "Springdoc"),
    Candidate("/swagger/v1/swagger.json", "Swashbuckle and NSwag (ASP.NET Core), which number their versions"),
    Candidate("/openapi.yaml", "the name the OpenAPI specification recommends, as YAML"),
    Candidate("/.well-known/api-catalog", "RFC 9727 API catalog", "index"),
    Candidate("/openapi/v1.json", "Microsoft.AspNetCore.OpenApi (.NET 9)"),
    Candidate("/v2/api-docs", "Springfox"),
    Candidate("/swagger-resources", "Springfox, where documents are grouped", "index"),
    Candidate("/q/openapi", "Quarkus"),
    Candidate("/openapi", "MicroProfile OpenAPI (Open Liberty, Helidon, WildFly)"),
    Candidate("/api-json", "NestJS"),
    Candidate("/docs-json", "NestJS, set up under /docs"),
    Candidate("/api-docs", "swagger-jsdoc, Dropwizard, rswag"),
    Candidate("/api-docs.json", "swagger-jsdoc"),
    Candidate("/documentation/json", "@fastify/swagger"),
    Candidate("/swagger/doc.json", "swaggo (Go)"),
    Candidate("/api/schema/", "drf-spectacular (Django)"),
    Candidate("/schema/openapi.json", "Litestar"),
    Candidate("/apispec_1.json", "Flasgger (Flask)"),
    Candidate("/openapi/openapi.json", "flask-openapi3"),
    Candidate("/api-docs/openapi.json", "utoipa (Rust)"),
    Candidate("/swagger/json", "Elysia"),
    Candidate("/apidoc/openapi.json", "SpecTree (Flask, Falcon, Starlette)"),
    Candidate("/api/doc/swagger.json", "aiohttp-swagger"),
    Candidate("/docs/docs.yaml", "tapir (Scala)"),
    Candidate("/api/openapi.json", "Django Ninja, and others under /api"),
    Candidate("/api/openapi", "open_api_spex (Phoenix)"),
    Candidate("/api/swagger.json", "under /api"),
    Candidate("/api/v1/openapi.json", "FastAPI, as its project template sets it up"),
    Candidate("/v1/openapi.json", "under a version"),
    Candidate("/v1/swagger.json", "under a version"),
    Candidate("/api/docs.json", "API Platform (Symfony)"),
    Candidate("/api/doc.json", "NelmioApiDocBundle (Symfony)"),
    Candidate("/docs/openapi.json", "under /docs"),
    Candidate("/docs/api.json", "Scramble (Laravel)"),
    Candidate("/openapi.yml", "a file beside the service"),
    Candidate("/swagger.yaml", "a file beside the service"),
    Candidate("/swagger.yml", "a file beside the service"),
    Candidate("/swagger/docs/v1", "Gloo's second guess (Swashbuckle for ASP.NET)"),
    Candidate("/swagger/docs/v2", "Gloo's third guess"),
    Candidate("/v1/swagger", "Gloo's fourth guess"),
    Candidate("/v2/swagger", "Gloo's fifth guess"),
    Candidate("/", "a page or a Link header that names the document (RFC 8631)", "page"),
    Candidate("/docs", "Swagger UI, Redoc or Scalar", "page"),
    Candidate("/swagger-ui/index.html", "Swagger UI of Springdoc and Micronaut", "page"),
    Candidate("/swagger/index.html", "Swagger UI of ASP.NET Core and swaggo", "page"),
    Candidate("/swagger-ui.html", "Swagger UI", "page"),
    Candidate("/swagger", "Swagger UI", "page"),
    Candidate("/api", "Swagger UI of NestJS", "page"),
    Candidate("/redoc", "Redoc", "page"),
    Candidate("/scalar/v1", "Scalar of ASP.NET Core", "page"),
    Candidate("/reference", "Scalar", "page"),
)
