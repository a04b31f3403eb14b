"""The one place where what went wrong becomes an answer: problem+json (RFC 9457) with a stable ``code``.

Statuses and titles come from ``coalmine.errors.CODES``. An unexpected exception is told as ``internal_error``
and nothing more; its trace goes to the log of the process, never to the client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from coalmine.errors import CODES, CoalmineError, ConflictError, DefinitionError, Fault

PROBLEM_JSON = "application/problem+json"

# What the router itself raises, by status.
_ROUTER_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


class QueryError(CoalmineError):
    """A query parameter is wrong or unknown."""

    code = "invalid_query"


class TooLargeError(CoalmineError):
    """The body is larger than what is read here."""

    code = "body_too_large"


class InUseError(ConflictError):
    """Other objects refer to this one; ``used_by`` names them, such as ``routes/find-pets``."""

    code = "in_use"

    def __init__(self, detail: str, used_by: Iterable[str], *, hint: str) -> None:
        super().__init__(detail, hint=hint)
        self.used_by = tuple(used_by)


class BreakingChangeError(ConflictError):
    """Callers may fail afterwards; ``faults`` are the differences, with the id of a rule for a code."""

    code = "breaking_change"

    def __init__(self, detail: str, faults: Iterable[Fault], *, hint: str) -> None:
        super().__init__(detail, code=self.code, hint=hint)
        self.faults = tuple(faults)


def make_problem(
    code: str, detail: str, instance: str, *, hint: str | None = None, faults: Iterable[Fault] = (), **members: Any
) -> dict[str, Any]:
    """The body of a problem; ``members`` are extensions (RFC 9457 section 3.2)."""
    row = CODES[code]
    body = {"type": f"/problems/{code}", "title": row.title, "status": row.status, "detail": detail}
    body |= {"instance": instance, "code": code}
    if hint:
        body["hint"] = hint
    return body | members | {"errors": [asdict(fault) for fault in faults]}


def answer_problem(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode_json(body), body["status"], dict(headers or {}), PROBLEM_JSON)


def encode_json(value: Any) -> bytes:
    """JSON in UTF-8; half a surrogate pair, which UTF-8 cannot say, stays the escape that it was."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def register_handlers(app: FastAPI) -> None:
    app.add_exception_handler(CoalmineError, _on_ours)
    app.add_exception_handler(HTTPException, _on_router)
    app.add_exception_handler(RequestValidationError, _on_query)
    app.add_exception_handler(Exception, _on_surprise)


def _on_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, CoalmineError)
    faults = error.faults if isinstance(error, DefinitionError | BreakingChangeError) else ()
    members = {"used_by": list(error.used_by)} if isinstance(error, InUseError) else {}
    # Of a single fault the whole problem can tell how to mend it.
    hint = faults[0].hint if len(faults) == 1 else error.hint
    body = make_problem(error.code, error.detail, request.url.path, hint=hint, faults=faults, **members)
    return answer_problem(body)


def _on_router(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _ROUTER_CODES.get(error.status_code, "bad_request" if error.status_code < 500 else "internal_error")
    detail = f"{request.method} {request.url.path}: {CODES[code].title.lower()}"
    hint = "GET / lists what there is" if code == "not_found" else None
    headers = {"allow": ", ".join(list_allowed(request))} if code == "method_not_allowed" else error.headers
    return answer_problem(make_problem(code, detail, request.url.path, hint=hint), headers)


def list_allowed(request: Request) -> list[str]:
    """Every method that the path takes (RFC 9110 section 10.2.1); the router tells those of its first match only."""
    routes = request.app.router.routes
    found = {
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _on_query(request: Request, error: Exception) -> Response:
    """Only query parameters are declared to FastAPI; bodies are read by ``bodies``."""
    assert isinstance(error, RequestValidationError)
    faults = [_query_fault(one) for one in error.errors()]
    detail = "; ".join(fault.detail for fault in faults)
    return answer_problem(make_problem("invalid_query", detail, request.url.path, faults=faults))


def _query_fault(error: Mapping[str, Any]) -> Fault:
    name = str(error["loc"][1]) if len(error["loc"]) > 1 else "?"
    text = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return Fault("", "invalid_query", f"{name}={error['input']} {text}")


def _on_surprise(request: Request, error: Exception) -> Response:
    detail = "the server made a mistake; its log has the details"
    return answer_problem(make_problem("internal_error", detail, request.url.path))
