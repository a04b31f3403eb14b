"""What can change in a schema, and how bad that is where values are sent and where they come back. No I/O.

One row per kind. The severity follows from the effect (see the package); a row that departs from it says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["breaking", "warning", "info"]
Effect = Literal["narrows", "widens", "changes"]
# A parameter and a body are sent, a response comes back.
Scope = Literal["parameter", "request", "response"]

_BY_EFFECT: dict[tuple[Effect, bool], tuple[Severity, str]] = {
    ("narrows", True): ("breaking", "What callers send today may be refused."),
    ("narrows", False): ("info", "What comes back was possible before."),
    ("widens", True): ("info", "What callers send today is still taken."),
    ("widens", False): ("breaking", "Callers may get what they were never told of."),
    ("changes", True): ("breaking", "What callers send today may be refused."),
    ("changes", False): ("breaking", "Callers may get what they were never told of."),
}


@dataclass(frozen=True, slots=True)
class Aspect:
    """``sent`` and ``returned`` replace the severity of the theory; ``because`` tells why."""

    kind: str
    effect: Effect
    title: str
    sent: Severity | None = None
    returned: Severity | None = None
    parameter: Severity | None = None
    because: str = ""

    def severity(self, scope: Scope) -> Severity:
        own = {"parameter": self.parameter or self.sent, "request": self.sent, "response": self.returned}[scope]
        return own or _BY_EFFECT[self.effect, scope != "response"][0]

    def reason(self, scope: Scope) -> str:
        severity, reason = _BY_EFFECT[self.effect, scope != "response"]
        return reason if self.severity(scope) == severity else self.because

    def rule(self, scope: Scope) -> str:
        """The id of the rule, after the manner of oasdiff: ``request-property-enum-value-removed``."""
        prefix: str = "request-parameter" if scope == "parameter" else scope
        if "property" not in self.kind and scope != "parameter":
            prefix += "-property"
        return f"{prefix}-{self.kind}"


_UPPER = {
    "max": "The largest number",
    "max-length": "The longest text",
    "max-items": "The longest list",
    "max-properties": "The largest number of properties",
}
_LOWER = {
    "min": "The smallest number",
    "min-length": "The shortest text",
    "min-items": "The shortest list",
    "min-properties": "The smallest number of properties",
}
_ADVICE = "Many services take a format as advice only (JSON Schema 2020-12 Validation, section 7.2.1)."
_TOLERANT = "Clients that follow common practice skip properties they do not know."
_CONDITION = "Whether the new condition takes more or less cannot be computed."


def _limits() -> list[Aspect]:
    upper = [
        Aspect(f"{name}-{way}", effect, f"{title} {way}")
        for name, title in _UPPER.items()
        for way, effect in _ways("narrows", "widens")
    ]
    lower = [
        Aspect(f"{name}-{way}", effect, f"{title} {way}")
        for name, title in _LOWER.items()
        for way, effect in _ways("widens", "narrows")
    ]
    return upper + lower


def _ways(decreased: Effect, increased: Effect) -> tuple[tuple[str, Effect], ...]:
    return ("decreased", decreased), ("increased", increased)


_TABLE: tuple[Aspect, ...] = (
    Aspect("type-specialized", "narrows", "The type was narrowed"),
    Aspect("type-generalized", "widens", "The type was widened"),
    Aspect("type-changed", "changes", "The type is another one"),
    Aspect("format-specialized", "narrows", "A format was asked for", sent="warning", because=_ADVICE),
    Aspect("format-generalized", "widens", "A format was given up", returned="warning", because=_ADVICE),
    Aspect("format-changed", "changes", "The format is another one"),
    Aspect("became-nullable", "widens", "null became possible"),
    Aspect("became-not-nullable", "narrows", "null is not possible any more"),
    Aspect("became-enum", "narrows", "The values are listed now"),
    Aspect("no-longer-enum", "widens", "The values are not listed any more"),
    Aspect("enum-value-removed", "narrows", "Listed values were removed"),
    Aspect(
        "enum-value-added",
        "widens",
        "Listed values were added",
        returned="warning",
        because="Lists of values are expected to grow; only clients that know each value alone fail.",
    ),
    *_limits(),
    Aspect("pattern-added", "narrows", "A pattern was asked for"),
    Aspect(
        "pattern-removed",
        "widens",
        "A pattern was given up",
        returned="info",
        because="Clients hardly ever check what comes back against a pattern.",
    ),
    Aspect(
        "pattern-changed",
        "changes",
        "The pattern is another one",
        sent="warning",
        returned="info",
        because="Which of two patterns takes more is not computed.",
    ),
    Aspect("multiple-of-tightened", "narrows", "Numbers must be multiples of more"),
    Aspect("multiple-of-loosened", "widens", "Numbers may be multiples of less"),
    Aspect("multiple-of-changed", "changes", "Numbers must be multiples of something else"),
    Aspect("unique-items-set", "narrows", "Items must differ now"),
    Aspect("unique-items-unset", "widens", "Items may repeat now"),
    Aspect("required-property-added", "narrows", "A required property was added"),
    Aspect(
        "required-property-removed",
        "widens",
        "A required property was removed",
        sent="warning",
        because="Callers still send it, and it has no effect any more.",
    ),
    Aspect("optional-property-added", "widens", "An optional property was added", returned="info", because=_TOLERANT),
    Aspect(
        "optional-property-removed",
        "narrows",
        "An optional property was removed",
        sent="warning",
        returned="warning",
        because="Who sends it sends it in vain; who reads it had to do without it before, but may rely on it.",
    ),
    Aspect("property-became-required", "narrows", "A property became required"),
    Aspect("property-became-optional", "widens", "A property became optional"),
    Aspect("property-forbidden", "narrows", "A property was removed from an object that takes no others"),
    Aspect(
        "property-permitted",
        "widens",
        "A property was added to an object that took no others",
        returned="info",
        because=_TOLERANT,
    ),
    Aspect("additional-properties-forbidden", "narrows", "Properties that are not listed became forbidden"),
    Aspect(
        "additional-properties-allowed",
        "widens",
        "Properties that are not listed became possible",
        returned="info",
        because=_TOLERANT,
    ),
    Aspect("variant-removed", "narrows", "An alternative was removed"),
    Aspect("variant-added", "widens", "An alternative was added"),
    Aspect("union-added", "narrows", "One of some alternatives must hold now"),
    Aspect("union-removed", "widens", "No alternative need hold any more"),
    Aspect(
        "default-changed",
        "changes",
        "The default is another one",
        sent="info",
        returned="info",
        parameter="warning",
        because="Nothing becomes valid or invalid, but who leaves the value out gets something else.",
    ),
    Aspect(
        "discriminator-changed",
        "changes",
        "The property that tells alternatives apart is another one",
        sent="info",
        returned="info",
        because="It helps tools only; what is valid is told by the alternatives.",
    ),
    Aspect(
        "condition-changed",
        "changes",
        "Another condition on the value was added, removed or changed",
        sent="warning",
        returned="warning",
        because=_CONDITION,
    ),
)

ASPECTS: dict[str, Aspect] = {aspect.kind: aspect for aspect in _TABLE}
