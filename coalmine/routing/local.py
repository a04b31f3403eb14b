"""What is wrong with a route by itself, whatever else is defined: paths, patterns, substitutions, placeholders.

Rule 1: this file performs no I/O.
Rule 2: both doors ask it: ``check_route`` refuses what it finds, ``build_snapshot`` sets it aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coalmine.errors import Fault
from coalmine.model import Match, PathMatch, RegexRewrite, Route
from coalmine.routing.path import encode_foreign, normalize_definition, normalize_text
from coalmine.routing.patterns import check_substitution, compile_pattern
from coalmine.routing.template import parse_match_template


def find_local_faults(route: Route) -> list[Fault]:
    """Every fault, with pointers relative to the route. Code ``invalid_regex`` for patterns, else ``invalid_value``."""
    return [*_match_faults(route.match), *_rewrite_faults(route), *_redirect_faults(route)]


def _match_faults(match: Match) -> Iterator[Fault]:
    yield from _path_faults(match.path)
    for place, conditions in (("headers", match.headers), ("query", match.query)):
        for index, condition in enumerate(conditions):
            if condition.regex is not None:
                yield from pattern_faults(f"/match/{place}/{index}/regex", condition.regex)


def _path_faults(path: PathMatch) -> Iterator[Fault]:
    if path.regex is not None:
        yield from pattern_faults("/match/path/regex", path.regex)
    elif path.template is not None:
        yield from _judge("/match/path/template", parse_match_template, path.template)
    else:
        kind, text = ("exact", path.exact) if path.exact is not None else ("prefix", path.prefix or "")
        yield from written_path_faults(f"/match/path/{kind}", text)


def pattern_faults(pointer: str, text: str) -> Iterator[Fault]:
    yield from _judge(pointer, compile_pattern, text, code="invalid_regex")


def written_path_faults(pointer: str, text: str) -> Iterator[Fault]:
    """A path that nobody could send as it is written: dot segments are resolved before anything is matched."""
    try:
        normalized = normalize_definition(text)
        unresolved = normalize_text(encode_foreign(text))
    except ValueError as error:
        yield Fault(pointer, "invalid_value", f"{text!r}: {error}")
        return
    if normalized != unresolved:
        detail = f"{text!r} has dot segments; requests are matched without them"
        yield Fault(pointer, "invalid_value", detail, f"write {normalized}")


def _rewrite_faults(route: Route) -> Iterator[Fault]:
    rewrite = route.rewrite
    if rewrite is None:
        return
    if rewrite.prefix is not None:
        yield from written_path_faults("/rewrite/prefix", rewrite.prefix)
    if rewrite.regex is not None:
        yield from _regex_rewrite_faults(rewrite.regex)


def _regex_rewrite_faults(regex: RegexRewrite) -> Iterator[Fault]:
    faults = list(pattern_faults("/rewrite/regex/pattern", regex.pattern))
    yield from faults
    groups = 9 if faults else compile_pattern(regex.pattern).groups
    wrong = check_substitution(regex.substitution, groups)
    if wrong is not None:
        yield Fault("/rewrite/regex/substitution", "invalid_value", wrong)


def _redirect_faults(route: Route) -> Iterator[Fault]:
    redirect = route.redirect
    for key in ("path", "prefix"):
        text = getattr(redirect, key, None)
        if text is not None:
            yield from written_path_faults(f"/redirect/{key}", text)


def _judge(pointer: str, parse: Callable[[str], object], text: str, *, code: str = "invalid_value") -> Iterator[Fault]:
    try:
        parse(text)
    except ValueError as error:
        yield Fault(pointer, code, f"{text!r}: {error}")
