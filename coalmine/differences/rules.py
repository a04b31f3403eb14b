"""All rules: stable ids, how bad a difference is, and why. Data; docs/differences.md documents each row. No I/O.

An id never changes its meaning; what is not found any more leaves the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from coalmine.differences.aspects import ASPECTS, Aspect, Scope, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """``across``: the severity where the gateway sends calls to another function instead, if it is another one."""

    id: str
    severity: Severity
    title: str
    reason: str
    across: Severity | None = None

    def severity_for(self, across: bool) -> Severity:
        return self.across if across and self.across is not None else self.severity


_TRANSLATED = "The gateway writes calls anew, so only direct callers notice."
_DEFAULTED = "Direct callers must send it; the gateway sends the default of the document."

# What the rules about schemas do not say: the function itself, its parameters, its bodies.
_TABLE: tuple[Rule, ...] = (
    Rule("function-added", "info", "The function is new", "Nobody can miss it."),
    Rule("function-removed", "breaking", "The function is gone", "Calls of it fail."),
    Rule(
        "function-renamed",
        "warning",
        "The function has another name",
        "Calls go on, but routes and clients that know the name look for it in vain.",
        "info",
    ),
    Rule("function-deprecated", "info", "The function is deprecated now", "It still works."),
    Rule("function-reactivated", "info", "The function is not deprecated any more", "It goes on working."),
    Rule("operation-id-changed", "info", "The operation id is another one", "Only generated clients show it."),
    Rule("method-changed", "breaking", "The method is another one", _TRANSLATED, "info"),
    Rule("path-changed", "breaking", "The path is another one", _TRANSLATED, "info"),
    Rule(
        "path-parameter-renamed",
        "warning",
        "A parameter of the path has another name",
        "Direct callers do not notice; routes that give the value by its name do.",
        "breaking",
    ),
    Rule("new-request-path-parameter", "breaking", "A parameter was added to the path", "Calls do not give it."),
    Rule("new-required-request-parameter", "breaking", "A required parameter was added", "Calls do not give it."),
    Rule(
        "new-required-request-default-parameter",
        "breaking",
        "A required parameter with a default was added",
        _DEFAULTED,
        "info",
    ),
    Rule("new-optional-request-parameter", "info", "An optional parameter was added", "It can be left out."),
    Rule(
        "request-parameter-removed",
        "warning",
        "A parameter was removed",
        "Calls that give it may be refused, and what it asked for is not done any more.",
    ),
    Rule("request-parameter-became-required", "breaking", "A parameter became required", "Some calls do not give it."),
    Rule(
        "request-parameter-became-required-with-default",
        "breaking",
        "A parameter with a default became required",
        _DEFAULTED,
        "info",
    ),
    Rule("request-parameter-became-optional", "info", "A parameter became optional", "It can still be given."),
    Rule("request-parameter-deprecated", "info", "A parameter is deprecated now", "It still works."),
    Rule("request-parameter-reactivated", "info", "A parameter is not deprecated any more", "It goes on working."),
    Rule("request-parameter-place-changed", "breaking", "A parameter moved to another place", _TRANSLATED, "info"),
    Rule("request-parameter-style-changed", "breaking", "A parameter is written in another way", _TRANSLATED, "info"),
    Rule(
        "request-parameter-media-type-changed",
        "breaking",
        "A parameter is a document of another content type",
        "The text that callers send is read in another way; the gateway does not convert it.",
    ),
    Rule("added-required-request-body", "breaking", "A required body was added", "Calls do not have one."),
    Rule("added-optional-request-body", "info", "An optional body was added", "It can be left out."),
    Rule("request-body-removed", "breaking", "The body was removed", "What callers send in it is not used any more."),
    Rule("request-body-became-required", "breaking", "The body became required", "Some calls do not have one."),
    Rule("request-body-became-optional", "info", "The body became optional", "It can still be sent."),
    Rule("request-body-media-type-removed", "breaking", "A content type is not taken any more", "Calls may use it."),
    Rule("request-body-media-type-added", "info", "Another content type is taken", "It need not be used."),
    Rule(
        "response-success-status-removed",
        "breaking",
        "A status of success is not answered any more",
        "Callers wait for what does not come.",
    ),
    Rule("response-success-status-added", "info", "Another status of success", "Callers know the class (RFC 9110)."),
    Rule("response-non-success-status-removed", "info", "A status of failure is gone", "Nobody waits for failures."),
    Rule("response-non-success-status-added", "info", "Another status of failure", "Callers know the class."),
    Rule(
        "response-media-type-removed",
        "breaking",
        "A content type is not answered any more",
        "Callers that accept it alone get nothing they can read.",
    ),
    Rule("response-media-type-added", "info", "Another content type is answered", "Callers get what they accept."),
    Rule(
        "comparison-incomplete",
        "info",
        "Not everything could be compared",
        "The documents are too large or too deep here, or refer to what is not known. Differences may be missing.",
    ),
)

SCOPES: tuple[Scope, ...] = ("parameter", "request", "response")


def _schema_rule(aspect: Aspect, scope: Scope) -> Rule:
    return Rule(aspect.rule(scope), aspect.severity(scope), aspect.title, aspect.reason(scope))


RULES: dict[str, Rule] = {rule.id: rule for rule in _TABLE} | {
    rule.id: rule for scope in SCOPES for rule in (_schema_rule(aspect, scope) for aspect in ASPECTS.values())
}
