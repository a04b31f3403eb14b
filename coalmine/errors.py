"""What can go wrong, named by who must act.

    CoalmineError
    ├── DefinitionError        the writer of a definition: 422, with every fault at once
    ├── MalformedError         the writer of a text: 400, it could not even be parsed
    ├── NotFoundError          the caller: 404, with the nearest name
    ├── ConflictError          the caller: 409, the name is taken or the object is in use
    ├── PreconditionError      the caller: 412, somebody else changed the object first
    ├── CatalogError           the operator: the database cannot be used
    └── StartupError           the operator: serve cannot start as asked

Expected failures of definitions that are already stored are not exceptions but values: a ``Problem``.
``CODES`` is the one table of all codes that leave the process, in problem+json bodies and in ``problems``.
This file performs no I/O.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what somebody wrote: where (RFC 6901 JSON pointer), what, and how to mend it.

    ``related`` points to the other place, where it takes two.
    """

    pointer: str
    code: str
    detail: str
    hint: str | None = None
    related: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a stored definition is not served as written.

    ``where`` names the definition (``routes/find-pets``), ``severity`` is ``error`` (it answers with the
    problem) or ``warning`` (it is served, but somebody should look).
    """

    code: str
    where: str
    detail: str
    severity: str = "error"


class CoalmineError(Exception):
    """Base of all; ``code`` is a key of ``CODES``."""

    code = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        if code is not None:
            self.code = code


class DefinitionError(CoalmineError):
    """A definition is wrong; nothing was changed."""

    code = "invalid_definition"

    def __init__(self, faults: Iterable[Fault], detail: str | None = None) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        super().__init__(detail or (self.faults[0].detail if count == 1 else f"{count} faults, nothing was changed"))


class MalformedError(CoalmineError):
    """A text is not the JSON or YAML it should be."""

    code = "malformed_body"


class NotFoundError(CoalmineError):
    code = "not_found"


class ConflictError(CoalmineError):
    code = "already_exists"


class PreconditionError(CoalmineError):
    code = "precondition_failed"


class CatalogError(CoalmineError):
    code = "catalog_unavailable"


class StartupError(CoalmineError):
    code = "startup_failed"


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code, the HTTP status it is answered with (0: never an answer of its own) and its title."""

    name: str
    status: int
    title: str


