"""Errors as a person reads them: what, where, how to mend it. Goes to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from coalmine.cli.text import clean
from coalmine.errors import CoalmineError, DefinitionError, Fault

# What the admin API says of its own addresses, in the words of this command line.
_HINTS = {
    "in_use": "delete them first, or add --force: they keep their place and answer with a problem",
    "already_exists": "choose another name, or change it: coalmine edit, or coalmine apply -f FILE",
    "precondition_failed": "somebody else changed it meanwhile; look at it, and repeat the command",
}
_LISTED = 5  # users of an object that the admin API names in its detail


class ApiError(CoalmineError):
    """The admin API refused. ``faults`` are its ``errors``; ``status`` is its HTTP status."""

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        detail = problem.get("detail") or problem.get("title") or f"the admin API answered {status}"
        code = str(problem.get("code") or "internal_error")
        self.used_by = tuple(str(name) for name in problem.get("used_by") or ())
        super().__init__(str(detail), code=code, hint=self._find_hint(code, problem.get("hint")))
        self.problem = problem
        self.status = status
        self.faults = tuple(_fault(entry) for entry in problem.get("errors") or () if isinstance(entry, Mapping))

    def _find_hint(self, code: str, hint: Any) -> Any:
        canaries = [name.removeprefix("canaries/") for name in self.used_by if name.startswith("canaries/")]
        if canaries and len(canaries) == len(self.used_by):
            return (
                f"first coalmine canary promote {canaries[0]}, or coalmine canary abort {canaries[0]}; or add --force"
            )
        return _HINTS.get(code, hint)


class UnreachableError(CoalmineError):
    """Nobody answers at the admin API's address."""

    code = "upstream_unreachable"


def _fault(entry: Mapping[str, Any]) -> Fault:
    hint, related = entry.get("hint"), entry.get("related")
    return Fault(
        str(entry.get("pointer", "")),
        str(entry.get("code", "")),
        str(entry.get("detail", "")),
        str(hint) if hint else None,
        str(related) if related else None,
    )


def complain(error: CoalmineError) -> None:
    for line in describe(error):
        sys.stderr.write(line + "\n")


def describe(error: CoalmineError) -> Iterator[str]:
    """The lines that tell ``error``."""
    faults = error.faults if isinstance(error, ApiError | DefinitionError) else ()
    # Of a single fault the error says the same: it is told once, with its place.
    alone = len(faults) == 1 and faults[0].detail == error.detail and not faults[0].related
    where = f"{clean(faults[0].pointer)}: " if alone and faults[0].pointer else ""
    yield f"error: {where}{clean(error.detail)}  [{clean(error.code)}]"
    if alone:
        faults = ()
    # What mends them all is said once, at the end.
    shared = {fault.hint for fault in faults} if len(faults) > 1 else set()
    for fault in faults:
        where = clean(fault.pointer) or "(the whole)"
        rule = f"  [{clean(fault.code)}]" if error.code == "breaking_change" else ""
        yield f"  {where}: {clean(fault.detail)}{rule}"
        if fault.related:
            yield f"      the other: {clean(fault.related)}"
        if fault.hint and shared != {error.hint}:
            yield f"      {clean(fault.hint)}"
    if isinstance(error, ApiError) and len(error.used_by) > _LISTED:
        yield f"  used by: {', '.join(clean(name) for name in error.used_by)}"
    if error.hint and (shared == {error.hint} or error.hint not in {fault.hint for fault in faults}):
        yield f"  {clean(error.hint)}"
