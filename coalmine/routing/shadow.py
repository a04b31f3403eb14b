"""Routes that can never match, because an earlier one takes every request that they would take.

Rule 1: this file performs no I/O.
Rule 2: sound, not complete: whoever is named is shadowed, but several earlier routes that only together take
    everything, and patterns that include one another, are not seen.
Rule 3: cheap for ten thousand routes: earlier routes are looked up by path and by the set of their conditions (all of
    which a later route must have too), never compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from coalmine.model import Match, Route, ValueMatch
from coalmine.routing.conditions import parse_network
from coalmine.routing.matcher import AnyPath, ExactPath, NoPath, PrefixPath, RegexPath, TemplatePath, compile_match
from coalmine.routing.template import Name, Segment, Template, capture_segment

Wish = tuple[str, str, str, str | bool, bool]  # place, name, kind, value, invert
Wishes = frozenset[Wish]

# Beyond these a route is only compared with what is cheap: 2^8 sets of conditions, 64 routes that differ in methods
# and networks alone, 64 patterns.
_MAX_WISHES = 8
_MAX_COMPARED = 64


def find_shadowed(ordered: Iterable[Route]) -> dict[str, str]:
    """The names of shadowed routes among ``ordered`` (effective order), each with an earlier route that takes all."""
    return compare_claims(map(make_claim, ordered))


@dataclass(frozen=True, slots=True)
class Claim:
    """Which requests a route takes, as far as it can be compared. ``implied``: sets of wishes that it is within."""

    name: str
    path: AnyPath
    methods: frozenset[str] | None
    cidrs: tuple[str, ...]
    wishes: Wishes
    implied: tuple[Wishes, ...]

    def covers(self, other: Claim) -> bool:
        """Paths and wishes left aside."""
        if self.methods is not None and (other.methods is None or not other.methods <= self.methods):
            return False
        return not self.cidrs or (bool(other.cidrs) and all(_inside_any(cidr, self.cidrs) for cidr in other.cidrs))


def make_claim(route: Route) -> Claim:
    match = route.match
    compiled = compile_match(match)
    wishes = frozenset(_wishes(match))
    implied = tuple(_subsets(match)) if wishes else _NO_WISHES
    return Claim(route.name, compiled.path, compiled.methods, match.source_cidrs, wishes, implied)


def compare_claims(ordered: Iterable[Claim]) -> dict[str, str]:
    """``find_shadowed`` for those who keep the claims."""
    index = _Index()
    found: dict[str, str] = {}
    for claim in ordered:
        if isinstance(claim.path, NoPath):
            continue
        earlier = index.find_cover(claim)
        if earlier is not None:
            found[claim.name] = earlier
        index.add(claim)
    return found


_NO_WISHES: tuple[Wishes, ...] = (frozenset(),)
Group = dict[Wishes, list[Claim]]


@dataclass(slots=True)
class _Node:
    """A segment of templates: ``names`` take any text that is not empty."""

    children: dict[str, _Node] = field(default_factory=dict)
    partials: dict[Segment, _Node] = field(default_factory=dict)
    anything: _Node | None = None
    group: Group = field(default_factory=dict)


class _Index:
    """The routes that came so far, by path."""

    def __init__(self) -> None:
        self._exact: dict[str, Group] = {}
        self._prefixes: dict[tuple[str, ...], Group] = {}
        self._patterns: dict[str, tuple[RegexPath, Group]] = {}
        self._templates = _Node()

    def add(self, claim: Claim) -> None:
        same = self._group_of(claim.path).setdefault(claim.wishes, [])
        if len(same) < _MAX_COMPARED:
            same.append(claim)

    def find_cover(self, claim: Claim) -> str | None:
        """An earlier route that takes every request of a later one."""
        for group in self._covering(claim.path):
            for wishes in claim.implied:
                for earlier in group.get(wishes, ()):
                    if earlier.covers(claim):
                        return earlier.name
        return None

    def _group_of(self, path: AnyPath) -> Group:
        if isinstance(path, ExactPath):
            return self._exact.setdefault(path.path, {})
        if isinstance(path, PrefixPath):
            return self._prefixes.setdefault(tuple(path.segments), {})
        if isinstance(path, RegexPath):
            return self._patterns.setdefault(path.pattern.text, (path, {}))[1]
        assert isinstance(path, TemplatePath)
        node = self._templates
        for segment in path.template.segments:
            node = _child(node, segment)
        return node.group

    def _covering(self, path: AnyPath) -> Iterator[Group]:
        """The groups of all earlier paths that take every path of ``path``."""
        if isinstance(path, ExactPath):
            yield from self._covering_exact(path.path)
        elif isinstance(path, TemplatePath):
            yield from _walk(self._templates, path.template.segments)
            yield from self._prefixes_of(_literal_start(path.template))
        elif isinstance(path, RegexPath):
            if path.pattern.text in self._patterns:
                yield self._patterns[path.pattern.text][1]
            yield from self._prefixes_of([])  # every path begins with a slash
        else:
            assert isinstance(path, PrefixPath)
            yield from self._prefixes_of(path.segments)

    def _covering_exact(self, path: str) -> Iterator[Group]:
        if path in self._exact:
            yield self._exact[path]
        segments = path.split("/")[1:]
        yield from _walk(self._templates, [(segment,) for segment in segments])
        for pattern, group in list(self._patterns.values())[:_MAX_COMPARED]:
            if pattern.holds(path):
                yield group
        yield from self._prefixes_of(segments)

    def _prefixes_of(self, segments: Sequence[str]) -> Iterator[Group]:
        for length in range(len(segments), -1, -1):
            group = self._prefixes.get(tuple(segments[:length]))
            if group is not None:
                yield group


def _child(node: _Node, segment: Segment) -> _Node:
    if len(segment) > 1:
        return node.partials.setdefault(_anonymous(segment), _Node())
    if isinstance(segment[0], str):
        return node.children.setdefault(segment[0], _Node())
    if node.anything is None:
        node.anything = _Node()
    return node.anything


def _walk(node: _Node, segments: Sequence[Segment]) -> Iterator[Group]:
    """The groups of templates that take whatever ``segments`` take."""
    if not segments:
        yield node.group
        return
    segment, rest = segments[0], segments[1:]
    text = segment[0] if len(segment) == 1 and isinstance(segment[0], str) else None
    if text is not None and text in node.children:
        yield from _walk(node.children[text], rest)
    for partial, child in node.partials.items():
        if partial == _anonymous(segment) or (text is not None and capture_segment(partial, text, {})):
            yield from _walk(child, rest)
    if node.anything is not None and text != "":
        yield from _walk(node.anything, rest)


def _anonymous(segment: Segment) -> Segment:
    """Names of placeholders do not matter for what is matched."""
    return tuple(Name("") if isinstance(piece, Name) else piece for piece in segment)


def _literal_start(template: Template) -> list[str]:
    start: list[str] = []
    for segment in template.segments:
        if len(segment) > 1 or isinstance(segment[0], Name):
            break
        start.append(segment[0])
    return start


def _wishes(match: Match) -> Iterator[Wish]:
    for header in match.headers:
        yield _wish("header", header.name.lower(), header)
    for query in match.query:
        yield _wish("query", query.name, query)


def _wish(place: str, name: str, match: ValueMatch) -> Wish:
    if match.present is not None:
        return place, name, "present", match.present is not match.invert, False
    if match.exact is not None:
        return place, name, "exact", match.exact, match.invert
    return place, name, "regex", match.regex or "", match.invert


def _implied(match: Match) -> set[Wish]:
    """What a route asks for, and what follows from it: who asks for a value asks for the name."""
    wishes = set(_wishes(match))
    for place, name, kind, _, invert in list(wishes):
        if kind != "present" and not invert:
            wishes.add((place, name, "present", True, False))
    return wishes


def _subsets(match: Match) -> Iterator[Wishes]:
    wishes = sorted(_implied(match), key=repr)
    largest = len(wishes) if len(wishes) <= _MAX_WISHES else 1
    for size in range(largest + 1):
        yield from map(frozenset, combinations(wishes, size))
    if largest < len(wishes):
        yield frozenset(_wishes(match))


def _inside_any(cidr: str, wider: Iterable[str]) -> bool:
    bits, shift, prefix = parse_network(cidr)
    for other in wider:
        width, other_shift, other_prefix = parse_network(other)
        if bits == width and shift <= other_shift and prefix >> (other_shift - shift) == other_prefix:
            return True
    return False
