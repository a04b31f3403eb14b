"""The report of a probe: what people see when they ask why there are no functions. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from coalmine.errors import Problem
from coalmine.model import Attempt, DiscoveryState, Document, ProbeReport
from discovery.naming import Named
from discovery.search import Taken

# A report is for reading; thousands of namesakes are one piece of news.
_MAX_PROBLEMS = 300

_UNREACHABLE = frozenset({"unreachable", "tls_failed", "address_refused", "too_slow"})


def state_of_failure(attempts: Sequence[Attempt], *, has_functions: bool) -> DiscoveryState:
    """The state when no document was read."""
    if has_functions:
        return "stale"
    if all(attempt.outcome in _UNREACHABLE for attempt in attempts):
        return "unreachable"
    return "not_found"


def describe_failure(attempts: Sequence[Attempt]) -> str:
    """One sentence: the attempt that came nearest says most."""
    told = [attempt for attempt in attempts if attempt.outcome not in ("not_found", "html", "followed")]
    if told:
        return f"{told[0].url}: {told[0].detail}"
    return f"none of the {len(attempts)} URLs that were tried gave an API document"


def problems_of(
    upstream: str, taken: Iterable[Taken], named: Iterable[Named], documents: Iterable[Document]
) -> tuple[Problem, ...]:
    """What the documents' readers found, the functions that could not have the name they wanted, and the advice."""
    found = [
        Problem(problem.code, f"upstreams/{upstream}{problem.where}", problem.detail, problem.severity)
        for document in taken
        for problem in document.reading.problems
    ]
    renamed = [
        Problem(
            "function_renamed",
            f"functions/{upstream}/{each.name}",
            f"{each.found.method} {each.found.path} shares the name {each.wanted!r} with another operation",
            "warning",
        )
        for each in named
        if each.name != each.wanted
    ]
    return bound_problems(upstream, [*found, *renamed, *problems_of_findings(upstream, documents)])


def problems_of_findings(upstream: str, documents: Iterable[Document]) -> list[Problem]:
    return [
        Problem("document_invalid", f"upstreams/{upstream}#{finding.pointer}"[:500], finding.detail, "warning")
        for document in documents
        for finding in document.findings or ()
    ]


def bound_problems(upstream: str, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, and no more than anybody reads."""
    listed = list(dict.fromkeys(problems))
    if len(listed) <= _MAX_PROBLEMS:
        return tuple(listed)
    left_out = f"and {len(listed) - _MAX_PROBLEMS} more problems"
    return (*listed[:_MAX_PROBLEMS], Problem("document_invalid", f"upstreams/{upstream}", left_out, "warning"))


def same_news(one: ProbeReport | None, other: ProbeReport) -> bool:
    """Whether ``other`` tells nothing that ``one`` did not: times apart, they are equal."""
    return one is not None and _timeless(one) == _timeless(other)


def _timeless(report: ProbeReport) -> ProbeReport:
    never = datetime.min
    attempts = tuple(attempt.model_copy(update={"seconds": 0.0}) for attempt in report.attempts)
    return report.model_copy(
        update={"started_at": never, "seconds": 0.0, "last_success_at": None, "attempts": attempts}
    )
