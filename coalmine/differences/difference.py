"""A difference, and the list that they are collected in. This file performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coalmine.differences.aspects import Severity
from coalmine.differences.budget import MAX_DIFFERENCES, OverrunError
from coalmine.differences.rules import RULES

_ORDER: tuple[Severity, ...] = ("breaking", "warning", "info")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed. ``rule`` is a key of ``RULES``; ``function`` the name it had before, if it was there.

    ``where`` has the form of a JSON pointer (RFC 6901) into the function: ``/parameters/query/limit/schema/enum``.
    """

    rule: str
    severity: Severity
    where: str
    detail: str
    function: str


def worst(differences: Iterable[Difference]) -> Severity | None:
    """The severity that counts; None where nothing changed."""
    found = {difference.severity for difference in differences}
    return next((severity for severity in _ORDER if severity in found), None)


class Report:
    """Collects what is found about one function, and what could not be looked at."""

    def __init__(self, function: str, *, across: bool = False) -> None:
        self._function = function
        self._across = across
        self._found: list[Difference] = []
        self._gap: Difference | None = None

    def add(self, rule: str, where: str, detail: str) -> None:
        """Raises ``OverrunError`` when there are more than anybody reads."""
        if len(self._found) >= MAX_DIFFERENCES:
            raise OverrunError(f"there are more than {MAX_DIFFERENCES} differences")
        self._found.append(self._make(rule, where, detail))

    def leave_out(self, where: str, why: str) -> None:
        """Something was not compared. The first time is told, once is enough."""
        if self._gap is None:
            self._gap = self._make("comparison-incomplete", where, f"not everything was compared: {why}")

    def finish(self) -> tuple[Difference, ...]:
        """The worst first, then by place."""
        self._found.sort(key=lambda one: (_ORDER.index(one.severity), one.where, one.rule))
        return (*self._found, *([self._gap] if self._gap else ()))

    def _make(self, rule: str, where: str, detail: str) -> Difference:
        return Difference(rule, RULES[rule].severity_for(self._across), where, detail, self._function)
