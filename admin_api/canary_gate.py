"""The contract gate of canaries: whether callers of the old version would notice that another one answers.

Rule 1: this file performs no I/O: versions come in as they stand in the catalog.
Rule 2: functions are compared with functions. A destination without one is passed on as it is, and nobody knows what
    its callers rely on: there is no gate.
Rule 3: a new version that nobody could call (its function is gone, or not known) breaks everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from admin_api.problems import BreakingChangeError
from coalmine.differences import Difference, compare_across
from coalmine.errors import Fault
from coalmine.model import Canary, Destination, Function
from coalmine.routing.canary_status import name_version

_HINT = "--accept-breaking (?accept_breaking=true) goes on all the same"


@dataclass(frozen=True, slots=True)
class Version:
    """A destination, what the catalog knows of its function, and the components that the function refers to."""

    destination: Destination
    function: Function | None = None
    components: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return name_version(self.destination)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What somebody notices who called ``old`` and gets ``new``, the worst first. Both are names of versions."""

    old: str
    new: str
    differences: tuple[Difference, ...]


def list_old(canary: Canary) -> list[Destination]:
    """The destinations that the new version takes requests from, each version once."""
    return list({name_version(one): one for one in canary.before.destinations if one.weight}.values())


def compare_versions(old: Iterable[Version], new: Version) -> list[Comparison]:
    return [Comparison(one.name, new.name, _compare(one, new)) for one in old if _calls_functions(one, new)]


def refuse_breaking(comparisons: Sequence[Comparison]) -> None:
    """Raises BreakingChangeError with every breaking difference."""
    faults = [_tell(one, comparison, comparisons) for comparison in comparisons for one in _breaking(comparison)]
    if faults:
        count = "a breaking difference" if len(faults) == 1 else f"{len(faults)} breaking differences"
        names = " and ".join(comparison.old for comparison in comparisons if _breaking(comparison))
        detail = f"{comparisons[0].new} has {count} to {names}: callers may fail"
        raise BreakingChangeError(detail, faults, hint=_HINT)


def _calls_functions(old: Version, new: Version) -> bool:
    return old.destination.function is not None and new.destination.function is not None


def _compare(old: Version, new: Version) -> tuple[Difference, ...]:
    if new.function is None or new.function.state == "removed":
        why = "is not known" if new.function is None else "left the document of its upstream"
        name = old.destination.function or ""
        return (Difference("function-removed", "breaking", "", f"the function {new.name} {why}", name),)
    if old.function is None:
        return ()
    return compare_across(old.function, new.function, old_components=old.components, new_components=new.components)


def _breaking(comparison: Comparison) -> list[Difference]:
    return [one for one in comparison.differences if one.severity == "breaking"]


def _tell(difference: Difference, comparison: Comparison, comparisons: Sequence[Comparison]) -> Fault:
    """With the name of the old version where there are several."""
    of = f"{comparison.old}: " if len(comparisons) > 1 else ""
    return Fault(difference.where, difference.rule, of + difference.detail, _HINT)
