"""Canaries as the API shows them: who gets the new version, what it breaks, and how each version does.

This file performs no I/O but for what ``reader`` reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from admin_api.canary_gate import Comparison, Version, compare_versions, list_old
from admin_api.differences import Change
from admin_api.parts import Parts
from admin_api.representations import dump
from coalmine.catalog import Reader
from coalmine.differences import Severity, worst
from coalmine.errors import Problem
from coalmine.feed.stats import show_series
from coalmine.model import Canary, Definitions, Destination
from coalmine.routing.canary_figures import Counts, Period, find_figures, list_versions
from coalmine.routing.canary_status import CanaryState, describe_canary, name_version
from coalmine.routing.canary_status import CanaryStatus as Standing
from coalmine.routing.references import find_document


class Share(BaseModel):
    destination: Destination
    percent: float


class DifferenceView(BaseModel):
    rule: str
    severity: Severity
    where: str = Field(description="a JSON pointer into the function")
    detail: str


class ComparisonView(BaseModel):
    """What somebody notices who called the old version and gets the new one."""

    old: str = Field(description="UPSTREAM/FUNCTION")
    new: str
    severity: Severity | None = Field(description="of the worst; null where nothing differs")
    differences: list[DifferenceView] = Field(description="the worst first")


class LatencyView(BaseModel):
    """Of whole requests; p50 and p99 are estimated from buckets. null where nothing was counted."""

    mean_seconds: float | None
    p50_seconds: float | None
    p99_seconds: float | None


class VersionView(BaseModel):
    """One version, and what it did since the canary started, for testers and everybody else."""

    name: str = Field(description="UPSTREAM, or UPSTREAM/FUNCTION")
    role: Literal["old", "new"]
    percent: float = Field(description="of the requests without the header, now")
    requests: int
    errors: int = Field(description="answers with status 500 and above")
    error_rate: float | None = Field(description="errors per request, 0 to 1")
    latency: LatencyView


class CanaryStatus(BaseModel):
    state: CanaryState = Field(description="who gets the new version; testers are those with the header")
    shares: list[Share] = Field(description="of the requests without the header")
    drift: list[str] = Field(description="what somebody changed by hand since the last step")
    comparisons: list[ComparisonView] = Field(description="one for each old version that calls a function")
    versions: list[VersionView] = Field(description="the old ones, then the new one")
    counted_since: datetime | None = Field(description="null: since the workers were started")
    counted_note: str | None = Field(description="what is missing in the counts")


class CanaryView(Canary):
    status: CanaryStatus


class StepTaken(BaseModel):
    """What the step did."""

    summary: str
    changes: list[Change]


class CanaryStepped(CanaryView):
    step: StepTaken


class CanaryEnd(BaseModel):
    """What a step that ends a canary did (or would do)."""

    dry_run: bool
    route: str = Field(description="the route that the canary was on")
    summary: str
    changes: list[Change]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Shows canaries as they are in one transaction."""

    definitions: Definitions
    reader: Reader
    counts: Counts

    def show(self, canary: Canary) -> dict[str, Any]:
        status = describe_canary(self.definitions, canary)
        period = find_figures(canary, self.counts)
        told = {
            "state": status.state,
            "shares": [{"destination": dump(one), "percent": percent} for one, percent in status.shares],
            "drift": list(status.drift),
            "comparisons": [_show_comparison(one) for one in compare(self.reader, canary)],
            "versions": [_show_version(one, canary, status, period) for one in list_versions(canary)],
            "counted_since": period.since and period.since.isoformat().replace("+00:00", "Z"),
            "counted_note": period.note,
        }
        return show_short(canary) | {"status": told}


def show_short(canary: Canary) -> dict[str, Any]:
    """Without what only the figures need."""
    return dump(canary.model_copy(update={"baseline": None}))


def compare(reader: Reader, canary: Canary) -> list[Comparison]:
    """The old versions with the new one, as discovery knows them now."""
    old = [_find_pinned(reader, one, canary.name) or find_version(reader, one) for one in list_old(canary)]
    return compare_versions(old, find_version(reader, canary.destination))


def _find_pinned(reader: Reader, destination: Destination, route: str) -> Version | None:
    """What the callers of ``route`` rely on, where that is not what the function is now."""
    for pin in reader.pins_of(destination.upstream):
        if (pin.route, pin.function) == (route, destination.function):
            return Version(destination, pin.definition, {} if pin.document is None else pin.document.components)
    return None


def find_version(reader: Reader, destination: Destination) -> Version:
    if destination.function is None:
        return Version(destination)
    function = reader.find_function(destination.upstream, destination.function)
    if function is None:
        return Version(destination)
    document = find_document(reader.documents_of(destination.upstream), function.document_url)
    return Version(destination, function, {} if document is None else document.components)


def count(parts: Parts) -> Counts:
    """What the workers counted until now; waits for them half a second at most."""
    workers = parts.feed.stats_by_worker()
    rows: dict[str, Iterable[Any]] = {
        one.instance: [show_series(*item) for item in one.told.series.items()] for one in workers
    }
    alive = frozenset(one.instance for one in workers if one.alive)
    return Counts(parts.feed.instance, parts.feed.since, rows, alive, parts.feed.lost_workers())


def _show_version(destination: Destination, canary: Canary, status: Standing, period: Period) -> dict[str, Any]:
    name = name_version(destination)
    figures = asdict(period.versions[name])
    latency = {key: figures.pop(key) for key in LatencyView.model_fields}
    return {
        "name": name,
        "role": "new" if name == name_version(canary.destination) else "old",
        "percent": sum(share for one, share in status.shares if name_version(one) == name),
        **figures,
        "latency": latency,
    }


def _show_comparison(comparison: Comparison) -> dict[str, Any]:
    keys = DifferenceView.model_fields
    return {
        "old": comparison.old,
        "new": comparison.new,
        "severity": worst(comparison.differences),
        "differences": [{key: getattr(one, key) for key in keys} for one in comparison.differences],
    }
