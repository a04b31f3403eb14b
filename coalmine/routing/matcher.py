"""A route's match, compiled: the path in one of four kinds, and the conditions.

Rule 1: this file performs no I/O.
Rule 2: every kind compares the normalised, still encoded path without the query (``coalmine.routing.path``); the text
    of a definition is normalised in the same way first.
Rule 3: a prefix is whole segments: ``/pets`` takes ``/pets`` and ``/pets/7``, not ``/petshop``. A slash at its end
    means nothing: ``/pets/`` is ``/pets``. Exact paths, templates and patterns do mind a slash at the end.
Rule 4: a path that cannot be compiled matches nothing. Nobody can say which requests it meant, and taking all of them
    would sink good routes; its problem is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from coalmine.model import Match, PathMatch
from coalmine.routing.conditions import Condition, Facts, compile_conditions, compile_methods
from coalmine.routing.decision import RequestHead
from coalmine.routing.path import normalize_definition
from coalmine.routing.patterns import Pattern, compile_pattern
from coalmine.routing.template import Template, parse_match_template

Binding = tuple[dict[str, str], str]  # captures, and the rest behind a prefix


class CompiledPath(Protocol):
    """``bind`` tells what a path that is known to match captures."""

    @property
    def text(self) -> str: ...

    def holds(self, path: str) -> bool: ...

    def bind(self, path: str) -> Binding: ...


@dataclass(frozen=True, slots=True)
class ExactPath:
    path: str

    @property
    def text(self) -> str:
        return f"path is {self.path}"

    def holds(self, path: str) -> bool:
        return path == self.path

    def bind(self, path: str) -> Binding:
        return {}, ""


@dataclass(frozen=True, slots=True)
class PrefixPath:
    """``prefix`` has no slash at its end, so the one that takes everything is empty."""

    prefix: str

    @property
    def text(self) -> str:
        return f"path starts with {self.prefix or '/'}"

    @property
    def segments(self) -> list[str]:
        return self.prefix.split("/")[1:]

    def holds(self, path: str) -> bool:
        end = len(self.prefix)
        return path.startswith(self.prefix) and (len(path) == end or path[end] == "/")

    def bind(self, path: str) -> Binding:
        return {}, path[len(self.prefix) :]


@dataclass(frozen=True, slots=True)
class TemplatePath:
    template: Template

    @property
    def text(self) -> str:
        return f"path fits {self.template.text}"

    def holds(self, path: str) -> bool:
        return self.template.match(path) is not None

    def bind(self, path: str) -> Binding:
        return self.template.bind(path), ""


@dataclass(frozen=True, slots=True)
class RegexPath:
    pattern: Pattern

    @property
    def text(self) -> str:
        return f"path matches {self.pattern.text}"

    def holds(self, path: str) -> bool:
        return self.pattern.matches(path.encode())

    def bind(self, path: str) -> Binding:
        return (self.pattern.captures(path.encode()) if self.pattern.names else {}), ""


@dataclass(frozen=True, slots=True)
class NoPath:
    """A path that cannot be compiled, see rule 4."""

    text: str

    def holds(self, path: str) -> bool:
        return False

    def bind(self, path: str) -> Binding:
        return {}, ""


def compile_path(path: PathMatch) -> ExactPath | PrefixPath | TemplatePath | RegexPath:
    """Raises ValueError with the reason."""
    if path.exact is not None:
        return ExactPath(normalize_definition(path.exact))
    if path.prefix is not None:
        return PrefixPath(normalize_definition(path.prefix).removesuffix("/"))
    if path.template is not None:
        return TemplatePath(parse_match_template(path.template))
    return RegexPath(compile_pattern(path.regex or ""))


AnyPath = ExactPath | PrefixPath | TemplatePath | RegexPath | NoPath


@dataclass(frozen=True, slots=True)
class CompiledMatch:
    """``methods`` None takes all of them."""

    path: AnyPath
    methods: frozenset[str] | None
    conditions: tuple[Condition, ...]

    def refusal(self, head: RequestHead) -> str | None:
        """The first thing that ``head`` lacks, such as ``header x-canary is 'true'``; None where it matches."""
        if not self.path.holds(head.path):
            return self.path.text
        if self.methods is not None and head.method not in self.methods:
            return f"method is {' or '.join(sorted(self.methods))}"
        facts = Facts(head)
        return next((condition.text for condition in self.conditions if not condition.holds(facts)), None)


def compile_match(match: Match) -> CompiledMatch:
    """Never raises, see rule 4 here and rule 7 of ``coalmine.routing.conditions``."""
    path: AnyPath
    try:
        path = compile_path(match.path)
    except ValueError as error:
        path = NoPath(f"path cannot be read: {error}")
    return CompiledMatch(path, compile_methods(match.methods), compile_conditions(match))
