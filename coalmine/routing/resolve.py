"""Destinations with their functions found, or with the problem that they answer with.

Rule 1: this file performs no I/O and raises nothing: what is missing becomes a problem.
Rule 2: a function that left its document is called on by its last known definition, with a warning.
Rule 3: a function that changed in a way that breaks callers is called as it was (a pin), with a warning.
Rule 4: a problem stays with its destination; the route has it only where every destination that gets requests has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from coalmine.errors import Problem
from coalmine.model import Destination, Document, Function, Mirror
from coalmine.model.pin import Pin
from coalmine.routing.bundle import make_call_schemas
from coalmine.routing.known import Known
from coalmine.routing.plan import make_call_plan
from coalmine.routing.snapshot import CallPlan, CallSchemas, ServedDestination


class Resolver:
    """Finds upstreams and functions in ``known`` and collects problems of the definition called ``where``."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._plans: dict[tuple[str, str], CallPlan] = {}  # many routes call one function
        self._schemas: dict[tuple[str, str], tuple[CallSchemas, tuple[str, ...]]] = {}
        self.problems: list[Problem] = []

    def resolve(self, where: str, destination: Destination, *, validate: bool = False) -> ServedDestination:
        parameters = tuple((name, as_text(value)) for name, value in destination.parameters.items())
        served = self._find(where, destination.upstream, destination.function, validate=validate)
        if served.problem is not None:
            self.problems.append(Problem(served.problem, where, served.detail))
        return ServedDestination(
            destination.upstream, destination.weight, served.call, parameters, served.problem, served.detail
        )

    def resolve_mirror(self, where: str, mirror: Mirror | None) -> ServedDestination | None:
        """A mirror with a problem gets nothing; nobody but its owner misses it, so that is a warning."""
        if mirror is None:
            return None
        served = self._find(where, mirror.upstream, mirror.function)
        if served.problem is not None:
            self.problems.append(Problem(served.problem, where, f"mirror: {served.detail}", "warning"))
        return served

    def _find(self, where: str, upstream: str, name: str | None, *, validate: bool = False) -> ServedDestination:
        if upstream not in self._known.upstreams:
            detail = f"the upstream {upstream} does not exist"
            return ServedDestination(upstream, problem="upstream_missing", detail=detail)
        if name is None:
            return ServedDestination(upstream)
        function = self._known.find_function(upstream, name)
        if function is None:
            detail = _why_unknown(upstream, name, pending=upstream in self._known.pending)
            return ServedDestination(upstream, problem="function_unknown", detail=detail)
        if function.state == "removed":
            self._warn_removed(where, function)
        pin = self._known.find_pin(where, upstream, name)
        if pin is not None:
            self._warn_changed(where, pin)
        plan = self._plan(function) if pin is None else make_call_plan(pin.definition)
        return ServedDestination(upstream, call=self._with_schemas(where, plan, function, pin) if validate else plan)

    def _plan(self, function: Function) -> CallPlan:
        key = (function.upstream, function.name)
        if key not in self._plans:
            self._plans[key] = make_call_plan(function)
        return self._plans[key]

    def _with_schemas(self, where: str, plan: CallPlan, function: Function, pin: Pin | None) -> CallPlan:
        """The plan with what calls are checked against; schemas that cannot be used are left out, with a warning."""
        if pin is not None:
            schemas, unusable = _make_schemas(pin.definition, pin.document)
        else:
            key = (function.upstream, function.name)
            if key not in self._schemas:
                self._schemas[key] = _make_schemas(function, self._known.find_document(function))
            schemas, unusable = self._schemas[key]
        for detail in unusable:
            self.problems.append(Problem("schema_unusable", where, f"function {function.name}, {detail}", "warning"))
        return replace(plan, schemas=schemas)

    def _warn_removed(self, where: str, function: Function) -> None:
        detail = (
            f"the function {function.name} left the document of {function.upstream};"
            " it is called by its last known definition"
        )
        self.problems.append(Problem("function_removed", where, detail, "warning"))

    def _warn_changed(self, where: str, pin: Pin) -> None:
        detail = (
            f"the function {pin.function} of {pin.upstream} changed in a way that breaks callers:"
            f" {'; '.join(pin.reasons)}. The route goes on with what it had; write it again to take the new definition"
        )
        self.problems.append(Problem("function_changed", where, detail, "warning"))


def _make_schemas(function: Function, document: Document | None) -> tuple[CallSchemas, tuple[str, ...]]:
    # Only here and in ``call``: whoever has no route that validates never loads the validator.
    from coalmine.routing.validation import keep_usable

    return keep_usable(make_call_schemas(function, document))


def common_problem(destinations: Iterable[ServedDestination]) -> tuple[str | None, str]:
    """The problem and detail of a route whose every destination with a share has one; else None."""
    used = [destination for destination in destinations if destination.weight]
    if used and all(destination.problem is not None for destination in used):
        return used[0].problem, used[0].detail
    return None, ""


def as_text(value: str | int | float | bool) -> str:
    """A literal as it is sent: ``true``, not ``True``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _why_unknown(upstream: str, name: str, *, pending: bool) -> str:
    if pending:
        return f"the document of {upstream} was never read, so nobody knows its function {name} yet"
    return f"the upstream {upstream} has no function {name}"
