"""Small definitions for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from coalmine.model import Definitions, Function, Route, Upstream, VirtualService
from coalmine.routing.decision import RequestHead

NOON = datetime(2019, 2, 1, 12, tzinfo=UTC)


def route(name: str = "r", match: dict[str, Any] | None = None, **more: Any) -> Route:
    """A route that answers directly, unless ``more`` gives it something else to do."""
    if not {"destinations", "redirect", "direct_response"} & more.keys():
        more["direct_response"] = {"status": 200}
    return Route.model_validate({"name": name, "match": match or {}, **more})


def to(upstream: str, function: str | None = None, **more: Any) -> dict[str, Any]:
    return {"upstream": upstream, "function": function, **more}


def upstream(name: str) -> Upstream:
    return Upstream(name=name, endpoints=(f"http://{name}.test:80",))


def function(name: str, upstream: str = "pets", **more: Any) -> Function:
    values = {"method": "GET", "path": f"/api/{name}", "first_seen": NOON, "last_seen": NOON, **more}
    return Function.model_validate({"upstream": upstream, "name": name, **values})


def service(name: str, *domains: str) -> VirtualService:
    return VirtualService(name=name, domains=domains or ("*",))


def head(path: str, method: str = "GET", headers: Sequence[tuple[str, str]] = (), **more: Any) -> RequestHead:
    return RequestHead(method, path, headers=[(name.encode(), value.encode()) for name, value in headers], **more)


PETS = Definitions(
    upstreams=(upstream("pets"), upstream("stores")),
    functions=(
        function("findPets", parameters=[{"name": "tags", "in": "query"}]),
        function("findPetById", path="/api/pets/{id}", parameters=[{"name": "id", "in": "path", "required": True}]),
        function("oldPets", state="removed"),
        function("findStores", "stores"),
    ),
    virtual_services=(service("coalmine"),),
)
