"""Query parameters: the common ones, and a refusal of those that no handler reads.

A parameter that is silently ignored (``?dryrun=true``) does what its writer did not want.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from admin_api.problems import QueryError
from coalmine.errors import nearest


def refuse_unknown(request: Request) -> None:
    """Raises QueryError for a parameter that the route does not know, or that stands twice."""
    known = sorted(_list_known(request.scope["route"].dependant))
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean {meant}?" if meant else f"known here: {', '.join(known) or 'none'}"
            raise QueryError(f"the query parameter {name!r} is not known here", hint=hint)
        if count > 1:
            raise QueryError(f"the query parameter {name!r} stands {count} times", hint="give it once")


def _list_known(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*(_list_known(below) for below in dependant.dependencies))


@dataclass(frozen=True, slots=True)
class Paging:
    """``limit`` items after ``cursor``, which is the last page's ``next_cursor``."""

    limit: Annotated[int, Query(ge=1, le=1000, description="items on a page")] = 100
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before")] = None


DryRun = Annotated[bool, Query(description="change nothing, and tell what would be")]
Force = Annotated[bool, Query(description="although other objects refer to it; they stay, with a problem")]
HasPaging = Annotated[Paging, Depends()]
