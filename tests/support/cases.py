"""THE case table: every semantic of routing and calling, as rows of definitions, request and expected outcome.

The pure ``decide``, the embedded engine over sockets and the dry run of the admin API are held to it.
"""

from __future__ import annotations

from tests.support.case import Answer, Call, Case, Request
from tests.support.rows.actions import CORS, DIRECT, FAULT, HEADERS, MIRROR, REDIRECT, REWRITE, STICKY, WEIGHTS
from tests.support.rows.calls import BODY, HEAD, PROBLEMS
from tests.support.rows.checked import VALIDATE
from tests.support.rows.functions import ENCODING, FUNCTION_PARAMETERS
from tests.support.rows.gateway_api import GATEWAY_API
from tests.support.rows.gateway_api_filters import GATEWAY_API_FILTERS
from tests.support.rows.limits import RATE_LIMIT
from tests.support.rows.matchers import DOMAINS, MATCHERS, ORDER
from tests.support.rows.styles import STYLES

__all__ = ["CASES", "DRY", "Answer", "Call", "Case", "Request"]

CASES: tuple[Case, ...] = (
    *MATCHERS,
    *ORDER,
    *DOMAINS,
    *FUNCTION_PARAMETERS,
    *ENCODING,
    *STYLES,
    *BODY,
    *HEAD,
    *VALIDATE,
    *REWRITE,
    *REDIRECT,
    *DIRECT,
    *WEIGHTS,
    *STICKY,
    *CORS,
    *FAULT,
    *MIRROR,
    *RATE_LIMIT,
    *HEADERS,
    *PROBLEMS,
    *GATEWAY_API,
    *GATEWAY_API_FILTERS,
)


def _can_be_dry(case: Case) -> bool:
    """The body of a match is text of any length, and a dry run counts nothing."""
    try:
        case.request.body.decode()
    except ValueError:
        return False
    return not case.earlier and case.body_limit > 1_000


DRY = tuple(case for case in CASES if _can_be_dry(case))