# One table for the gateway's replies, the admin API's errors and the problems of stored definitions.
# docs/problems.md documents each row; a test compares the two.
_TABLE: tuple[Code, ...] = (
    # The gateway's own replies.
    Code("no_virtual_service", 404, "No virtual service has this domain"),
    Code("no_route", 404, "No route matches the request"),
    Code("unbound_path", 404, "Path segments are left over that belong to no parameter"),
    Code("bad_request", 400, "The request cannot be understood"),
    Code("expectation_failed", 417, "An expectation cannot be met"),
    Code("missing_parameter", 400, "A required parameter is missing"),
    Code("invalid_parameter", 400, "A parameter has a value that cannot be sent"),
    Code("invalid_call", 422, "The call does not fit the function's document"),
    Code("invalid_body", 400, "The body cannot be read as its content type says"),
    Code("body_too_large", 413, "The body is larger than the gateway reads"),
    Code("unsupported_media_type", 415, "The content type cannot be read here"),
    Code("headers_too_large", 431, "The header section is larger than the gateway accepts"),
    Code("uri_too_long", 414, "The request target is longer than the gateway accepts"),
    Code("method_not_implemented", 501, "The method is not supported"),
    Code("version_not_supported", 505, "The HTTP version is not supported"),
    Code("request_timeout", 408, "The request did not arrive in time"),
    Code("rate_limited", 429, "The route has taken all the requests that its limit allows"),
    Code("fault_injected", 503, "The route is told to answer with a fault"),
    Code("overloaded", 503, "The gateway has too much to do"),
    Code("draining", 503, "The gateway is stopping"),
    Code("upstream_unreachable", 502, "No endpoint of the upstream could be reached"),
    Code("upstream_tls", 502, "The upstream's TLS cannot be trusted, or it does not trust ours"),
    Code("upstream_reset", 502, "The upstream closed the connection before it answered"),
    Code("upstream_protocol_error", 502, "The upstream's answer is not valid HTTP"),
    Code("upstream_timeout", 504, "The upstream did not answer in time"),
    Code("loop_detected", 508, "The request has come through this gateway before"),
    # Problems of stored definitions; a route that has one answers with it.
    Code("function_removed", 0, "The function left the upstream's document; the last known definition is called"),
    Code("function_changed", 0, "The function changed in a way that breaks callers; it is called as it was"),
    Code("function_unknown", 503, "The function is not known yet"),
    Code("upstream_missing", 503, "The route's upstream was deleted"),
    Code("upstream_unverified", 0, "The upstream's certificate is not verified"),
    Code("tls_files_unusable", 0, "Files for TLS cannot be used; what was read of them before still counts"),
    Code("certificate_out_of_date", 0, "No client takes the gateway's certificate now"),
    Code("virtual_service_missing", 503, "The route's virtual service was deleted"),
    Code("invalid_regex", 503, "The regular expression is not valid RE2"),
    Code("route_invalid", 503, "The route cannot be served as written"),
    Code("route_shadowed", 0, "The route can never match: an earlier route takes all its requests"),
    Code("domain_conflict", 0, "Two virtual services claim the same domain"),
    Code("function_renamed", 0, "Two operations share a name; one got a distinct name"),
    Code("operation_skipped", 0, "An operation of the document cannot be used"),
    Code("external_reference", 0, "The document refers to another document, which is not fetched"),
    Code("document_invalid", 0, "The document does not follow its specification in places"),
    Code("schema_unusable", 0, "A schema of the document cannot be used to check calls"),
    # The admin API.
    Code("malformed_body", 400, "The body is not JSON or YAML"),
    Code("invalid_query", 400, "A query parameter is wrong"),
    Code("unauthorized", 401, "The admin token is missing or wrong"),
    Code("read_only_token", 403, "The token may only read"),
    Code("forbidden_origin", 403, "The request comes from a foreign page or host name"),
    Code("not_found", 404, "There is no such object"),
    Code("method_not_allowed", 405, "The path does not take this method"),
    Code("already_exists", 409, "The name is taken"),
    Code("in_use", 409, "Other objects refer to this one"),
    Code("owned_by_other", 409, "Objects belong to another set of files"),
    Code("canary_conflict", 409, "The canary is not in a state that allows this"),
    Code("breaking_change", 409, "The new version breaks what callers of the old one rely on"),
    Code("precondition_failed", 412, "The object has changed since it was read"),
    Code("invalid_definition", 422, "The definition is wrong"),
    Code("internal_error", 500, "Something went wrong inside"),
    Code("catalog_unavailable", 503, "The catalog cannot be used"),
    Code("startup_failed", 0, "The gateway cannot start as asked"),
    # Faults: entries of `errors` inside invalid_definition.
    Code("unknown_key", 0, "The key is not known here"),
    Code("missing_key", 0, "A required key is missing"),
    Code("wrong_type", 0, "The value has the wrong type"),
    Code("invalid_value", 0, "The value is not allowed"),
    Code("unknown_upstream", 0, "There is no such upstream"),
    Code("unknown_function", 0, "The upstream has no such function"),
    Code("unknown_virtual_service", 0, "There is no such virtual service"),
    Code("no_weight", 0, "All weights are zero"),
    Code("unsupported_manifest", 0, "The manifest says something that cannot be expressed"),
    Code("duplicate_name", 0, "The name stands twice in one set"),
)

CODES: dict[str, Code] = {code.name: code for code in _TABLE}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be, or None."""
    candidates = list(names)
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if found:
        return found[0]
    folded = {candidate.casefold(): candidate for candidate in candidates}
    return folded.get(name.casefold())
