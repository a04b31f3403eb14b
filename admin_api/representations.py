"""Definitions as the API shows them: their own JSON, and one read-only key ``status``.

Nothing that was left out is shown as null: what is shown can be sent back as it is. This file performs no I/O
but for what ``reader`` reads.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from admin_api.served import Served, State, judge
from coalmine.catalog import Owned, Reader
from coalmine.errors import Problem
from coalmine.model import Definition, DiscoveryState, Route, Upstream, VirtualService
from coalmine.model.revision import API_OWNER


class Status(BaseModel):
    """Whether the definition is served as written; ``problems`` say what is not."""

    state: State
    problems: list[Problem] = Field(default_factory=list)
    owner: str = Field(API_OWNER, description="the set of files that wrote it, or `api`")
    drifted: bool = Field(False, description="it is not as its set wrote it last")


class UpstreamStatus(Status):
    discovery: DiscoveryState
    functions: int = Field(description="how many functions the last good document has")
    last_success_at: datetime | None = None


class VirtualServiceStatus(Status):
    routes: int


class RouteStatus(Status):
    order: int | None = Field(description="place in the effective order of its virtual service, from 0")
    shadowed_by: str | None = Field(description="the earlier route that takes all its requests")


class UpstreamView(Upstream):
    status: UpstreamStatus


class VirtualServiceView(VirtualService):
    status: VirtualServiceStatus


class RouteView(Route):
    status: RouteStatus


def dump(definition: Definition) -> dict[str, Any]:
    """The definition's JSON, complete but for nulls: what ``If-Match`` guards and what a merge patch changes."""
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True)


def dump_short(definition: Definition) -> dict[str, Any]:
    """The definition's JSON without what is said by default."""
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


def show(definition: Definition, status: Status, owned: Owned) -> dict[str, Any]:
    status.owner, status.drifted = owned.owner, owned.drifted
    return dump(definition) | {"status": status.model_dump(mode="json")}


def unread_state(upstream: Upstream) -> DiscoveryState:
    """Of an upstream that was never probed. That a setting or a label keeps it so is in its report."""
    return "disabled" if upstream.discovery.enabled is False else "pending"


def show_upstream(upstream: Upstream, reader: Reader, served: Served) -> dict[str, Any]:
    problems = served.find_problems(f"upstreams/{upstream.name}")
    report = reader.find_report(upstream.name)
    if report:
        problems = problems + [problem for problem in report.problems if problem not in problems]
    status = UpstreamStatus(
        state=judge(problems),
        problems=problems,
        discovery=report.state if report else unread_state(upstream),
        functions=report.functions if report else 0,
        last_success_at=report.last_success_at if report else None,
    )
    return show(upstream, status, reader.owners.find(f"upstreams/{upstream.name}"))


def show_virtual_service(item: VirtualService, reader: Reader, served: Served) -> dict[str, Any]:
    problems = served.find_problems(f"virtual-services/{item.name}")
    routes = reader.list_routes(virtual_service=item.name, limit=1).total
    status = VirtualServiceStatus(state=judge(problems), problems=problems, routes=routes)
    return show(item, status, reader.owners.find(f"virtual-services/{item.name}"))


def show_route(route: Route, reader: Reader, served: Served) -> dict[str, Any]:
    problems = served.find_problems(f"routes/{route.name}")
    status = RouteStatus(
        state=judge(problems),
        problems=problems,
        order=served.find_order(route.name),
        shadowed_by=served.shadowed_by.get(route.name),
    )
    return show(route, status, reader.owners.find(f"routes/{route.name}"))


def show_problem(problem: Problem) -> dict[str, Any]:
    return asdict(problem)
