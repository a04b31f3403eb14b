"""``/api/v1/match``: which route takes a request, why the others lose, and what would be sent."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import Response

from admin_api.answers import answer
from admin_api.bodies import HasBody
from admin_api.documented import problems, takes
from admin_api.parts import HasParts
from coalmine.errors import CODES
from coalmine.model.route import check_field_value, check_token
from coalmine.model.salvage import parse_definition
from coalmine.routing.explain import Explanation, GatewayReply, explain, make_head
from coalmine.routing.source import TrustedProxies
from coalmine.routing.table import RouteTable

router = APIRouter(prefix="/api/v1", tags=["served"])

_EXPLANATION: TypeAdapter[Explanation] = TypeAdapter(Explanation)


def _check_address(value: str) -> str:
    return str(ipaddress.ip_address(value))


Token = Annotated[str, AfterValidator(check_token)]
FieldValue = Annotated[str, AfterValidator(check_field_value)]
Address = Annotated[str, AfterValidator(_check_address)]


class MatchRequest(BaseModel):
    """A request as a client would send it."""

    model_config = ConfigDict(extra="forbid")

    method: Token = "GET"
    host: FieldValue = "localhost"
    path: str = Field("/", description="with its query")
    headers: list[tuple[Token, FieldValue]] = Field(default_factory=list, description="pairs of name and value")
    source: Address = Field("127.0.0.1", description="the IP address that the connection comes from")
    body: str | None = Field(None, description="for functions that take a parameter from it")


@router.post(
    "/match",
    response_model=Explanation,
    responses=problems("malformed_body", "unsupported_media_type", "invalid_definition"),
    openapi_extra=takes(MatchRequest),
)
def match_request(request: Request, parts: HasParts, body: HasBody) -> Response:
    """Explain what would become of a request: the same tables and decisions that serve; nothing is sent."""
    wanted = find_client(parse_definition(MatchRequest, body.parse_object()), parts.settings.trusted_networks)
    return answer(request, _EXPLANATION.dump_python(explain_request(wanted, parts.table()), mode="json"))


def find_client(wanted: MatchRequest, trusted_networks: tuple[str, ...]) -> MatchRequest:
    """The request with the address that counts: of a trusted proxy it is what X-Forwarded-For says."""
    forwarded_for = ",".join(value for name, value in wanted.headers if name.lower() == "x-forwarded-for")
    source = TrustedProxies(trusted_networks).find_source(wanted.source, forwarded_for)
    return wanted.model_copy(update={"source": source})


def explain_request(wanted: MatchRequest, table: RouteTable) -> Explanation:
    try:
        head = make_head(wanted.method, wanted.path, wanted.host, wanted.headers, wanted.source)
    except ValueError as error:  # what the gateway answers to a path that is none
        return Explanation(None, None, reply=GatewayReply(CODES["bad_request"].status, "bad_request", str(error)))
    return explain(table, head, body=None if wanted.body is None else wanted.body.encode())
